"""Noise of the kind and level that is stated, in training alone."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import WaveformNoise


def tones(batch=6, samples=4000):
    """A tone of its own in each example, at different levels."""
    rows = np.arange(batch)[:, None]
    return ((1 + rows) * np.sin(np.arange(samples) * (0.2 + 0.2 * rows))).astype("float32")


def noise_of(layer, x, **kwargs):
    return np.asarray(layer(x, training=True, **kwargs)) - x


def decibels(x, noise):
    return 10 * np.log10(np.mean(x**2, axis=-1) / np.mean(noise**2, axis=-1))


def test_inference_and_no_probability_change_nothing():
    x = tones()
    np.testing.assert_array_equal(WaveformNoise(1.0)(x), x)
    np.testing.assert_array_equal(WaveformNoise(0.0)(x, training=True), x)


def test_the_ratio_is_uniform_in_its_range_and_the_share_is_the_probability():
    x = np.tile(tones(4), (100, 1))
    noise = noise_of(WaveformNoise(0.7, least=5.0, most=20.0, seed=0), x)
    noisy = np.abs(noise).max(axis=1) > 0
    assert abs(noisy.mean() - 0.7) < 0.1  # four standard errors of 400 coins
    ratios = decibels(x[noisy], noise[noisy])
    assert ratios.min() > 5 - 1e-2 and ratios.max() < 20 + 1e-2
    assert abs(ratios.mean() - 12.5) < 1.1  # four standard errors of 280 uniform draws


def test_babble_is_made_of_others_and_white_noise_of_all_frequencies():
    x = tones(6)
    layer = WaveformNoise(1.0, least=0.0, most=0.0, talkers=2, seed=1)
    kinds = {"white": 0, "babble": 0}
    for _ in range(10):
        for i, noise in enumerate(noise_of(layer, x)):
            unit = x / np.sqrt(np.mean(x**2, axis=1, keepdims=True))
            levels = unit @ noise / len(noise)  # the tones are nearly orthogonal
            left = noise - levels @ unit
            heard = np.abs(levels) > 0.03 * np.sqrt(np.mean(noise**2))
            if np.mean(left**2) < 1e-2 * np.mean(noise**2):
                kinds["babble"] += 1
                assert heard.sum() <= 2 and not heard[i] and np.all(levels > -0.05 * np.abs(levels).max())
            else:
                kinds["white"] += 1
                spectrum = np.abs(np.fft.rfft(noise)) ** 2
                quarters = [part.mean() for part in np.array_split(spectrum[1:], 4)]
                # 500 bins of power whose deviation is its mean: a relative error of 0.045
                assert max(quarters) < 1.5 * min(quarters)
    assert min(kinds.values()) > 10  # of 60 coins


def test_padding_counts_in_no_energy_and_stays_zero():
    x = tones(4)
    mask = np.arange(4000) < 1000 * np.arange(1, 5)[:, None]
    padded = np.where(mask, x, 7.0).astype("float32")
    layer = WaveformNoise(1.0, least=10.0, most=10.0, seed=2)
    y = np.asarray(layer(padded, mask=mask, training=True))
    assert not y[~mask].any()
    for clean, noisy, real in zip(x, y, mask, strict=True):
        assert abs(decibels(clean[real], (noisy - clean)[real]) - 10.0) < 1e-2


def test_silence_and_a_single_example_are_finite():
    layer = WaveformNoise(1.0, seed=3)
    silence = noise_of(layer, np.zeros((3, 500), "float32"))
    assert np.abs(silence).max() < 1e-4
    for _ in range(5):
        noise = noise_of(layer, tones(1, 500))
        assert np.isfinite(noise).all() and noise.any()


def test_calls_differ_a_seed_repeats_and_unknown_sizes_work():
    x = tones()
    layer = WaveformNoise(1.0, seed=4)
    first, second = noise_of(layer, x), noise_of(layer, x)
    assert np.abs(first - second).max() > 0.1
    np.testing.assert_array_equal(noise_of(WaveformNoise(1.0, seed=4), x), first)
    layer = WaveformNoise(1.0, seed=4)
    signature = [tf.TensorSpec((None, None)), tf.TensorSpec((None, None), tf.bool)]
    function = tf.function(lambda v, m: layer(v, mask=m, training=True), input_signature=signature)
    for examples in (1, 3):
        mask = np.ones((examples, 4000), bool)
        assert np.abs(function(x[:examples], mask) - x[:examples]).max() > 0.1
        assert layer.compute_mask(x[:examples], mask) is mask
    again = WaveformNoise.from_config(WaveformNoise(0.3, least=1.0, most=2.0, talkers=3, seed=5).get_config())
    config = again.get_config()
    assert [config[k] for k in ("probability", "least", "most", "talkers", "seed")] == [0.3, 1.0, 2.0, 3, 5]


@pytest.mark.parametrize("settings", [{"probability": 1.1}, {"least": 21.0}, {"talkers": 0}])
def test_refuses_settings_out_of_range(settings):
    with pytest.raises(ValueError, match="WaveformNoise: probability must be in"):
        WaveformNoise(**settings)
