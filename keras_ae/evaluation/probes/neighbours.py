"""Nearest neighbours in an embedding."""

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import InputError, require
from keras_ae.evaluation._checks import as_embedding, check_lengths, wilson_interval
from keras_ae.evaluation.probes.held_out import most_frequent, splits_of
from keras_ae.evaluation.probes.probe import joined_parts

METRICS = ("euclidean", "cosine")


def nearest_neighbours(
    z: ArrayLike, queries: ArrayLike, k: int = 5, *, metric: str = "euclidean"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the `k` embeddings nearest to each query, nearest first.

    Args:
        z: `(examples, ...)`.
        queries: embeddings `(queries, ...)`; or integers `(queries,)`, which are rows of `z`. A
            row is not among its own neighbours.
        k: number of neighbours.
        metric: `"euclidean"` or `"cosine"` (`1 - cos`); features are not scaled.

    Returns:
        `(indices, distances)`, both `(queries, k)`.

    Raises:
        InputError: `queries` have another number of features or rows outside `z`, `k` exceeds the
            number of neighbours, or the metric is unknown.
        ImportError: scikit-learn is not installed.

    Example:

    >>> indices, distances = nearest_neighbours(np.array([[0.0], [1.0], [5.0]]), [0, 2], k=1)
    >>> indices.tolist(), distances.tolist()
    ([[1], [1]], [[1.0], [4.0]])
    """
    z, rows = as_embedding(z), np.asarray(queries)
    by_row = rows.ndim == 1 and rows.dtype.kind in "iu"
    if by_row and len(rows) and not (rows.min() >= 0 and rows.max() < len(z)):
        raise InputError(
            f"queries must be rows of z, 0 to {len(z) - 1}. Received: {rows.min()} to {rows.max()}"
        )
    points = z[rows] if by_row else as_embedding(rows, "queries")
    if points.shape[1] != z.shape[1]:
        raise InputError(f"queries must have {z.shape[1]} features. Received: {points.shape[1]}")
    distances, indices = _search(z, points, k + by_row, k, metric)
    if not by_row:
        return indices, distances
    # the row itself is one of the k + 1 neighbours, unless it has at least k + 1 duplicates
    own = indices == rows[:, None]
    own[~own.any(axis=1), -1] = True
    return indices[~own].reshape(-1, k), distances[~own].reshape(-1, k)


def knn(
    z: ArrayLike,
    y: ArrayLike | list,
    *,
    test: tuple[ArrayLike, ArrayLike | list] | None = None,
    k: int = 5,
    metric: str = "euclidean",
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> dict:
    """Compute the held-out accuracy of the majority class among the `k` nearest training examples.

    Neighbours are not weighted and features are not scaled: the result depends on the distances
    of the embedding only.

    Args:
        z: `(examples, ...)`.
        y: classes `(examples,)`; examples with a missing value (`None`) are left out and counted.
        test: `(z, y)` of the held-out examples; `None`: as in `probe`.
        k: number of neighbours.
        metric: `"euclidean"` or `"cosine"`.
        groups: as in `probe`.
        seed: seed of the split.

    Returns:
        `accuracy`, its 95 % `interval` (Wilson), `majority`, `chance`, `k`, `n_train`, `n_test`,
        `missing` (number of examples left out).

    Raises:
        InputError: as in `probe`; or `y` is floating-point; or `k` exceeds the number of training
            examples.
        ImportError: scikit-learn is not installed.

    Example:

    >>> y = np.arange(100) % 2
    >>> knn(y[:, None] * 1.0, y)["accuracy"]
    1.0

    Reference:
        Cover and Hart, 1967, https://doi.org/10.1109/TIT.1967.1053964.
    """
    z, y, known, test_size = joined_parts(z, y, test, as_embedding)
    if groups is not None and test_size is None:
        groups = np.asarray(groups)
        check_lengths(y=known, groups=groups)
        groups = groups[known]
    classes, numbers = np.unique(y, return_inverse=True)
    if y.dtype.kind == "f" or len(classes) < 2:
        raise InputError(
            "y must contain at least 2 classes (integers or strings). "
            f"Received: {y.dtype} with {len(classes)}"
        )
    splits = splits_of(y, test_size=test_size, groups=groups, seed=seed)
    right, usual = [], []
    for train, held_out in splits:
        _, indices = _search(z[train], z[held_out], k, k, metric)
        right.append(_votes(numbers[train][indices], len(classes)) == numbers[held_out])
        usual.append(most_frequent(y[train]) == y[held_out])
    right, usual = np.concatenate(right), np.concatenate(usual)
    return {
        "accuracy": float(right.mean()),
        "interval": wilson_interval(int(right.sum()), len(right)),
        "majority": float(usual.mean()),
        "chance": 1.0 / len(classes),
        "k": k,
        "n_train": min(len(train) for train, _ in splits),
        "n_test": len(right),
        "missing": int((~known).sum()),
    }


def _search(z, points, number, k, metric):
    """Return `(distances, indices)` of the `number` nearest points."""
    if metric not in METRICS:
        raise InputError(f"metric must be one of {', '.join(METRICS)}. Received: {metric=}")
    if k < 1 or number > len(z):
        raise InputError(
            f"k must be from 1 to {len(z) - (number - k)}, the number of neighbours. Received: {k=}"
        )
    neighbors = require("sklearn.neighbors", extra="evaluation")
    # always brute force, because it is exact and scikit-learn bounds its memory
    return neighbors.NearestNeighbors(metric=metric, algorithm="brute").fit(z).kneighbors(points, number)


def _votes(labels, classes):
    """Return the most frequent label of each row; of equally frequent labels, that of the nearest."""
    counts = np.stack([(labels == number).sum(axis=1) for number in range(classes)], axis=1)
    nearest_first = np.take_along_axis(counts, labels, axis=1)
    return np.take_along_axis(labels, nearest_first.argmax(axis=1)[:, None], axis=1)[:, 0]
