import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import AugmentReinforceMerge, ScoreFunction

BITS = 4
ALL = np.array(list(itertools.product([0, 1], repeat=BITS)), "float32")
COSTS = (3 + 2 * np.random.default_rng(0).normal(size=2**BITS)).astype("float32")
LOGITS = np.array([0.5, -0.3, 0.1, -0.8], "float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype("float64")))


def costs_of(codes):
    return COSTS[np.asarray(codes) @ 2 ** np.arange(BITS - 1, -1, -1)]


def drawn_gradients(shape, **options):
    layer, logits = AugmentReinforceMerge(seed=0, **options), tf.Variable(np.tile(LOGITS, (*shape, 1)))
    codes, uniform = layer.draw(logits)
    costs = costs_of(codes)
    with tf.GradientTape() as tape:
        surrogate = layer(costs, logits, uniform)
        loss = tf.reduce_sum(surrogate)
    np.testing.assert_allclose(surrogate, costs.mean(axis=0), rtol=1e-6)
    return codes.numpy(), tape.gradient(loss, logits).numpy().reshape(-1, BITS)


@pytest.mark.parametrize("rao_blackwell", [False, True])
@pytest.mark.parametrize("shape", [(20_000,), (4, 5_000)], ids=["batch", "samples_batch"])
def test_estimate_is_unbiased(shape, rao_blackwell):
    p = sigmoid(LOGITS)
    q = np.prod(np.where(ALL == 1, p, 1 - p), axis=1)
    _, drawn = drawn_gradients(shape, rao_blackwell=rao_blackwell)
    errors = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert (np.abs(drawn.mean(axis=0) - (q * COSTS) @ (ALL - p)) < 4.5 * errors).all()


def test_both_samples_have_the_probabilities_of_the_bits():
    codes, _ = drawn_gradients((20_000,))
    for one in codes:
        np.testing.assert_allclose(one.mean(axis=0), sigmoid(LOGITS), atol=4.5 * 0.5 / np.sqrt(20_000))
    # antithetic: a bit is 1 in both only if its probability exceeds a half
    both = (codes[0] & codes[1]).mean(axis=0)
    np.testing.assert_allclose(both, np.maximum(2 * sigmoid(LOGITS) - 1, 0), atol=0.02)


def test_variance_is_below_that_of_the_score_function():
    _, drawn = drawn_gradients((20_000,))
    bits = (np.random.default_rng(0).random((1, 20_000, BITS)) < sigmoid(LOGITS)).astype("float32")
    logits = tf.Variable(np.tile(LOGITS, (20_000, 1)))
    with tf.GradientTape() as tape:
        log_probs = tf.reduce_sum(bits * logits - tf.nn.softplus(logits), axis=-1)
        loss = tf.reduce_sum(ScoreFunction(None)(costs_of(bits.astype(int)), log_probs))
    plain = tape.gradient(loss, logits).numpy()
    assert drawn.var(axis=0).sum() < 0.5 * plain.var(axis=0).sum()
    _, better = drawn_gradients((20_000,), rao_blackwell=True)
    assert better.var(axis=0).sum() < 0.95 * drawn.var(axis=0).sum()


def test_losses_are_differentiated_by_their_own_parameters():
    layer, weight = AugmentReinforceMerge(seed=0), tf.Variable(2.0)
    codes, uniform = layer.draw(tf.zeros((3, BITS)))
    with tf.GradientTape() as tape:
        losses = weight * tf.reduce_sum(tf.cast(codes, "float32"), axis=-1)
        loss = tf.reduce_sum(layer(losses, tf.zeros((3, BITS)), uniform))
    assert float(tape.gradient(loss, weight)) == pytest.approx(codes.numpy().sum() / 2)


def test_several_axes_of_bits_are_one_code():
    layer, logits = AugmentReinforceMerge(seed=0), tf.zeros((2, 3, BITS))
    codes, uniform = layer.draw(logits)
    assert codes.shape == (2, 2, 3, BITS)
    assert layer(tf.reduce_sum(tf.cast(codes, "float32"), axis=(2, 3)), logits, uniform).shape == (2,)


def test_config_comes_back():
    layer = AugmentReinforceMerge(rao_blackwell=True, seed=4)
    assert AugmentReinforceMerge.from_config(layer.get_config()).get_config() == layer.get_config()
