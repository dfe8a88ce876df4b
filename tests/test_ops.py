import numpy as np
import pytest
import tensorflow as tf

from keras_ae import ops as own


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def nearest(x, codebook):
    """float64, with every difference written out."""
    x, codebook = x.astype("float64"), codebook.astype("float64")
    return np.array([np.argmin(((codebook - row) ** 2).sum(axis=1)) for row in x], "int32")


@pytest.mark.parametrize("mean", [0.0, 10.0, 100.0])
def test_search_gives_no_wrong_code_far_from_the_origin(mean):
    x, codebook = normal((1000, 64)) + mean, normal((256, 64), seed=1) + mean
    # float32 without the shift by the codebook's mean errs in 2 % of these at mean 100
    np.testing.assert_array_equal(own.nearest_code(x, codebook), nearest(x, codebook))


def test_search_far_from_a_codebook_that_is_off_the_data():
    x, codebook = normal((200, 8)) + 50.0, normal((16, 8), seed=1)
    np.testing.assert_array_equal(own.nearest_code(x, codebook), nearest(x, codebook))


@pytest.mark.parametrize("total", [0, 1, 3, 4, 5, 7, 8, 9, 17])
def test_search_in_blocks_equals_the_search_at_once(total, monkeypatch):
    x, codebook = normal((total, 2)), normal((3, 2), seed=1)
    with own.exporting():
        at_once = own.nearest_code(x, codebook)
    monkeypatch.setattr(own, "BLOCK_SCORES", 12)  # four rows a block
    blocks = own.nearest_code(x, codebook)
    assert blocks.dtype == tf.int32
    assert blocks.shape == (total,)
    np.testing.assert_array_equal(blocks, at_once)
    np.testing.assert_array_equal(blocks, nearest(x, codebook))


def test_a_codebook_larger_than_a_block_is_searched_row_by_row(monkeypatch):
    monkeypatch.setattr(own, "BLOCK_SCORES", 2)
    x, codebook = normal((5, 2)), normal((7, 2), seed=1)
    np.testing.assert_array_equal(own.nearest_code(x, codebook), nearest(x, codebook))


def test_most_similar_is_the_largest_product():
    x, codebook = normal((30, 4)), normal((5, 4), seed=1)
    expected = np.argmax(x.astype("float64") @ codebook.T.astype("float64"), axis=1)
    np.testing.assert_array_equal(own.most_similar(x, codebook), expected)


def test_straight_through_has_the_value_of_one_and_the_gradient_of_the_other():
    x, quantized = tf.constant([0.25, -2.0]), tf.constant([1.0, 0.0])
    with tf.GradientTape() as tape:
        tape.watch([x, quantized])
        y = own.straight_through(x, quantized)
        loss = tf.reduce_sum(y**3)
    np.testing.assert_array_equal(y, quantized)
    to_x, to_quantized = tape.gradient(loss, [x, quantized])
    np.testing.assert_allclose(to_x, 3 * quantized.numpy() ** 2)
    assert to_quantized is None


def test_weighted_mean_spreads_the_weights_over_trailing_axes():
    values, weights = normal((4, 3, 2)), np.array([1.0, 0.0, 2.0, 0.5])
    expected = np.average(values.mean(axis=(1, 2)), weights=weights)
    np.testing.assert_allclose(own.weighted_mean(values, weights), expected, rtol=1e-6)
    np.testing.assert_allclose(own.weighted_mean(values), values.mean(), rtol=1e-6)


def test_weighted_mean_of_nothing_is_zero():
    assert float(own.weighted_mean(normal((4, 3)), np.zeros(4))) == 0.0
