"""Targets of probes, and splits of the examples into a training and a held-out part."""

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import InputError, require
from keras_ae.evaluation._checks import check_lengths, describe
from keras_ae.evaluation._factor_values import as_factor, is_known, known_values

TEST_SHARE = 0.25


def as_target(y: ArrayLike | list, name: str = "y") -> tuple[np.ndarray, np.ndarray]:
    """Return `(known values, where they are known)`; floats become float64.

    Example:

    >>> as_target(["a", None, "b"])[1].tolist()
    [True, False, True]
    """
    values = as_factor(y, name)
    return known_values(values), is_known(values)


def splits_of(
    y: np.ndarray,
    *,
    test_size: int | None = None,
    groups: ArrayLike | None = None,
    folds: int = 5,
    seed: int = 0,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the splits of the examples, `[(training rows, held-out rows), ...]`.

    Args:
        y: target of all examples; training examples come before test examples if `test_size` is given.
        test_size: number of examples at the end that are the test set.
        groups: `(examples,)`; every group is held out in exactly one fold.
        folds: largest number of folds of groups.
        seed: seed of the split.

    Raises:
        InputError: there is a single group, both groups and a test set are given, or lengths differ.
    """
    rows = np.arange(len(y))
    if test_size is not None:
        if groups is not None:
            raise InputError("test and groups must not be given together. Received: both. Omit one of them.")
        return [(rows[:-test_size], rows[-test_size:])]
    if groups is not None:
        return _group_folds(y, np.asarray(groups), folds, seed)
    selection = require("sklearn.model_selection", extra="evaluation")
    stratify = y if y.dtype.kind != "f" and _stratifies(y) else None
    train, held_out = selection.train_test_split(
        rows, test_size=TEST_SHARE, stratify=stratify, random_state=seed
    )
    return [(np.sort(train), np.sort(held_out))]


def check_classes(y: ArrayLike, name: str) -> None:
    """Raise `InputError` unless there are at least two classes."""
    classes = np.unique(y)
    if len(classes) < 2:
        one = f"one class only ({classes[0]})" if len(classes) else "none"
        raise InputError(f"{name} must have at least two classes. Received: {one}.")


def most_frequent(y: ArrayLike) -> int | float | str:
    """Return the most frequent value; of equally frequent values, the first in sorted order.

    Example:

    >>> most_frequent(["b", "a", "b"])
    'b'
    """
    values, counts = np.unique(y, return_counts=True)
    return values[counts.argmax()].item()


def permuted(
    y: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]], groups: np.ndarray | None, seed: int
) -> list[np.ndarray]:
    """Return, for each split, `y` permuted within the training part and within the test part.

    If each group has a single value of `y` (such as all frames of a speaker), the values are
    permuted between whole groups. A probe that can only memorise groups then scores as well as
    with the true `y`.
    """
    generator = np.random.default_rng([seed, 5])
    if groups is not None and any(len(np.unique(y[groups == g])) > 1 for g in np.unique(groups)):
        groups = None
    result = []
    for split in splits:
        shuffled = y.copy()
        for rows in split:
            shuffled[rows] = _shuffled(y[rows], None if groups is None else groups[rows], generator)
        result.append(shuffled)
    return result


def _shuffled(y, groups, generator):
    if groups is None:
        return generator.permutation(y)
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return generator.permutation(y[first])[inverse]


def _group_folds(y, groups, folds, seed):
    check_lengths(y=y, groups=groups)
    number = len(np.unique(groups))
    if groups.ndim != 1 or number < 2 or folds < 2:
        raise InputError(
            "groups must contain one name per example and at least 2 groups, and folds must be at least 2. "
            f"Received: {describe(groups)} with {number} groups, {folds=}"
        )
    selection = require("sklearn.model_selection", extra="evaluation")
    # GroupKFold assigns groups of equal size by the order of their names: randomise the names
    _, numbers = np.unique(groups, return_inverse=True)
    names = np.random.default_rng([seed, 8]).permutation(number)[numbers]
    return list(selection.GroupKFold(min(folds, number)).split(np.zeros(len(y)), y, names))


def _stratifies(y):
    _, counts = np.unique(y, return_counts=True)
    return counts.min() >= 2 and len(counts) <= TEST_SHARE * len(y)
