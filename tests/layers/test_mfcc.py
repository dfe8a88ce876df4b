"""Cepstral coefficients and their slopes against librosa, alone and padded."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import MFCC

SETTINGS = [
    {},
    {"num_coefficients": 20, "num_mels": 64, "deltas": 1, "floor": 1e-6},
    {"sample_rate": 8000, "window_length": 200, "hop": 80, "mel_scale": "htk", "mel_norm": None},
    {"num_coefficients": 5, "deltas": 0},
]
settings = pytest.mark.parametrize("setting", SETTINGS, ids=str)


def waveform(samples, seed=0):
    generator = np.random.default_rng(seed)
    loudness = 0.3 * np.abs(np.sin(np.arange(samples) / 900.0)) + 0.01
    return (loudness * generator.normal(size=samples)).astype("float32")


def coefficients_by_librosa(layer, x):
    """Float64, `(frames, num_coefficients)`."""
    front = layer.spectrogram
    bands = librosa.feature.melspectrogram(
        y=x.astype("float64"),
        sr=front.sample_rate,
        n_fft=front.fft_length,
        hop_length=front.hop,
        win_length=front.window_length,
        pad_mode="constant",
        n_mels=layer.num_mels,
        htk=front.mel_scale == "htk",
        norm=front.mel_norm,
        dtype="float64",
    )
    decibels = librosa.power_to_db(bands, amin=layer.floor, top_db=None)
    return librosa.feature.mfcc(S=decibels, n_mfcc=layer.num_coefficients).T


def by_librosa(layer, x):
    c = coefficients_by_librosa(layer, x)
    return np.concatenate(
        [c, *[librosa.feature.delta(c, order=n, axis=0) for n in range(1, layer.deltas + 1)]], axis=1
    )


@settings
def test_equals_librosa(setting):
    layer = MFCC(**setting)
    x = waveform(5000)
    y = layer(x[None])[0]
    assert y.shape == layer.compute_output_shape((1, 5000))[1:]
    # decibels of float32 sums, 4e-4 each at the most, summed over the bands by unit vectors
    np.testing.assert_allclose(y, by_librosa(layer, x), atol=1e-3)


@pytest.mark.parametrize("frames", [9, 10, 12, 17])
def test_few_frames_equal_librosa(frames):
    layer, x = MFCC(), waveform(160 * (frames - 1) + 50)
    np.testing.assert_allclose(layer(x[None])[0], by_librosa(layer, x), atol=1e-3)


@pytest.mark.filterwarnings("ignore:n_fft=512 is too large")  # librosa's: less than a window
@pytest.mark.parametrize("frames", range(1, 9))
def test_less_than_a_window_has_the_derivatives_of_its_middle(frames):
    layer, x = MFCC(3), waveform(160 * (frames - 1) + 50)
    c = coefficients_by_librosa(layer, x)
    middle = (frames - 1) // 2
    around = c[np.clip(np.arange(middle - 4, middle + 5), 0, frames - 1)]
    parabola = np.polynomial.polynomial.polyfit(np.arange(-4, 5), around, 2)
    line = np.polynomial.polynomial.polyfit(np.arange(-4, 5), around, 1)
    expected = np.tile(np.concatenate([line[1], 2 * parabola[2]]), (frames, 1))
    np.testing.assert_allclose(layer(x[None])[0], np.concatenate([c, expected], axis=1), atol=1e-3)


@settings
@pytest.mark.parametrize("extra", [1, 160, 480, 2001])
def test_padding_reaches_nothing(setting, extra):
    layer = MFCC(**setting)
    for samples in (1, 700, 3000):
        x = waveform(samples)
        garbage = np.full(extra, np.nan, "float32")
        batch = np.stack([np.concatenate([x, garbage]), waveform(samples + extra, 1)])
        mask = np.arange(samples + extra) < np.array([[samples], [samples + extra]])
        y, alone = layer(batch, mask=mask), layer(x[None])
        real = layer.frames_of(samples)
        np.testing.assert_array_equal(y._keras_mask.numpy().sum(axis=1), [real, y.shape[1]])
        np.testing.assert_allclose(y[0, :real], alone[0], atol=1e-4)  # 1e-5 of the numbers' size, 10 to 100


@pytest.mark.slow
def test_exports(check_exports):
    layer = MFCC(5)

    def features(x, lengths):
        y = layer(x, mask=tf.sequence_mask(lengths, tf.shape(x)[1]))
        return tf.where(y._keras_mask[..., None], y, 0.0) / 100.0  # to the size that the tolerance is for

    check_exports(
        features,
        (
            tf.TensorSpec((None, None), "float32", "x"),
            lambda batch, length: np.stack([waveform(501 * length, seed) for seed in range(batch)]),
        ),
        (
            tf.TensorSpec((None,), "int32", "lengths"),
            lambda batch, length: 501 * np.arange(length, length - batch, -1, dtype="int32"),
        ),
    )


def test_computes_in_float32_under_half_precision():
    x = waveform(2000)[None]
    y = MFCC(dtype="mixed_float16")(x)
    assert y.dtype == "float16"
    np.testing.assert_allclose(y, MFCC()(x), rtol=1e-3, atol=1e-3)  # 11 bits


def test_round_trip(check_round_trip, tmp_path):
    for setting in SETTINGS[1:3]:
        copy = check_round_trip(MFCC(**setting), waveform(2000)[None], path=tmp_path / "model.keras")
        assert copy.spectrogram.get_config()["hop"] == setting.get("hop", 160)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="Received: num_coefficients=50, num_mels=40, deltas=2"):
        MFCC(50)
    with pytest.raises(ValueError, match="deltas=3"):
        MFCC(deltas=3)
