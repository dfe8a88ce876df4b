"""Labels as class numbers."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_ae.errors import InputError


def class_numbers(
    labels: Mapping[str, np.ndarray], class_names: Sequence[str] | None = None
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Labels of any kind as class numbers 0, 1, ..., the same for all parts, and the names.

    Labels that already number `class_names` stay as they are.

    Example:

    >>> numbers, names = class_numbers({"train": np.array(["b", "a"]), "test": np.array(["b"])})
    >>> numbers["train"].tolist(), numbers["test"].tolist(), names
    ([1, 0], [1], ('a', 'b'))

    Raises:
        InputError: `class_names` are given, and a label is beyond them.
    """
    if not labels:
        return {}, ()
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
