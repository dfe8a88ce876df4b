"""InfoNCE of one positive against a softmax written out in numpy."""

import numpy as np
import pytest

from keras_ae.losses import contrastive_prediction, prediction_accuracy

RNG = np.random.default_rng(0)
POSITIVE = 3 * RNG.standard_normal((4, 5)).astype("float32")
NEGATIVES = 3 * RNG.standard_normal((4, 5, 7)).astype("float32")
MASK = RNG.random((4, 5, 7)) < 0.6


def softmax_loss(u, v):
    scores = np.exp(np.concatenate([[u], v]).astype("float64"))
    return -np.log(scores[0] / scores.sum())


def test_it_is_the_cross_entropy_of_the_softmax():
    expected = [
        [softmax_loss(u, v) for u, v in zip(*row, strict=True)]
        for row in zip(POSITIVE, NEGATIVES, strict=True)
    ]
    np.testing.assert_allclose(contrastive_prediction(POSITIVE, NEGATIVES), expected, rtol=1e-5)


def test_negatives_under_the_mask_are_as_if_they_were_not_there():
    found = np.asarray(contrastive_prediction(POSITIVE, NEGATIVES, MASK))
    hits = np.asarray(prediction_accuracy(POSITIVE, NEGATIVES, MASK))
    for at in np.ndindex(4, 5):
        there = NEGATIVES[at][MASK[at]]
        assert found[at] == pytest.approx(softmax_loss(POSITIVE[at], there), rel=1e-5)
        assert hits[at] == float((POSITIVE[at] > there).all())


def test_without_any_negative_there_is_nothing_to_tell():
    nothing = np.zeros((4, 5, 7), bool)
    np.testing.assert_array_equal(contrastive_prediction(POSITIVE, NEGATIVES, nothing), 0.0)


def test_equal_scores_give_the_logarithm_of_the_candidates_and_no_hit():
    scores = np.zeros((1, 9), "float32")
    assert float(contrastive_prediction(scores[:, 0], scores[:, 1:])[0]) == pytest.approx(np.log(9), rel=1e-6)
    assert float(prediction_accuracy(scores[:, 0], scores[:, 1:])[0]) == 0.0


def test_large_scores_stay_finite():
    loss = contrastive_prediction(np.float32([1e4, -1e4]), np.float32([[-1e4], [1e4]]))
    np.testing.assert_allclose(loss, [0.0, 2e4])
