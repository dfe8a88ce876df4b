"""GlobalVariance against numpy."""

import keras
import numpy as np
import pytest

from keras_ae.layers import GlobalVariance


@pytest.fixture
def utterances():
    rng = np.random.default_rng(0)
    recorded = rng.normal(size=(3, 9, 4)).astype("float32") * [1.0, 2.0, 3.0, 4.0] + 5.0
    generated = 0.6 * rng.normal(size=(3, 9, 4)).astype("float32") - 1.0
    lengths = np.array([9, 4, 6])
    mask = np.arange(9) < lengths[:, None]
    recorded[~mask], generated[~mask] = np.nan, np.nan  # padding may hold anything
    return recorded.astype("float32"), generated, mask, lengths


def variances(frames, lengths):
    return np.mean([frames[i, :n].var(axis=0) for i, n in enumerate(lengths)], axis=0)


def test_gain_is_the_root_of_the_ratio_of_mean_variances(utterances):
    recorded, generated, mask, lengths = utterances
    layer = GlobalVariance(momentum=0.9, largest=100.0)
    for _ in range(2):
        layer.observe(recorded, generated, mask)
    expected = np.sqrt(variances(recorded, lengths) / variances(generated, lengths))
    # 1e-6 beside variances of which two steps have counted a fifth
    np.testing.assert_allclose(layer.gain, expected, rtol=1e-3)


def test_generated_frames_move_as_much_as_recorded_ones(utterances):
    recorded, generated, mask, lengths = utterances
    layer = GlobalVariance(momentum=0.0, largest=100.0)
    layer.observe(recorded, generated, mask)
    y = np.asarray(layer(generated, mask=mask))
    np.testing.assert_allclose(variances(y, lengths), variances(recorded, lengths), rtol=1e-4)
    for i, n in enumerate(lengths):
        np.testing.assert_allclose(y[i, :n].mean(axis=0), generated[i, :n].mean(axis=0), rtol=1e-5)
        assert (y[i, n:] == 0).all()


def test_utterances_of_no_weight_and_empty_ones_do_not_count(utterances):
    recorded, generated, mask, lengths = utterances
    mask = mask & (np.arange(3) < 2)[:, None]  # the last is empty
    layer = GlobalVariance(momentum=0.0)
    layer.observe(recorded, generated, mask, sample_weight=np.array([0.0, 1.0, 1.0]))
    np.testing.assert_allclose(layer.recorded, variances(recorded[1:2], lengths[1:2]), rtol=1e-5)
    before = np.asarray(layer.recorded)
    layer.observe(recorded, generated, mask & False)
    np.testing.assert_array_equal(layer.recorded, before)


def test_gain_is_one_before_anything_was_observed_and_never_above_the_largest(utterances):
    layer = GlobalVariance(momentum=0.0, largest=1.5)
    x = keras.random.normal((2, 5, 4), seed=1)
    np.testing.assert_allclose(layer(x), x, rtol=1e-5, atol=1e-6)
    layer.observe(100.0 * x, x)
    np.testing.assert_array_equal(layer.gain, np.full(4, 1.5, "float32"))


@pytest.mark.parametrize("options", [{"momentum": 1.0}, {"largest": 0.5}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="Received"):
        GlobalVariance(**options)
