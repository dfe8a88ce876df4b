"""Which examples are for training, validation and test."""

import numpy as np

from keras_ae.errors import InputError


def draw_splits(
    official: np.ndarray | None, groups: np.ndarray | None, fractions: dict[str, float], seed: int
) -> dict[str, np.ndarray]:
    """The rows of each split; they ascend, so that files are read in order.

    A split that the source has is taken as it is. Another one is drawn from the training
    examples, one after the other: whole groups, of which it gets the share that
    `fractions` says, at least one.

    Args:
        official: name of each example's split; `None`: all are for training.
        groups: int `(examples,)`; examples of one group are never in two drawn splits.
        fractions: shares of the splits besides "train", in the order of drawing.
        seed: of the draws.

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
            "Expected the speaker of each utterance, to split by. Received: none; split by utterance."
        )
    official = np.full(len(groups), "train") if official is None else np.asarray(official)
    rows = {"train": np.flatnonzero(official == "train")}
    if not len(rows["train"]):
        raise InputError(
            f"Data must contain examples for training. Received: {_counts(official)}; name some of them "
            "train, or leave out the splits to have them drawn."
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
    """Rows that stay and rows held out."""
    present = np.unique(groups[rows])
    count = max(1, round(len(present) * fraction)) if fraction else 0
    if count >= len(present) and count:
        raise InputError(
            "Expected enough to hold some out for test and validation. "
            f"Received: {len(present)} left to split; add some."
        )
    held_out = np.random.default_rng(seed).permutation(present)[:count]
    chosen = np.isin(groups[rows], held_out)
    return rows[~chosen], rows[chosen]
