import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import GumbelOneHot
from keras_ae.losses import (
    bernoulli_kl,
    bernoulli_log_prob,
    categorical_kl,
    categorical_log_prob,
    relaxed_bernoulli_log_prob,
    relaxed_categorical_log_prob,
)
from keras_ae.losses.divergences import bernoulli_entropy, categorical_kl_to_uniform

TOLERANCE = {"rtol": 2e-5, "atol": 1e-5}  # float32 on both sides


def normal(shape, seed=0, scale=2.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype("float32")


def test_divergences_are_those_of_tensorflow_probability(tfd):
    x, prior = normal((3, 4, 5)), normal((4, 5), seed=1)
    categorical = tfd.kl_divergence(tfd.Categorical(logits=x), tfd.Categorical(logits=prior))
    np.testing.assert_allclose(categorical_kl(x, prior), categorical, **TOLERANCE)
    bernoulli = tfd.kl_divergence(tfd.Bernoulli(logits=x), tfd.Bernoulli(logits=prior))
    np.testing.assert_allclose(bernoulli_kl(x, prior), bernoulli, **TOLERANCE)


def test_log_probabilities_are_those_of_tensorflow_probability(tfd):
    x = normal((3, 5))
    one_hot = np.eye(5, dtype="float32")[[4, 0, 2]]
    expected = tfd.OneHotCategorical(logits=x).log_prob(one_hot)
    np.testing.assert_allclose(categorical_log_prob(x, one_hot), expected, **TOLERANCE)
    bits = (normal((3, 5), seed=1) > 0).astype("float32")
    np.testing.assert_allclose(
        bernoulli_log_prob(x, bits), tfd.Bernoulli(logits=x).log_prob(bits), **TOLERANCE
    )


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_densities_of_relaxed_samples_are_those_of_tensorflow_probability(temperature, tfd):
    x, scores = normal((4, 5)), normal((4, 5), seed=1)
    log_sample = tf.nn.log_softmax(scores)
    theirs = tfd.RelaxedOneHotCategorical(temperature, logits=x).log_prob(tf.exp(log_sample))
    np.testing.assert_allclose(relaxed_categorical_log_prob(x, log_sample, temperature), theirs, rtol=1e-4)
    theirs = tfd.RelaxedBernoulli(temperature, logits=x).log_prob(tf.sigmoid(scores))
    np.testing.assert_allclose(
        relaxed_bernoulli_log_prob(x, scores, temperature), theirs, rtol=1e-4, atol=1e-4
    )


def test_extreme_logits_stay_finite_with_their_gradients():
    x = tf.constant([[1e4, -1e4, 0.0]])
    log_sample = tf.nn.log_softmax(x / 0.01)
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = [
            categorical_kl(x, tf.zeros(3)),
            bernoulli_kl(x, tf.zeros(3)),
            bernoulli_log_prob(x, tf.ones(3)),
            relaxed_categorical_log_prob(x, log_sample, 0.01),
            relaxed_bernoulli_log_prob(x, x / 0.01, 0.01),
        ]
        total = tf.add_n([tf.reduce_sum(value) for value in values])
    assert all(np.isfinite(value).all() for value in values)
    assert np.isfinite(tape.gradient(total, x)).all()
    assert float(bernoulli_kl(x, tf.zeros(3))[0, 0]) == pytest.approx(np.log(2), rel=1e-5)


FORBIDDEN = np.array([0.0, 0.0, -np.inf], "float32")


def test_forbidden_classes_add_nothing_to_a_divergence_or_a_log_probability():
    uniform = np.zeros(3, "float32")
    assert float(categorical_kl(FORBIDDEN, uniform)) == pytest.approx(np.log(1.5), abs=1e-6)  # 0.4055
    assert float(categorical_kl(FORBIDDEN, FORBIDDEN)) == 0.0
    assert float(categorical_kl(uniform, FORBIDDEN)) == np.inf
    assert float(categorical_kl_to_uniform(FORBIDDEN)) == pytest.approx(np.log(1.5), abs=1e-6)
    log_probs = categorical_log_prob(FORBIDDEN, np.eye(3, dtype="float32"))
    np.testing.assert_allclose(log_probs, [-np.log(2), -np.log(2), -np.inf], atol=1e-6)


def test_certain_bits_add_nothing_to_a_divergence_or_a_log_probability():
    logits, prior = np.float32([-np.inf, np.inf, 0.5]), np.float32([0.3, 0.3, 0.5])
    expected = [np.log1p(np.exp(0.3)), np.log1p(np.exp(-0.3)), 0.0]
    np.testing.assert_allclose(bernoulli_kl(logits, prior), expected, atol=1e-6)
    np.testing.assert_array_equal(bernoulli_kl(logits[:2], logits[:2]), [0, 0])
    np.testing.assert_array_equal(bernoulli_kl(prior[:1], logits[:1]), [np.inf])
    certain = np.float32([-np.inf, -np.inf, np.inf, np.inf])
    found = bernoulli_log_prob(certain, np.float32([0, 1, 0, 1]))
    np.testing.assert_array_equal(found, [0, -np.inf, -np.inf, 0])
    np.testing.assert_array_equal(bernoulli_entropy(certain), np.zeros(4))


def test_the_density_of_a_relaxed_sample_with_a_forbidden_class_is_that_of_the_others():
    x, scores = normal((4, 3)), normal((4, 3), seed=1)
    log_sample = tf.nn.log_softmax(scores)
    expected = relaxed_categorical_log_prob(x, log_sample, 0.7)
    wider = np.concatenate([x, np.full((4, 1), -np.inf, "float32")], axis=1)
    sample = tf.concat([log_sample, tf.fill((4, 1), -np.inf)], axis=1)
    np.testing.assert_allclose(relaxed_categorical_log_prob(wider, sample, 0.7), expected, rtol=1e-5)


def test_the_density_of_a_relaxed_bit_that_is_certain_adds_nothing():
    logits, sample = np.float32([-np.inf, -np.inf, np.inf, np.inf]), np.float32([-np.inf, 0.3, 0.3, np.inf])
    found = relaxed_bernoulli_log_prob(logits, sample, 0.7)
    np.testing.assert_array_equal(found, [0.0, -np.inf, -np.inf, 0.0])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: categorical_kl(x, np.zeros(3, "float32")),
        lambda x: categorical_log_prob(x, np.float32([1, 0, 0])),
        lambda x: categorical_kl_to_uniform(x),
        lambda x: bernoulli_kl(x, np.zeros(3, "float32")),
        lambda x: bernoulli_log_prob(x, np.float32([1, 0, 0])),
        lambda x: bernoulli_entropy(x),
    ],
)
def test_gradients_at_infinite_logits_are_finite(function):
    x = tf.constant([0.3, -0.2, -np.inf])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(function(x))
    gradient = tape.gradient(y, x).numpy()
    assert np.isfinite(gradient).all() and gradient[2] == 0 and np.any(gradient[:2])


def test_a_bottleneck_of_logits_with_forbidden_classes_trains():
    layer = GumbelOneHot(kl_weight=0.5, estimator="reinmax", seed=0)
    x = tf.constant(np.where(np.arange(4) == 1, -np.inf, normal((6, 4))), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        embedding, codes = layer(x, training=True, return_codes=True)
        loss = tf.reduce_sum(embedding**2) + tf.add_n(layer.losses)
    assert np.isfinite(loss) and np.isfinite(tape.gradient(loss, x)).all()
    assert 1 not in np.asarray(codes) and 1 not in np.asarray(layer.encode(x))
    assert np.isfinite(layer.margin(np.where(np.arange(4) == 1, 0.0, np.float32(-np.inf))[None])).all()
