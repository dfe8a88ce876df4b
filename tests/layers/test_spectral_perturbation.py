"""Frequencies stretched and spectra bent in training, and nothing else."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import SpectralPerturbation


def frames(batch=4, length=5, mels=20):
    return np.random.default_rng(0).standard_normal((batch, length, mels)).astype("float32")


def test_inference_and_zero_strength_change_nothing():
    x = frames()
    np.testing.assert_array_equal(SpectralPerturbation()(x), x)
    # a product with the identity, in float32
    np.testing.assert_allclose(SpectralPerturbation(0.0, 0.0)(x, training=True), x, atol=1e-6)


def test_the_warp_is_linear_interpolation_at_stretched_bands():
    x = frames()
    layer = SpectralPerturbation(0.3, 0.0, seed=1)
    y = np.asarray(layer(x, training=True))
    bands = np.arange(20)
    for example, warped in zip(x, y, strict=True):
        stretches = np.linspace(0.7, 1.3, 6001)
        guesses = np.stack([np.interp(np.minimum(a * bands, 19), bands, example[0]) for a in stretches])
        best = stretches[np.abs(guesses - warped[0]).max(axis=1).argmin()]
        expected = np.stack([np.interp(np.minimum(best * bands, 19), bands, frame) for frame in example])
        # the stretch is found on a grid of 1e-4, which moves band 19 by 2e-3 of a band
        np.testing.assert_allclose(warped, expected, atol=0.01)


def test_what_the_tilt_adds_is_a_cubic_of_the_band_the_same_in_all_frames_and_within_bounds():
    x = frames(batch=200)
    added = np.asarray(SpectralPerturbation(0.0, 0.5, seed=2)(x, training=True)) - x
    np.testing.assert_allclose(added, np.repeat(added[:, :1], 5, axis=1), atol=1e-5)
    places = np.linspace(-1, 1, 20)
    coefficients = np.polynomial.legendre.legfit(places, added[:, 0].T, 3)
    fitted = np.polynomial.legendre.legval(places, coefficients)
    np.testing.assert_allclose(fitted, added[:, 0], atol=1e-5)
    assert np.abs(coefficients[0]).max() < 1e-5  # no change of level
    # 600 uniform draws: the standard error of their deviation is 0.007
    assert abs(coefficients[1:].std() - 0.5 / np.sqrt(3)) < 0.03
    assert np.abs(coefficients[1:]).max() <= 0.5 + 1e-5


def test_examples_and_calls_differ_and_a_seed_repeats():
    x = np.repeat(frames(batch=1), 2, axis=0)
    layer = SpectralPerturbation(seed=3)
    first, second = (np.asarray(layer(x, training=True)) for _ in range(2))
    assert np.abs(first[0] - first[1]).max() > 0.1
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(SpectralPerturbation(seed=3)(x, training=True), first)


def test_xla_half_precision_mask_and_config():
    x = frames()
    layer = SpectralPerturbation(dtype="mixed_float16", seed=0)
    y = tf.function(lambda v: layer(v, training=True), jit_compile=True)(x)
    assert y.dtype == tf.float16
    ids = keras.Input((None,), dtype="int32")
    outputs = SpectralPerturbation()(keras.layers.Embedding(5, 4, mask_zero=True)(ids))
    assert keras.Model(ids, outputs)(np.array([[1, 0]]))._keras_mask.numpy().tolist() == [[True, False]]
    config = SpectralPerturbation.from_config(
        SpectralPerturbation(0.1, 0.2, seed=4).get_config()
    ).get_config()
    assert (config["warp"], config["tilt"], config["seed"]) == (0.1, 0.2, 4)


@pytest.mark.parametrize("arguments", [(1.0, 0.0), (-0.1, 0.0), (0.1, -1.0), (0.1, float("nan"))])
def test_refuses_strengths_out_of_range(arguments):
    with pytest.raises(ValueError, match="warp must be in"):
        SpectralPerturbation(*arguments)


def test_refuses_a_single_band():
    with pytest.raises(ValueError, match="two mels"):
        SpectralPerturbation()(np.ones((1, 2, 1), "float32"))
