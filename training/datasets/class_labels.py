"""Labels as class numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_ae.errors import InputError


def class_numbers(
    labels: Mapping[str, np.ndarray], class_names: Sequence[str] | None = None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Labels of any kind as class numbers 0, 1, ..., the same for all parts, and the names.

    Labels that already number `class_names` stay as they are. White space around names is removed.

    Example:

    >>> numbers, names = class_numbers({"train": np.array(["b", "a"]), "test": np.array(["b"])})
    >>> numbers["train"].tolist(), numbers["test"].tolist(), names
    ([1, 0], [1], ('a', 'b'))

    Raises:
        InputError: `class_names` are given, and a label is beyond them; a name is empty.
    """
    if not labels:
        return {}, ()
    labels = {part: _stripped(part, np.asarray(values)) for part, values in labels.items()}
    together = np.concatenate(list(labels.values()))
    if class_names is not None and together.dtype.kind in "iu":
        if together.min() < 0 or together.max() >= len(class_names):
            raise InputError(
                f"Expected labels that number the {len(class_names)} class names. "
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
