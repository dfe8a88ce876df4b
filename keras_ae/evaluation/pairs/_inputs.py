"""Inputs of pair discrimination: checks, and feature networks for images, sequences and vectors."""

import math
import random
import re
import warnings
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError, check_finite
from keras_ae.evaluation._checks import check_lengths, describe
from keras_ae.layers.masked.masked_conv1d import MaskedConv1D
from keras_ae.ops.sequences import mask_of, sequence_mask, zero_padding

FILTERS = 32
TOKEN_DIM = 64


class InputFeatures:
    """Features `f(x)`, `(batch, ...)` -> `(batch, features)`, by a freshly initialised copy of a network.

    Args:
        inputs: `as_inputs` of the training examples, which determine shapes and statistics.
        network: a `keras.Model` or layer, applied to the unscaled `x`, with a mask if there are
            lengths; `None`: a network chosen by the shape of `x`, applied to the standardised `x`.
    """

    def __init__(self, inputs, network=None):
        self.statistics, self.embedding, self.vocabulary = [], None, None
        shape = inputs["x"].shape[1:]
        if network is not None:
            self.network = _copy(network)
        elif is_tokens(inputs):
            self.vocabulary = int(inputs["x"].max()) + 1  # larger numbers share the last embedding
            self.embedding = keras.layers.Embedding(self.vocabulary + 1, TOKEN_DIM, dtype="float32")
            self.network = default_network((None, TOKEN_DIM))
        else:
            self.statistics = [tf.Variable(part, trainable=False) for part in input_statistics(inputs)]
            self.network = default_network(shape)
        self({name: tf.constant(values[:2]) for name, values in inputs.items()})  # builds

    def __call__(self, inputs, training=False):
        x = inputs["x"]
        mask = sequence_mask(inputs["lengths"], ops.shape(x)[1]) if "lengths" in inputs else None
        x = self._prepared(x)
        if self.network is not None:
            x = _called(self.network, x, mask, training)
            mask = mask_of(x)
        return ops.cast(_pooled(x, mask), "float32")

    @property
    def trainable_variables(self):
        """Variables that the optimiser updates."""
        return [variable for layer in self._layers() for variable in layer.trainable_variables]

    @property
    def variables(self):
        """All variables, including statistics."""
        return [*self.statistics, *(variable for layer in self._layers() for variable in layer.variables)]

    def _layers(self):
        return [layer for layer in (self.embedding, self.network) if layer is not None]

    def _prepared(self, x):
        if self.embedding is not None:
            return self.embedding(ops.minimum(ops.cast(x, "int32"), self.vocabulary))
        if not self.statistics:
            return x  # unscaled, for the user's network
        mean, deviation = self.statistics
        return ops.clip((ops.cast(x, "float32") - mean) / deviation, -CLIP, CLIP)


@contextmanager
def seeded(seed):
    """Seed Python's generator, from which Keras draws the seeds of weights and dropout, and restore it."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


def default_network(shape):
    """Return a network for inputs of `shape` (without the batch axis), or `None` for vectors."""
    layers = keras.layers
    if len(shape) == 1:
        return None
    inputs = keras.Input((None, *shape[1:]) if len(shape) == 2 else shape)
    if len(shape) == 2:
        return keras.Model(inputs, _convolutions(MaskedConv1D, (1, 2), inputs, padding="same"))
    kind = {3: layers.Conv2D, 4: layers.Conv3D}.get(len(shape))
    if kind is None:
        raise InputError(
            "Without network, each example of x must be a vector, a sequence (length, features), an image "
            f"(height, width, channels) or a volume. Received: examples of shape {tuple(shape)}. "
            "Pass network=, a Keras model from x to features."
        )
    last = {"padding": "same", "data_format": "channels_last"}
    return keras.Model(inputs, _convolutions(kind, (2, 2), inputs, **last))


def _convolutions(kind, strides, x, **options):
    for level, stride in enumerate(strides):
        filters = FILTERS * 2 ** min(level, 1)
        x = kind(filters, 3, strides=stride, activation="relu", dtype="float32", **options)(x)
    return x


def _copy(network):
    """Return the same network with newly initialised weights."""
    try:
        return type(network).from_config(network.get_config())
    except Exception as error:
        raise InputError(
            "network must be a keras.Model or layer that get_config and from_config can rebuild, since "
            f"every training starts from fresh weights. Received: {type(network).__name__} ({error})"
        ) from error


def _called(network, x, mask, training):
    if mask is None:
        return network(x, training=training)
    with warnings.catch_warnings():
        # Keras warns about every functional model whose output has no mask
        warnings.filterwarnings("ignore", message=f"Layer '{re.escape(network.name)}' .of type")
        return network(x, mask=mask, training=training)


def _pooled(x, mask):
    """Pool sequences to the mean and the maximum over real frames; flatten other arrays."""
    if len(x.shape) != 3:
        return ops.reshape(x, (-1, math.prod(x.shape[1:])))
    if mask is None:
        return ops.concatenate([ops.mean(x, axis=1), ops.max(x, axis=1)], axis=-1)
    real = ops.expand_dims(ops.cast(mask, "float32"), -1)
    mean = ops.sum(zero_padding(x, mask), axis=1) / ops.maximum(ops.sum(real, axis=1), 1.0)
    largest = ops.max(ops.where(real > 0, x, ops.full_like(x, -1e9)), axis=1)
    return ops.concatenate([mean, largest], axis=-1)


MOST_FOR_STATISTICS = 10_000  # largest number of examples for the mean and standard deviation
ONE_SCALE = 10.0  # largest ratio of the largest to the median deviation for features of one scale
CLIP = 10.0  # in standard deviations; a pixel that is lit once in 1,000 images would be at 30


def as_inputs(x) -> dict[str, np.ndarray]:
    """Return `{"x": (examples, ...)}`, with `"lengths"` `(examples,)` for padded sequences.

    Padded frames are set to zero.

    Raises:
        InputError: `x` is not numeric, is a dict with other keys, has lengths that do not fit, or has
            values that are not finite.

    Example:

    >>> inputs = as_inputs({"x": np.ones((2, 3, 1)), "lengths": [1, 3]})
    >>> inputs["x"][..., 0].tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    parts = x if isinstance(x, dict) else {"x": x}
    if "x" not in parts or set(parts) - {"x", "lengths"}:
        raise InputError(
            'x must be an array or a dict {"x": array, "lengths": (examples,)}. '
            f"Received: a dict of {', '.join(map(str, parts)) or 'nothing'}"
        )
    values = np.asarray(parts["x"])
    if values.dtype.kind not in "fiub" or values.ndim < 1 or not values.size:
        raise InputError(
            "x must be an array of numbers, (examples, ...): vectors, images (height, width, channels), "
            f"sequences (length, features). Received: {describe(values)}"
        )
    values = values[:, None] if values.ndim == 1 else values
    tokens = "lengths" in parts and values.ndim == 2 and values.dtype.kind in "iu"
    if values.dtype != np.uint8:  # uint8 images stay as they are, with a quarter of the memory
        values = values.astype("int32" if tokens else "float32")
    lengths = parts.get("lengths")
    if lengths is None:
        check_finite(values, "x")
        return {"x": values}
    return _padded(values, np.asarray(lengths))


