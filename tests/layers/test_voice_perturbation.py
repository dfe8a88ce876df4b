"""Formants moved and spectra bent in training, timing, pitch and level kept."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import signal

from keras_ae.layers import VoicePerturbation

RATE, PITCH, FORMANT = 8000, 100, 1000
SMALL = {"window": 256, "order": 20}


def noise(batch=3, samples=2000):
    return np.random.default_rng(0).standard_normal((batch, samples)).astype("float32")


def vowels(batch):
    """Pulses at the pitch through one resonance, `(batch, samples)`."""
    pulses = np.zeros(4000)
    pulses[:: RATE // PITCH] = 1.0
    pole = 0.97 * np.exp(2j * np.pi * FORMANT / RATE)
    vowel = signal.lfilter([1.0], np.poly([pole, pole.conj()]).real, pulses)
    return np.repeat(vowel[None].astype("float32"), batch, axis=0)


def spectra(x):
    """Mean magnitude `(batch, frequencies)` of windows that lie whole inside of `x`."""
    return np.abs(signal.stft(x, RATE, nperseg=256, boundary=None, padded=False)[2]).mean(axis=-1)


def test_inference_and_zero_strength_change_nothing():
    x = noise()
    np.testing.assert_array_equal(VoicePerturbation(**SMALL)(x), x)
    # a transform and back, in float32
    np.testing.assert_allclose(VoicePerturbation(0.0, 0.0, **SMALL)(x, training=True), x, atol=1e-5)


def test_formants_move_by_up_to_the_warp_and_the_pitch_stays():
    y = np.asarray(VoicePerturbation(0.2, 0.0, seed=0, **SMALL)(vowels(60), training=True))
    bins = np.fft.rfftfreq(2048, 1 / RATE)
    middle = y[:, 1000:3048]
    # a peak over the harmonics, which are 100 Hz apart: the centre of the power around it
    power = np.abs(np.fft.rfft(middle * np.hanning(2048), axis=1)) ** 2
    centres = (power * bins).sum(axis=1) / power.sum(axis=1)
    assert centres.min() > FORMANT / 1.2 - 100 and centres.max() < FORMANT / 0.8 + 150
    assert centres.max() - centres.min() > 200
    for one in middle[:10]:
        correlation = np.correlate(one, one, "full")[2048 - 1 :]
        assert abs(40 + np.argmax(correlation[40:120]) - RATE // PITCH) <= 1


def test_the_envelope_is_that_of_the_stretched_frequencies():
    layer = VoicePerturbation(0.2, 0.0, seed=1, window=256, order=6)
    x = vowels(4)
    n, f = np.arange(6)[:, None], np.linspace(0, 1, 129)
    log_x, log_y = (np.log(spectra(part) + 1e-4) for part in (x, np.asarray(layer(x, training=True))))
    # the cosine transform written out: trapezoidal integrals over the frequencies
    product = log_x[0] * np.cos(np.pi * n * f)
    q = (product[:, :-1] + product[:, 1:]).sum(axis=1) / 2 * f[1] * np.where(n[:, 0], 2.0, 1.0)
    gain = log_y - log_x
    for one in gain:
        one = one - one.mean()
        errors = []
        for a in np.linspace(0.8, 1.2, 401):
            expected = q @ (np.cos(np.pi * n * np.minimum(a * f, 1)) - np.cos(np.pi * n * f))
            errors.append(np.abs(one - expected + expected.mean()).mean())
        # the mean of logarithms is not the logarithm of means, nor is an overlap of windows one window
        assert min(errors) < 0.1 < np.mean(errors)


def test_the_tilt_adds_a_cubic_of_the_frequency_within_bounds():
    x = noise(20, 20_000)
    y = np.asarray(VoicePerturbation(0.0, 0.5, seed=2, **SMALL)(x, training=True))
    added = np.log(spectra(y) / spectra(x))[:, 2:-2]
    places = np.linspace(-1, 1, 129)[2:-2]
    coefficients = np.polynomial.legendre.legfit(places, added.T, 3)
    np.testing.assert_allclose(np.polynomial.legendre.legval(places, coefficients), added, atol=0.02)
    assert np.abs(coefficients[1:]).max() <= 0.51
    # 60 uniform draws: the standard error of their deviation is 0.02
    assert abs(coefficients[1:].std() - 0.5 / np.sqrt(3)) < 0.08


def test_padding_is_zero_and_garbage_in_it_changes_nothing():
    x, lengths = noise(), np.array([2000, 1201, 300])
    mask = np.arange(2000) < lengths[:, None]
    y = np.asarray(VoicePerturbation(seed=3, **SMALL)(x, mask=mask, training=True))
    assert not y[~mask].any()
    longer = np.pad(x * mask, [(0, 0), (0, 700)], constant_values=9.0)
    wide = np.pad(mask, [(0, 0), (0, 700)])
    again = np.asarray(VoicePerturbation(seed=3, **SMALL)(longer, mask=wide, training=True))
    np.testing.assert_allclose(again[:, :2000], y, atol=1e-5)
    for one, same, real in zip(x, y, lengths, strict=True):
        np.testing.assert_allclose(np.square(one[:real]).sum(), np.square(same).sum(), rtol=1e-4)


def test_silence_stays_silent():
    assert not np.asarray(VoicePerturbation(**SMALL)(np.zeros((1, 600), "float32"), training=True)).any()


def test_examples_and_calls_differ_and_a_seed_repeats():
    x = np.repeat(noise(1), 2, axis=0)
    layer = VoicePerturbation(seed=3, **SMALL)
    first, second = (np.asarray(layer(x, training=True)) for _ in range(2))
    assert np.abs(first[0] - first[1]).max() > 0.1
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(VoicePerturbation(seed=3, **SMALL)(x, training=True), first)


def test_xla_half_precision_mask_and_config():
    layer = VoicePerturbation(dtype="mixed_float16", seed=0, **SMALL)
    y = tf.function(lambda v: layer(v, training=True), jit_compile=True)(noise())
    assert y.dtype == tf.float16 and np.isfinite(y).all()
    inputs = keras.Input((None,))
    model = keras.Model(inputs, VoicePerturbation(**SMALL)(inputs))
    assert model(noise(), training=True).shape == (3, 2000)
    config = VoicePerturbation(0.1, 0.2, window=64, order=5, seed=4).get_config()
    again = VoicePerturbation.from_config(config).get_config()
    assert [again[key] for key in ("warp", "tilt", "window", "order", "seed")] == [0.1, 0.2, 64, 5, 4]


@pytest.mark.parametrize("arguments", [(1.0, 0.0), (-0.1, 0.0), (0.1, -1.0), (0.1, float("nan"))])
def test_refuses_strengths_out_of_range(arguments):
    with pytest.raises(ValueError, match="warp must be in"):
        VoicePerturbation(*arguments)


@pytest.mark.parametrize("sizes", [{"window": 30}, {"window": 0}, {"order": 0}, {"window": 16, "order": 9}])
def test_refuses_windows_and_orders_out_of_range(sizes):
    with pytest.raises(ValueError, match="multiple of 4"):
        VoicePerturbation(**sizes)
