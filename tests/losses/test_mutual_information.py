"""The estimators of mutual information against loops over pairs, and against closed forms."""

import math

import numpy as np
import pytest
from keras import ops

from keras_ae.losses import donsker_varadhan, info_nce, jensen_shannon_mi

ALL = (jensen_shannon_mi, info_nce, donsker_varadhan)


def softplus(value):
    return math.log1p(math.exp(-abs(value))) + max(value, 0.0)


def by_loops(name, scores, mask, weights):
    """One pair after the other, in Python."""
    count, _, locations = scores.shape
    real = [[k for k in range(locations) if mask[m][k]] for m in range(count)]

    def mean(term, pairs):
        """Over pairs of examples by weight, inside of each over the locations of the second."""
        total = sum(w for w, _, _ in pairs)
        inner = [w * sum(term(n, m, k) for k in real[m]) / len(real[m]) for w, n, m in pairs]
        return sum(inner) / total

    matched = [(weights[n], n, n) for n in range(count)]
    mismatched = [(weights[n] * weights[m], n, m) for n in range(count) for m in range(count) if m != n]
    if name == "jensen_shannon_mi":
        positive = mean(lambda n, m, k: math.log(2) - softplus(-scores[n, m, k]), matched)
        negative = mean(
            lambda n, m, k: softplus(-scores[n, m, k]) + scores[n, m, k] - math.log(2), mismatched
        )
        return negative - positive
    if name == "donsker_varadhan":
        positive = mean(lambda n, m, k: scores[n, m, k], matched)
        return math.log(mean(lambda n, m, k: math.exp(scores[n, m, k]), mismatched)) - positive

    def cross_entropy(n, _, k):
        own = math.exp(scores[n, n, k])
        others = sum(weights[m] * math.exp(scores[n, m, j]) for m in range(count) if m != n for j in real[m])
        return -math.log(own / (own + others))

    return mean(cross_entropy, matched)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    mask = np.arange(3) < np.array([3, 1, 2, 3])[:, None]
    return 2 * rng.standard_normal((4, 4, 3)), mask, np.array([1.0, 0.5, 2.0, 1.0])


@pytest.mark.parametrize("loss", ALL)
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_is_that_of_loops_over_pairs(loss, masked, weighted, batch):
    scores, mask, weights = batch
    given = mask if masked else None, weights if weighted else None
    expected = by_loops(
        loss.__name__, scores, mask if masked else np.ones((4, 3)), weights if weighted else np.ones(4)
    )
    assert float(loss(scores, *given)) == pytest.approx(expected, rel=1e-5)  # float32


@pytest.mark.parametrize("loss", ALL)
def test_padded_locations_and_examples_of_no_weight_do_not_count(loss, batch):
    scores, mask, _ = batch
    weights = np.array([1.0, 1.0, 1.0, 0.0])
    expected = float(loss(scores[:3, :3], mask[:3]))
    garbage = np.where(mask[None], scores, 1e4)
    garbage[3], garbage[:, 3] = -1e4, 1e4
    assert float(loss(garbage, mask, weights)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", ALL)
def test_scores_without_locations_are_those_of_one_location(loss, batch):
    scores = batch[0][:, :, 0]
    assert float(loss(scores)) == pytest.approx(float(loss(scores[:, :, None])))


@pytest.mark.parametrize("loss", ALL)
def test_a_batch_of_one_has_no_mismatched_pair_and_no_loss(loss):
    assert float(loss(np.full((1, 1, 3), 2.0))) == 0.0


@pytest.mark.parametrize("loss", ALL)
def test_gradient_is_finite_under_masks_and_raises_the_matched_scores(loss, batch):
    import tensorflow as tf

    scores, mask, weights = batch
    scores = tf.constant(scores, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        value = loss(scores, mask, weights * [1, 1, 1, 0])
    gradient = tape.gradient(value, scores).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[0, 0] < 0).all() and (gradient[1, 2, :2] > 0).all()
    assert (gradient[3] == 0).all() and (gradient[:, 3] == 0).all() and (gradient[1, 1, 1:] == 0).all()


def test_label_of_many_examples_reaches_the_closed_form():
    """The optimal score of a label of 4 classes: `log 4` within the class, `-infinity` across."""
    labels = np.arange(400) % 4
    same = labels[:, None] == labels[None]
    scores = np.where(same, math.log(4), -50.0)
    closed = math.log(1 + 1 / 4) + math.log(1 + 4) / 4 - 2 * math.log(2)  # L_D* - 2 log 2
    # 99 of 399, not 1 of 4, mismatched pairs are within the class: log 5 times 0.0019
    assert float(jensen_shannon_mi(scores)) == pytest.approx(closed, abs=4e-3)
    assert -float(donsker_varadhan(scores)) == pytest.approx(math.log(4), abs=1e-2)
    assert math.log(400) - float(info_nce(scores)) == pytest.approx(math.log(4), abs=1e-2)


def test_no_information_is_worth_nothing():
    scores = ops.zeros((5, 5, 2))
    assert float(jensen_shannon_mi(scores)) == pytest.approx(0.0, abs=1e-6)
    assert float(donsker_varadhan(scores)) == pytest.approx(0.0, abs=1e-6)
    assert float(info_nce(scores)) == pytest.approx(math.log(1 + 4 * 2), rel=1e-6)
