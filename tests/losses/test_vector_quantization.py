import numpy as np
import pytest
import tensorflow as tf

from keras_ae.losses import codebook_loss, commitment_loss

GENERATOR = np.random.default_rng(0)
X, Q = (GENERATOR.normal(size=(6, 3)).astype("float32") for _ in range(2))
WEIGHTS = np.array([1, 0, 2, 1, 0, 0.5], "float32")


@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("loss, to_x", [(commitment_loss, True), (codebook_loss, False)])
def test_both_have_the_value_of_the_squared_error_and_one_gradient_each(loss, to_x, weights):
    x, q = tf.constant(X), tf.constant(Q)
    with tf.GradientTape() as tape:
        tape.watch([x, q])
        value = loss(x, q, weights)
    share = np.full(6, 1 / 6) if weights is None else weights / weights.sum()
    np.testing.assert_allclose(value, share @ ((X - Q) ** 2).mean(axis=1), rtol=1e-6)
    gradients = tape.gradient(value, [x, q])
    moving, standing = gradients if to_x else gradients[::-1]
    expected = share[:, None] * 2 * (X - Q if to_x else Q - X) / 3
    np.testing.assert_allclose(moving, expected, rtol=1e-5, atol=1e-7)
    assert standing is None
