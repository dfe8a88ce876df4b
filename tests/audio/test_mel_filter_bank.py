"""Mel filters against librosa's (slaney) and TensorFlow's (htk)."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.audio import mel_weights


@pytest.mark.parametrize("norm", ["slaney", None])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize(
    ("num_mels", "sample_rate", "fft_length", "low", "high"),
    [(80, 16000, 512, 0, None), (40, 8000, 512, 20, 3800), (13, 16000, 401, 0, 8000)],
)
def test_equals_librosa(num_mels, sample_rate, fft_length, low, high, scale, norm):
    ours = mel_weights(
        num_mels,
        sample_rate=sample_rate,
        fft_length=fft_length,
        min_frequency=low,
        max_frequency=high,
        scale=scale,
        norm=norm,
    )
    theirs = librosa.filters.mel(
        sr=sample_rate,
        n_fft=fft_length,
        n_mels=num_mels,
        fmin=low,
        fmax=high,
        htk=scale == "htk",
        norm=norm,
    )
    assert ours.shape == (fft_length // 2 + 1, num_mels) and ours.dtype == np.float32
    np.testing.assert_allclose(ours, theirs.T, atol=1e-6 * theirs.max())  # theirs is rounded to float32


def test_equals_tensorflow():
    ours = mel_weights(
        40, sample_rate=16000, fft_length=512, min_frequency=125, max_frequency=3800, scale="htk", norm=None
    )
    theirs = tf.signal.linear_to_mel_weight_matrix(40, 257, 16000, 125.0, 3800.0)
    # theirs interpolates in mel, ours in Hz as librosa does: the same bins, nearly the same slopes
    np.testing.assert_array_equal(ours > 0.02, theirs.numpy() > 0.02)
    np.testing.assert_allclose(ours, theirs, atol=0.02)


def test_settings_that_make_no_filters_are_refused():
    with pytest.raises(ValueError, match=r"one of \['htk', 'slaney'\].*Received: scale='bark'"):
        mel_weights(40, sample_rate=16000, fft_length=512, scale="bark")
    with pytest.raises(ValueError, match="Received: num_mels=40, bands from 0.0 to 9000 Hz at 16000 Hz"):
        mel_weights(40, sample_rate=16000, fft_length=512, max_frequency=9000)
    with pytest.raises(ValueError, match="of the bands empty. Use fewer bands or a longer transform"):
        mel_weights(80, sample_rate=16000, fft_length=128)
