import numpy as np
import pytest
import tensorflow as tf

from keras_ae.losses import saturation_loss


def test_only_what_is_beyond_2_costs_and_is_pulled_back():
    x = tf.constant([[-5.0, 1.0], [2.5, -2.0], [0.0, 1.9]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = saturation_loss(x)
    np.testing.assert_allclose(loss, (3**2 + 0.5**2) / 6)
    np.testing.assert_allclose(tape.gradient(loss, x), [[-1, 0], [1 / 6, 0], [0, 0]], rtol=1e-6)


def test_it_is_the_mean_over_real_elements():
    x = np.array([[[4.0, 0.0]], [[100.0, 100.0]], [[3.0, 3.0]]], "float32")
    assert float(saturation_loss(x, np.array([1.0, 0.0, 2.0]))) == pytest.approx((4 + 2 * 2) / 6)
