"""Codes, labels and other integers of a known range, the same on every device."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError


def integers_in(name, values, num_values, least=0):
    """Return `values` as int32, each from `least` to `num_values - 1`.

    The effect of others depends on the device: a CPU raises an error in the middle of a graph or reads
    another row, a GPU returns zeros. Eager values are refused; in a graph, where no error can be raised
    on every device, they are clamped to the range.

    Args:
        name: of the argument, for the message.
        values: array or tensor of integers; whole numbers of a float dtype are accepted too.
        num_values: number of values; `None`: unknown, all are accepted.
        least: the smallest.

    Raises:
        InputError: eager values that are out of range, or not integers.

    Example:

    >>> integers_in("codes", [0, 3, 1], 4).numpy().tolist()
    [0, 3, 1]
    """
    values = ops.convert_to_tensor(values)
    if num_values is None:
        return ops.cast(values, "int32")
    if is_eager(values):
        check_integers(name, values, num_values, least)
        return ops.cast(values, "int32")
    values = ops.minimum(ops.maximum(values, _cast(least, values)), _cast(num_values - 1, values))
    return ops.cast(values, "int32")


def check_integers(name, values, num_values, least=0):
    """Raise `InputError` unless all `values` are integers from `least` to `num_values - 1`.

    With `num_values=None` any integers are accepted, such as labels that are only compared.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and not (array == np.floor(array)).all()):
        raise InputError(f"{name} must be integers. Received: dtype {array.dtype}, {_shown(array)}")
    if num_values is not None and array.size and (array.min() < least or array.max() >= num_values):
        raise InputError(
            f"{name} must be from {least} to {num_values - 1}. "
            f"Received: {name} from {array.min()} to {array.max()}"
        )


def embedding_rows(model) -> int | None:
    """Return the number of rows of the `Embedding` layer that reads an input of a functional model.

    The integer input, such as a speaker, has this number of values. `None`: there is no such layer.
    """
    inputs = {id(tensor) for tensor in getattr(model, "inputs", None) or ()}
    tables = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)] if inputs else []
    rows = [
        table.input_dim
        for table in tables
        if any(id(tensor) in inputs for node in table._inbound_nodes for tensor in node.input_tensors)
    ]
    return min(rows, default=None)


def is_eager(values) -> bool:
    """Return whether the values of a tensor are available now."""
    return tf.executing_eagerly() and not isinstance(values, keras.KerasTensor) and hasattr(values, "numpy")


def _cast(number, like):
    """`number` in the dtype of `like`, within its range."""
    dtype = tf.as_dtype(like.dtype)
    return ops.cast(max(dtype.min, min(number, dtype.max)) if dtype.is_integer else number, like.dtype)


def _shown(array):
    fractions = array[array != np.floor(array)] if array.dtype.kind == "f" else array
    return ", ".join(str(value) for value in fractions.reshape(-1)[:3])