def take(inputs, rows):
    """Return the examples `rows` of the result of `as_inputs`."""
    return {name: values[rows] for name, values in inputs.items()}


def is_tokens(inputs) -> bool:
    """Return whether the inputs are token numbers: integers `(examples, length)` with lengths."""
    values = inputs["x"]
    return "lengths" in inputs and values.ndim == 2 and values.dtype.kind in "iu"


def input_statistics(inputs):
    """Return `(mean, standard deviation)` of each feature of vectors, or of each channel of other inputs.

    Features of about the same scale, such as pixels, share one deviation. Otherwise a pixel that is
    rarely lit would be scaled up, and the discriminator would memorise it.
    """
    values = inputs["x"][:MOST_FOR_STATISTICS].astype("float64")
    if values.ndim == 2:
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        varying = deviation[deviation > 1e-6 * np.abs(mean)]
        if len(varying) and varying.max() <= ONE_SCALE * np.median(varying):
            deviation = np.full_like(deviation, np.sqrt(np.square(deviation).mean()))
    else:
        weights = _frame_weights(inputs)[:MOST_FOR_STATISTICS]
        mean, deviation = _channel_statistics(values, weights)
    constant = deviation <= 1e-6 * np.abs(mean)
    return mean.astype("float32"), np.where(constant, 1.0, deviation).astype("float32")


def _padded(values, lengths):
    check_lengths(x=values, lengths=lengths)
    ok = lengths.ndim == 1 and lengths.dtype.kind in "iu" and values.ndim >= 2
    if not ok or lengths.min() < 1 or lengths.max() > values.shape[1]:
        raise InputError(
            f"lengths must be integers from 1 to the padded length of x, {values.shape[1:2]}. "
            f"Received: {describe(lengths)}" + (f", from {lengths.min()} to {lengths.max()}" if ok else "")
        )
    real = np.arange(values.shape[1]) < lengths[:, None]
    values = np.where(real.reshape(*real.shape, *[1] * (values.ndim - 2)), values, np.zeros((), values.dtype))
    check_finite(values, "x")
    return {"x": values, "lengths": lengths.astype("int32")}


def _frame_weights(inputs):
    """Return weights `(examples, length, 1, ...)`, which are 1 for real frames and 0 for padding."""
    values = inputs["x"]
    shape = (*values.shape[:2], *[1] * (values.ndim - 2))
    if "lengths" not in inputs:
        return np.ones(shape)
    return (np.arange(values.shape[1]) < inputs["lengths"][:, None]).astype("float64").reshape(shape)


def _channel_statistics(values, weights):
    axes = tuple(range(values.ndim - 1))
    count = weights.sum() * np.prod(values.shape[2:-1])
    mean = (values * weights).sum(axis=axes) / count
    return mean, np.sqrt((np.square(values - mean) * weights).sum(axis=axes) / count)
