import numpy as np
import pytest
import tensorflow as tf

from keras_ae.losses import (
    bernoulli_kl,
    bernoulli_log_prob,
    categorical_kl,
    categorical_log_prob,
    relaxed_bernoulli_log_prob,
    relaxed_categorical_log_prob,
)

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
