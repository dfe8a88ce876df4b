"""Neighbours against all distances written out."""

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation import knn, nearest_neighbours

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(40, 3))
QUERIES = RNG.normal(size=(6, 3))


def distances(a, b, metric):
    if metric == "cosine":
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        return 1 - a @ b.T
    return np.linalg.norm(a[:, None] - b[None], axis=-1)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_neighbours_are_those_of_all_distances(metric):
    every = distances(QUERIES, Z, metric)
    indices, found = nearest_neighbours(Z, QUERIES, 4, metric=metric)
    np.testing.assert_array_equal(indices, np.argsort(every, axis=1)[:, :4])
    # 1 - cos cancels to some 1e-16
    np.testing.assert_allclose(found, np.sort(every, axis=1)[:, :4], atol=1e-12)


def test_a_row_is_not_its_own_neighbour_even_among_duplicates():
    z = np.array([[0.0], [0.0], [0.0], [1.0], [5.0]])
    indices, found = nearest_neighbours(z, [0, 3], k=2)
    assert set(indices[0]) == {1, 2} and found[0].tolist() == [0.0, 0.0]
    assert found[1].tolist() == [1.0, 1.0] and 3 not in indices[1]
    indices, found = nearest_neighbours(np.zeros((5, 2)), np.arange(5), k=1)
    assert (indices[:, 0] != np.arange(5)).all()


def test_knn_is_the_vote_of_the_nearest():
    y = np.array(list("abc"))[RNG.integers(0, 3, 40)]
    test = (QUERIES, np.array(list("abcabc")))
    nearest = y[np.argsort(distances(QUERIES, Z, "euclidean"), axis=1)[:, 0]]
    result = knn(Z, y, test=test, k=1)
    assert result["accuracy"] == np.mean(nearest == test[1])
    assert (result["n_train"], result["n_test"], result["k"]) == (40, 6, 1)
    # two of one class outvote the nearest of another, a tie goes to the nearest
    line, labels = np.array([[0.0], [1.0], [1.1]]), np.array([0, 1, 1])
    assert knn(line, labels, test=(np.array([[0.1]]), np.array([1])), k=3)["accuracy"] == 1.0
    assert knn(line, labels, test=(np.array([[0.1]]), np.array([0])), k=2)["accuracy"] == 1.0


def test_knn_of_clusters_and_of_noise():
    y = np.arange(120) % 3
    assert knn(y[:, None] + 0.1 * RNG.normal(size=(120, 1)), y)["accuracy"] > 0.95
    assert knn(RNG.normal(size=(120, 1)), y)["interval"][0] < 1 / 3


def test_groups_are_kept_apart():
    groups = np.repeat(np.arange(10), 12)
    z = RNG.normal(size=(10, 4))[groups]  # examples of a group coincide
    y = groups % 2
    assert knn(z, y)["accuracy"] == 1.0
    assert knn(z, y, groups=groups)["accuracy"] < 1.0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: nearest_neighbours(Z, QUERIES, 41), "1 to 40"),
        (lambda: nearest_neighbours(Z, [0], 40), "1 to 39"),
        (lambda: nearest_neighbours(Z, [40], 1), "0 to 39"),
        (lambda: nearest_neighbours(Z, QUERIES[:, :2], 1), "3 features"),
        (lambda: nearest_neighbours(Z, QUERIES, 1, metric="hamming"), "euclidean, cosine"),
        (lambda: knn(Z, np.ones(40)), "classes"),
        (lambda: knn(Z, np.arange(40) % 2, k=31), "1 to 30"),
        (lambda: knn(Z, np.arange(39) % 2), "one entry per example"),
    ],
)
def test_what_cannot_be_searched_is_said(call, message):
    with pytest.raises(InputError, match=message):
        call()
