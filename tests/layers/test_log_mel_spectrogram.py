"""The log-mel front end against librosa; padding, exports, precision."""

import librosa
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import LogMelSpectrogram

SETTINGS = [
    {},
    {"num_mels": 40, "mel_scale": "htk", "mel_norm": None, "log": "db"},
    {"num_mels": 40, "power": 1.0},
    {"num_mels": 30, "power": 1.0, "log": "db", "min_frequency": 50.0, "max_frequency": 7000.0},
    {"num_mels": 40, "sample_rate": 8000, "window_length": 200, "hop": 80},
    {"num_mels": 40, "window_length": 401, "hop": 128, "fft_length": 600},
    {"num_mels": 20, "window_length": 256, "hop": 300, "fft_length": 256},
]
settings = pytest.mark.parametrize("setting", SETTINGS, ids=str)


def speech_like(samples=4000, seed=0):
    """Harmonics of a gliding voice with noise, in [-1, 1]."""
    generator = np.random.default_rng(seed)
    time = np.arange(samples) / 16000
    phase = 2 * np.pi * (120 * time + 200 * time**2)
    voice = sum(np.sin(k * phase + k) / k for k in range(1, 30))
    return (0.1 * voice + 0.02 * generator.normal(size=samples)).astype("float32")


def by_librosa(layer, waveform):
    """Float64, frames first."""
    bands = librosa.feature.melspectrogram(
        y=waveform.astype("float64"),
        sr=layer.sample_rate,
        n_fft=layer.fft_length,
        hop_length=layer.hop,
        win_length=layer.window_length,
        center=True,
        pad_mode="constant",
        power=layer.power,
        n_mels=layer.num_mels,
        fmin=layer.min_frequency,
        fmax=layer.max_frequency,
        htk=layer.mel_scale == "htk",
        norm=layer.mel_norm,
        dtype="float64",
    ).T
    if layer.log == "natural":
        return np.log(np.maximum(bands, layer.floor))
    if layer.power == 2.0:
        return librosa.power_to_db(bands, amin=layer.floor, top_db=None)
    return librosa.amplitude_to_db(bands, amin=layer.floor, top_db=None)


@settings
def test_equals_librosa(setting):
    layer = LogMelSpectrogram(**setting)
    waveforms = np.stack([speech_like(), 0.3 * np.random.default_rng(1).normal(size=4000).astype("float32")])
    expected = np.stack([by_librosa(layer, waveform) for waveform in waveforms])
    tolerance = 1e-4 * layer.log_scale  # float32 sums of 400 terms; decibels are 4.3 or 8.7 to the neper
    np.testing.assert_allclose(layer(waveforms), expected, atol=tolerance)
    assert layer.compute_output_shape(waveforms.shape) == expected.shape


@pytest.mark.filterwarnings("ignore:n_fft=512 is too large")  # librosa's: less than a window
@pytest.mark.parametrize("samples", [1, 159, 160, 161, 399, 400, 1600])
def test_short_waveforms_and_edges(samples):
    layer, waveform = LogMelSpectrogram(40), speech_like(1600)[:samples]
    y = layer(waveform[None])
    assert y.shape == (1, layer.frames_of(samples), 40)
    np.testing.assert_allclose(y[0], by_librosa(layer, waveform), atol=1e-4)


def test_silence_and_full_scale():
    layer = LogMelSpectrogram(40, floor=1e-5)
    np.testing.assert_allclose(layer(np.zeros((1, 800), "float32")), np.log(1e-5), rtol=1e-6)
    clipped = np.sign(speech_like(800))
    np.testing.assert_allclose(layer(clipped[None])[0], by_librosa(layer, clipped), atol=1e-4)


def test_a_tone_is_in_its_band():
    layer = LogMelSpectrogram(40)
    centres = librosa.mel_frequencies(42, fmax=8000)[1:-1]
    for band in (5, 20, 35):
        tone = np.sin(2 * np.pi * centres[band] * np.arange(8000) / 16000).astype("float32")
        assert (np.argmax(layer(tone[None])[0, 5:-5], axis=-1) == band).all()


@settings
@pytest.mark.parametrize("extra", [1, 79, 160, 801])
def test_padding_reaches_nothing(setting, extra):
    layer = LogMelSpectrogram(**setting)
    for samples in (3 * layer.hop, 3 * layer.hop + 1, 4 * layer.hop - 1):
        waveform = speech_like(samples)
        garbage = np.full(extra, np.nan, "float32")
        batch = np.stack([np.concatenate([waveform, garbage]), speech_like(samples + extra, 1)])
        mask = np.arange(samples + extra) < np.array([[samples], [samples + extra]])
        y, alone = layer(batch, mask=mask), layer(waveform[None])
        real = layer.frames_of(samples)
        np.testing.assert_array_equal(y._keras_mask.numpy().sum(axis=1), [real, y.shape[1]])
        np.testing.assert_allclose(y[0, :real], alone[0], atol=1e-5)  # products in another order


def test_a_row_of_padding_has_no_frame():
    layer = LogMelSpectrogram(40)
    y = layer(np.ones((2, 320), "float32"), mask=np.array([[False] * 320, [True] * 320]))
    np.testing.assert_array_equal(y._keras_mask.numpy().sum(axis=1), [0, 3])


def test_gradients_are_finite_at_silence():
    for power in (1.0, 2.0):
        layer, x = (
            LogMelSpectrogram(40, power=power),
            tf.constant(np.r_[np.zeros(800), speech_like(800)][None]),
        )
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_mean(layer(x))
        gradient = tape.gradient(loss, x).numpy()
        assert np.isfinite(gradient).all() and (gradient[0, 1000:] != 0).any()
        np.testing.assert_array_equal(gradient[0, :400], 0)


@pytest.mark.slow
def test_exports(check_exports):
    layer = LogMelSpectrogram(40)

    def features(x, lengths):
        y = layer(x, mask=tf.sequence_mask(lengths, tf.shape(x)[1]))
        return tf.where(y._keras_mask[..., None], y, 0.0)

    check_exports(
        features,
        (
            tf.TensorSpec((None, None), "float32", "x"),
            lambda batch, length: np.stack([speech_like(101 * length, seed) for seed in range(batch)]),
        ),
        (
            tf.TensorSpec((None,), "int32", "lengths"),
            lambda batch, length: 101 * np.arange(length, length - batch, -1, dtype="int32"),
        ),
    )


def test_computes_in_float32_under_half_precision():
    layer, half = LogMelSpectrogram(40), LogMelSpectrogram(40, dtype="mixed_float16")
    x = tf.constant(speech_like(1000)[None])
    y = half(x)
    assert y.dtype == "float16"
    np.testing.assert_allclose(y, layer(x), atol=1e-2)  # rounding of numbers near 10 to 11 bits


def test_round_trip(check_round_trip, tmp_path):
    for setting in SETTINGS[1:4]:
        check_round_trip(LogMelSpectrogram(**setting), speech_like(1000)[None], path=tmp_path / "model.keras")


def test_settings_are_checked():
    with pytest.raises(ValueError, match="fft_length must be even. Received: hop=160, window_length=600"):
        LogMelSpectrogram(window_length=600)
    with pytest.raises(ValueError, match="fft_length=513"):
        LogMelSpectrogram(fft_length=513)
    with pytest.raises(ValueError, match="Received: power=3.0, log='natural', floor=1e-06"):
        LogMelSpectrogram(power=3.0)
    with pytest.raises(
        ValueError, match=r"must be waveforms \(batch, samples\). Received: shape \(1, 800, 1\)"
    ):
        LogMelSpectrogram()(np.zeros((1, 800, 1)))
