"""Cepstral coefficients of log-mel frames; `test_mfcc.py` compares them with librosa's."""

import keras
import numpy as np
import pytest
import scipy.fft

from keras_ae.layers import MFCC, CepstralCoefficients, LogMelSpectrogram


def test_coefficients_are_the_orthonormal_cosine_transform():
    x = np.random.default_rng(0).standard_normal((2, 12, 20)).astype("float32")
    y = CepstralCoefficients(7, deltas=0)(x)
    # float32 sums of 20 terms
    np.testing.assert_allclose(y, scipy.fft.dct(x, norm="ortho", axis=2)[..., :7], atol=1e-5)


def test_slopes_of_a_parabola_are_its_derivatives_also_before_padding():
    time = np.arange(20, dtype="float32")
    x = np.full((1, 25, 2), 77.0, "float32")
    x[0, :20] = (0.5 * time**2 - 3 * time)[:, None]  # both bands: only coefficient 0
    mask = np.arange(25)[None] < 20
    y = np.asarray(CepstralCoefficients(1, deltas=2)(x, mask=mask))[0, :20] / np.sqrt(2)
    np.testing.assert_allclose(y[4:16, 1], time[4:16] - 3, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(y[:, 2], 1.0, rtol=1e-3)
    # the edges have the slope of the nearest whole window
    np.testing.assert_allclose(y[16:, 1], y[15, 1], rtol=1e-5)


def test_after_a_log_mel_layer_it_is_mfcc():
    waveform = np.random.default_rng(1).standard_normal((2, 3200)).astype("float32")
    mel = LogMelSpectrogram(30, log="db", floor=1e-8)
    parts = CepstralCoefficients(13)(mel(waveform))
    np.testing.assert_allclose(parts, MFCC(13, num_mels=30)(waveform), atol=1e-4)


def test_mask_is_handed_on_and_the_layer_reloads():
    ids = keras.Input((None,), dtype="int32")
    outputs = CepstralCoefficients(2)(keras.layers.Embedding(5, 4, mask_zero=True)(ids))
    assert keras.Model(ids, outputs)(np.array([[1, 0]]))._keras_mask.numpy().tolist() == [[True, False]]
    again = CepstralCoefficients.from_config(CepstralCoefficients(5, deltas=1).get_config())
    assert (again.num_coefficients, again.deltas) == (5, 1)


@pytest.mark.parametrize("settings", [{"num_coefficients": 0}, {"deltas": 3}])
def test_refuses_settings_out_of_range(settings):
    with pytest.raises(
        ValueError, match="CepstralCoefficients: num_coefficients must be at least 1 and deltas must be"
    ):
        CepstralCoefficients(**settings)


def test_refuses_fewer_mels_than_coefficients():
    with pytest.raises(ValueError, match="at least 13 mels"):
        CepstralCoefficients()(np.ones((1, 3, 12), "float32"))
