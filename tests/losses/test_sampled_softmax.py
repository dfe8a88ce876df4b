"""The sampled softmax: its draws, and its estimate written out and averaged over all draws."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.losses import log_uniform_log_prob, log_uniform_words, sampled_cross_entropy

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(3, 5)).astype("float32")  # three words to predict, five in the vocabulary
TARGETS = np.array([4, 0, 2])
Q = np.array([0.4, 0.25, 0.15, 0.1, 0.1])


def test_words_are_drawn_as_often_as_said():
    drawn = np.asarray(log_uniform_words(100_000, 40, seed=1))
    assert drawn.min() == 0 and drawn.max() == 39
    expected = np.diff(np.log(np.arange(1, 42))) / np.log(41)
    np.testing.assert_allclose(np.exp(log_uniform_log_prob(np.arange(40), 40)), expected, rtol=1e-5)
    share = np.bincount(drawn, minlength=40) / 100_000
    # five standard deviations of a share
    assert (np.abs(share - expected) < 5 * np.sqrt(expected / 100_000)).all()


def test_the_loss_written_out():
    drawn = np.array([1, 4, 4, 0])
    log_q = np.log(Q).astype("float32")
    true = SCORES[[0, 1, 2], TARGETS]
    found = sampled_cross_entropy(true, log_q[TARGETS], SCORES[:, drawn], log_q[drawn])
    for row, target in enumerate(TARGETS):
        candidates = [np.exp(SCORES[row, k]) / Q[k] for k in (target, *drawn)]
        np.testing.assert_allclose(found[row], -np.log(candidates[0] / sum(candidates)), rtol=1e-5)


@pytest.mark.parametrize("draws", [1, 3])
def test_its_mean_over_all_draws_is_least_at_the_distribution_of_the_words(draws):
    """Each word with its share, each tuple of draws with its probability: the gradient is zero at log p."""
    share = np.array([0.1, 0.2, 0.05, 0.3, 0.35])
    drawn = np.array(list(itertools.product(range(5), repeat=draws)))
    words, drawn = np.repeat(np.arange(5), len(drawn)), np.tile(drawn, (5, 1))
    log_q = np.log(Q).astype("float32")
    weights = share[words] * Q[drawn].prod(axis=1)

    def expected_loss(scores):
        nats = sampled_cross_entropy(
            tf.gather(scores, words), log_q[words], tf.gather(scores, drawn), log_q[drawn]
        )
        return tf.reduce_sum(weights * tf.cast(nats, "float64"))

    gradients = []
    for scores in (np.log(share), np.log(share) + [0.5, 0, 0, 0, 0]):
        scores = tf.constant(scores, "float32")
        with tf.GradientTape() as tape:
            tape.watch(scores)
            loss = expected_loss(scores)
        gradients.append(tf.convert_to_tensor(tape.gradient(loss, scores)).numpy())
    np.testing.assert_allclose(gradients[0], 0, atol=1e-6)
    assert np.abs(gradients[1]).max() > 1e-3
