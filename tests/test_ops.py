import numpy as np
import pytest
import tensorflow as tf

from keras_ae import ops as own


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


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


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_update_that_is_not_finite_leaves_all_its_variables_alone(bad):
    one, other = tf.Variable([1.0, 2.0]), tf.Variable(3.0)
    own.assign_finite((one, tf.constant([5.0, bad])), (other, tf.constant(4.0)))
    assert one.numpy().tolist() == [1.0, 2.0] and float(other) == 3.0
    own.assign_finite((one, tf.constant([5.0, 6.0])), (other, tf.constant(4.0)))
    assert one.numpy().tolist() == [5.0, 6.0] and float(other) == 4.0
