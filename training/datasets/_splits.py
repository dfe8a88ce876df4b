"""Splits into training, validation and test examples, and conversion of labels to class numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_ae.errors import InputError


def draw_splits(
    official: np.ndarray | None, groups: np.ndarray | None, fractions: dict[str, float], seed: int
) -> dict[str, np.ndarray]:
    """Return the rows of each split, in ascending order, so that files are read in order.

    A split that the source provides is used unchanged. The other splits are drawn from the training
    examples, one after the other. Whole groups are drawn: the share of the groups given in
    `fractions`, at least one group.

    Args:
        official: name of each example's split, `(examples,)`; `None`: all are for training.
        groups: int `(examples,)`, group of each example; a group is never divided between drawn splits.
        fractions: shares of the splits other than "train", in the order of drawing.
        seed: seed of the draws.

    Returns:
        `{"train": rows, ...}`.

    Raises:
        InputError: there are too few groups, or they are unknown.

    Example:

    >>> rows = draw_splits(None, np.arange(10), {"test": 0.2, "validation": 0.1}, seed=0)
    >>> {name: len(chosen) for name, chosen in rows.items()}
    {'train': 7, 'test': 2, 'validation': 1}
    """
    if groups is None:
        raise InputError(
            "Each utterance must have a speaker for a split by speaker. Received: no speakers; split by "
            "utterance."
        )
    official = np.full(len(groups), "train") if official is None else np.asarray(official)
    rows = {"train": np.flatnonzero(official == "train")}
    if not len(rows["train"]):
        raise InputError(
            f"The data must contain examples for training. Received: {_counts(official)}; assign some of "
            "them to train, or leave out the splits to draw them at random."
        )
    for number, (name, fraction) in enumerate(fractions.items()):
        if name in official:
            rows[name] = np.flatnonzero(official == name)
        else:
            rows["train"], rows[name] = _draw(rows["train"], groups, fraction, (seed, number))
    return rows


def _counts(official):
    names, counts = np.unique(official, return_counts=True)
    return ", ".join(f"{count} for {name}" for name, count in zip(names, counts, strict=True)) or "none"


def _draw(rows, groups, fraction, seed):
    """Return the rows that remain and the rows held out."""
    present = np.unique(groups[rows])
    count = max(1, round(len(present) * fraction)) if fraction else 0
    if count >= len(present) and count:
        raise InputError(
            "The data must suffice to hold some out for test and validation. "
            f"Received: only {len(present)} left to split; add more."
        )
    held_out = np.random.default_rng(seed).permutation(present)[:count]
    chosen = np.isin(groups[rows], held_out)
    return rows[~chosen], rows[chosen]


def class_numbers(
    labels: Mapping[str, np.ndarray], class_names: Sequence[str] | None = None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Return labels of any kind as class numbers 0, 1, ..., the same for all parts, and the class names.

    Labels that are already indices into `class_names` are kept. White space around names is removed.

    Example:

    >>> numbers, names = class_numbers({"train": np.array(["b", "a"]), "test": np.array(["b"])})
    >>> numbers["train"].tolist(), numbers["test"].tolist(), names
    ([1, 0], [1], ('a', 'b'))

    Raises:
        InputError: `class_names` are given and a label is not an index into them; a name is empty.
    """
    if not labels:
        return {}, ()
    labels = {part: _stripped(part, np.asarray(values)) for part, values in labels.items()}
    together = np.concatenate(list(labels.values()))
    if class_names is not None and together.dtype.kind in "iu":
        if together.min() < 0 or together.max() >= len(class_names):
            raise InputError(
                f"Labels must be indices of the {len(class_names)} class names. "
                f"Received: labels from {together.min()} to {together.max()}"
            )
        return {part: values.astype("int64") for part, values in labels.items()}, tuple(class_names)
    classes, numbers = np.unique(together, return_inverse=True)
    ends = np.cumsum([len(values) for values in labels.values()])[:-1]
    parts = np.split(numbers.reshape(-1).astype("int64"), ends)
    return dict(zip(labels, parts, strict=True)), tuple(map(str, classes.tolist()))


def _stripped(part, values):
    if values.dtype.kind != "U":
        return values
    names = np.char.strip(values)
    empty = np.flatnonzero(names == "")
    if len(empty):
        raise InputError(
            f"Labels must not be empty. Received: {len(empty)} empty, the first in row {empty[0]} of {part} "
            "(the first row is 0); name them, or leave out the rows."
        )
    return names
