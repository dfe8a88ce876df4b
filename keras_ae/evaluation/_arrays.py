"""Checks that every measure makes of its arrays."""

import numpy as np

from keras_ae.errors import InputError, check_finite


def as_embedding(z, name="z") -> np.ndarray:
    """An embedding as finite floats `(examples, features)`; further axes are flattened.

    Raises:
        InputError: no numbers, no example, or values that are not finite.

    Example:

    >>> as_embedding(np.zeros((3, 2, 2))).shape
    (3, 4)
    """
    z = np.asarray(z)
    if z.dtype.kind not in "fiub" or z.ndim == 0 or not z.size:
        raise InputError(
            f"{name} is an array of numbers, (examples, ...), with at least one example. "
            f"Received: {describe(z)}. evaluation.encode_batches makes one of an encoder and its data."
        )
    z = z.reshape(len(z), -1)
    z = z if z.dtype.kind == "f" and z.dtype.itemsize >= 4 else z.astype("float32")
    check_finite(z, name)
    return z


def check_lengths(**arrays):
    """Raise `InputError` unless all arrays have the same number of examples."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        received = ", ".join(f"{name} with {length}" for name, length in lengths.items())
        raise InputError(
            f"{' and '.join(lengths)} must have one entry per example, in the same order. "
            f"Received: {received}"
        )


def describe(array) -> str:
    """Shape and type of an array, for errors."""
    return f"shape {array.shape}, {array.dtype}"
