"""Encoding of whole data sets."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # one trace for batches of any size, and tf.data

from keras_ae.errors import InputError
from keras_ae.ops.sequences import mask_of, zero_padding


def encode_batches(encoder: Any, data: Any, *, batch_size: int = 256) -> np.ndarray:
    """Return the float embedding of every example, `(examples, ...)`.

    Args:
        encoder: a model of this package (its `embed` is used), any `keras.Model` or layer
            (called with `training=False`), or any function from a batch to an array.
        data: an array; a dict of arrays such as `{"x":, "lengths":}`; a list of strings; a
            batched `tf.data.Dataset`, a `keras.utils.PyDataset` or another iterable of
            batches. Only `x` is used of batches `(x, y)` and `(x, y, sample_weight)`.
        batch_size: number of examples per batch, if `data` is not batched already.

    Returns:
        float32 `(examples, ...)` in the order of `data`, with the axes of the embedding. Batches of
        sequences with different padded lengths are padded with zeros to the longest. Frames that the
        mask of the encoder marks as padding are set to zero. Several outputs (such as two levels of
        codes) are flattened and concatenated to `(examples, features)`.

    Raises:
        InputError: `encoder` is not an encoder, there are no examples, the batches are infinite, or
            the shapes of embeddings differ in more than their lengths.

    Example:

    >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    >>> encode_batches(encoder, np.ones((5, 8)), batch_size=2).shape
    (5, 2)
    >>> encode_batches(lambda x: x[:, :3], {"x": np.ones((5, 8))}["x"]).shape
    (5, 3)
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1. Received: {batch_size=}")
    function = batch_function(encoder)
    parts = [_as_array(function(batch)) for batch in _batches(data, batch_size)]
    if not parts:
        raise InputError("data must contain at least one example. Received: none")
    return _joined(parts)


def batch_function(encoder: Any) -> Callable:
    """Return the function of a batch that `encode_batches` applies; Keras models are traced.

    Raises:
        InputError: `encoder` is not an encoder.
    """
    if not callable(getattr(encoder, "embed", encoder)):
        raise InputError(
            "encoder must be a model with `embed`, a keras.Model, or a function of a batch. "
            f"Received: {type(encoder).__name__}"
        )
    if not isinstance(encoder, keras.Layer):
        return getattr(encoder, "embed", encoder)
    eager = getattr(encoder, "embed", None) or (lambda x: encoder(x, training=False))
    if getattr(encoder, "run_eagerly", False):
        return lambda x: _without_padding(eager(x))
    traced = tf.function(lambda x: _without_padding(eager(x)), reduce_retracing=True)
    # variables cannot be created in a second trace, so a model that is not built yet runs eagerly first
    return lambda x: traced(_tensors(x)) if encoder.built else _without_padding(eager(x))


def _tensors(batch):
    return keras.tree.map_structure(tf.convert_to_tensor, batch)


def _without_padding(embedding):
    """Set padded frames to zero, if the encoder returns a mask."""
    return keras.tree.map_structure(lambda tensor: zero_padding(tensor, mask_of(tensor)), embedding)


def _batches(data, batch_size):
    if isinstance(data, tf.data.Dataset) and data.cardinality() == tf.data.INFINITE_CARDINALITY:
        raise InputError(
            "data must have a finite length. Received: an infinite tf.data.Dataset. Use data.take(n)."
        )
    if isinstance(data, keras.utils.PyDataset):
        data = map(data.__getitem__, range(len(data)))
    elif isinstance(data, (dict, list)) or hasattr(data, "shape"):
        return _slices(data, batch_size)
    if not hasattr(data, "__iter__") or isinstance(data, (str, bytes)):
        raise InputError(
            "data must be an array, a dict of arrays, a list of strings, a tf.data.Dataset or another "
            f"iterable of batches. Received: {type(data).__name__}"
        )
    return (keras.utils.unpack_x_y_sample_weight(batch)[0] for batch in data)


def _slices(data, batch_size):
    single = not isinstance(data, dict)
    parts = {name: _array(part) for name, part in ({"x": data} if single else data).items()}
    lengths = {len(part) for part in parts.values()}
    if len(lengths) != 1:
        raise InputError(
            f"All arrays of data must have one entry per example. Received: {sorted(lengths)} entries"
        )
    for start in range(0, lengths.pop(), batch_size):
        batch = {name: _cut(part, slice(start, start + batch_size)) for name, part in parts.items()}
        yield batch["x"] if single else batch


def _array(part):
    if hasattr(part, "shape"):  # the array may be on disk: only its slices are read
        return part
    try:
        return np.asarray(part)
    except ValueError as error:
        raise InputError(
            f"All examples must have the same shape. Received: a list of several shapes ({error}). Pad "
            'sequences to one length and pass {"x":, "lengths":}, or pass batches.'
        ) from error


def _cut(array, rows):
    part = array[rows]
    text = isinstance(part, np.ndarray) and part.dtype.kind in "USO"
    return tf.constant(part.tolist()) if text else part


def _as_array(embedding):
    parts = [np.asarray(part, "float32") for part in keras.tree.flatten(embedding)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1)


def _joined(parts):
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) == 1:
        return np.concatenate(parts)
    longest = tuple(np.max([list(shape[:1]) for shape in shapes], axis=0))
    longest = longest if min(map(len, shapes)) > 1 else ()
    if len({shape[1:] for shape in shapes}) > 1 or not longest:
        raise InputError(
            "All embeddings must have the same shape, up to the length of sequences. "
            f"Received: {sorted(shapes, key=str)}. Pool them, or encode batches of one size."
        )
    fill = [[(0, 0), (0, longest[0] - part.shape[1]), *[(0, 0)] * (part.ndim - 2)] for part in parts]
    return np.concatenate([np.pad(part, width) for part, width in zip(parts, fill, strict=True)])
