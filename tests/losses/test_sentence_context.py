"""Picking neighbours among candidates, against loops over the sentences."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ae.losses import chance_loss, context_accuracy, context_masks, context_prediction

DOCUMENT = np.array([0, 0, 0, 0, 2, 2, 1, 1], "int32")
POSITION = np.array([3, 4, 5, 6, 0, 1, 9, 11], "int32")
SENTENCE = np.array([0, 1, 2, 3, 1, 2, 4, 3], "int32")  # the 5th is equal to the 2nd, ...
SCORES = np.random.default_rng(0).normal(size=(8, 8)).astype("float32")


def neighbours(i):
    return [
        k for k in range(8) if DOCUMENT[i] == DOCUMENT[k] and abs(int(POSITION[i]) - int(POSITION[k])) == 1
    ]


def candidates(i):
    equal = {SENTENCE[j] for j in neighbours(i)}
    return [k for k in range(8) if k in neighbours(i) or (k != i and SENTENCE[k] not in equal)]


def masks():
    return [np.asarray(mask) for mask in context_masks(DOCUMENT, POSITION, SENTENCE)]


def test_neighbours_are_consecutive_sentences_of_one_document():
    neighbour, part, own = masks()
    assert [np.flatnonzero(row).tolist() for row in neighbour] == [neighbours(i) for i in range(8)]
    assert [neighbours(i) for i in range(8)] == [[1], [0, 2], [1, 3], [2], [5], [4], [], []]
    np.testing.assert_array_equal(own, np.eye(8, dtype=bool))


def test_copies_of_a_neighbour_are_no_negatives():
    _, part, _ = masks()
    assert [np.flatnonzero(row).tolist() for row in part] == [candidates(i) for i in range(8)]
    assert 4 not in candidates(0) and 4 in candidates(3)  # a copy of sentence 1, which is next to 0, not to 3
    _, part, _ = context_masks(DOCUMENT, POSITION)
    np.testing.assert_array_equal(part, ~np.eye(8, dtype=bool))


def test_two_equal_neighbours_are_both_candidates():
    _, part, _ = context_masks(*(np.array(v, "int32") for v in ([0, 0, 0, 1], [0, 1, 2, 0], [5, 6, 5, 5])))
    assert np.flatnonzero(part[1]).tolist() == [0, 2]


def test_some_sentences_among_all():
    """What a replica holds, among the sentences of all replicas."""
    whole = masks()
    everyone = (DOCUMENT, POSITION, SENTENCE)
    part = context_masks(*(values[3:6] for values in everyone), everyone)
    for ours, expected in zip(part, whole, strict=True):
        np.testing.assert_array_equal(ours, expected[3:6])


def test_loss_is_the_cross_entropy_of_the_neighbours():
    neighbour, part, _ = masks()
    expected = []
    for i in range(8):
        total = sum(np.exp(np.float64(SCORES[i, k])) for k in candidates(i))
        terms = [-np.log(np.exp(np.float64(SCORES[i, j])) / total) for j in neighbours(i)]
        expected.append(np.mean(terms) if terms else 0.0)
    np.testing.assert_allclose(context_prediction(SCORES, neighbour, part), expected, rtol=1e-5)


def test_equal_scores_give_the_loss_of_chance():
    neighbour, part, _ = masks()
    has_any = neighbour.any(axis=1)
    losses = np.asarray(context_prediction(np.full((8, 8), 3.0, "float32"), neighbour, part))
    np.testing.assert_allclose(losses[has_any], np.asarray(chance_loss(part))[has_any], rtol=1e-6)
    np.testing.assert_allclose(chance_loss(part), [np.log(len(candidates(i))) for i in range(8)], rtol=1e-6)


def test_accuracy_is_how_often_a_neighbour_is_best():
    neighbour, part, _ = masks()
    scores = SCORES + 1.0 * neighbour
    expected = [max(candidates(i), key=lambda k: scores[i, k]) in neighbours(i) for i in range(8)]
    assert 0 < sum(expected) < 6  # of the sentences that have neighbours
    np.testing.assert_array_equal(context_accuracy(scores, neighbour, part), expected)
    np.testing.assert_array_equal(context_accuracy(np.zeros((8, 8)), neighbour, part), np.zeros(8))


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_no_gradient_reaches_what_takes_no_part(scale):
    import tensorflow as tf

    neighbour, part, _ = masks()
    scores = tf.constant(scale * SCORES)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        loss = ops.sum(context_prediction(scores, neighbour, part))
    gradient = tape.gradient(loss, scores).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[~part].any() and not gradient[6:].any()
    # p - q of each row: both sum to one
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-5)


def test_half_precision_scores():
    neighbour, part, _ = masks()
    half = context_prediction(ops.cast(SCORES, "float16"), neighbour, part)
    assert keras.backend.standardize_dtype(half.dtype) == "float32"
    np.testing.assert_allclose(half, context_prediction(SCORES, neighbour, part), atol=5e-3)
