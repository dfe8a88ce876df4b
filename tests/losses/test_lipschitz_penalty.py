"""The gradient penalty against a critic of known slope and against finite differences."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.losses import gradient_penalty

rng = np.random.default_rng(0)
REAL, FAKE = rng.normal(size=(2, 4, 5, 3)).astype("float32")
MIX = np.array([0.0, 0.3, 0.7, 1.0], "float32")


def test_a_linear_critic_has_the_norm_of_its_weights_everywhere():
    weights = rng.normal(size=(5, 3)).astype("float32")
    penalties = gradient_penalty(lambda u: ops.sum(u * weights, axis=(1, 2)), REAL, FAKE, MIX)
    np.testing.assert_allclose(penalties, (np.linalg.norm(weights) - 1) ** 2, rtol=1e-5)


def critic(u):
    return np.tanh(u).sum(axis=(1, 2)) ** 2


def test_a_curved_critic_by_finite_differences():
    def with_tensors(u):
        return ops.square(ops.sum(ops.tanh(u), axis=(1, 2)))

    between = (MIX[:, None, None] * REAL + (1 - MIX[:, None, None]) * FAKE).astype("float64")
    gradient = np.zeros_like(between)
    for place in np.ndindex(5, 3):
        step = np.zeros((1, 5, 3))
        step[0][place] = 1e-5
        gradient[(slice(None), *place)] = (critic(between + step) - critic(between - step)) / 2e-5
    expected = (np.sqrt((gradient**2).sum(axis=(1, 2))) - 1) ** 2
    # float32 in the library, float64 here
    np.testing.assert_allclose(gradient_penalty(with_tensors, REAL, FAKE, MIX), expected, rtol=1e-4)


def test_it_can_be_minimised_and_a_flat_critic_gives_no_nan():
    layer = keras.layers.Dense(1, kernel_initializer="zeros")
    layer.build((None, 3))

    def flat(u):
        return ops.sum(layer(u), axis=(1, 2))

    with tf.GradientTape() as tape:
        loss = ops.mean(gradient_penalty(flat, REAL, FAKE, MIX))
    assert float(loss) == np.float32((1e-6 - 1) ** 2)
    assert np.isfinite(tape.gradient(loss, layer.kernel)).all()
    optimizer = keras.optimizers.SGD(0.02)
    layer.kernel.assign(np.full((3, 1), 0.5, "float32"))
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = ops.mean(gradient_penalty(flat, REAL, FAKE, MIX))
        optimizer.apply(tape.gradient(loss, [layer.kernel]), [layer.kernel])
    # five equal rows of the gradient: the norm is sqrt(5) |w|
    np.testing.assert_allclose(np.sqrt(5) * np.linalg.norm(layer.kernel), 1.0, atol=1e-3)
