"""Local map of an encoder, and its locations."""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.ops.core import where_counted


def local_encoder(encoder, local):
    """Return a callable from inputs to `(embedding, local map)` that Keras does not track.

    Args:
        encoder: a functional model, or with `local=None` a model with these two outputs.
        local: name of the layer whose output is the local map.

    Raises:
        InputError: the encoder is not functional, or has no such layer.
    """
    if local is None:
        return _Untracked(encoder)
    try:
        found = encoder.get_layer(local).output
        return _Untracked(keras.Model(encoder.input, [encoder.outputs[0], found], name=encoder.name))
    except (AttributeError, ValueError):
        layers = ", ".join(layer.name for layer in getattr(encoder, "layers", ()))
        raise InputError(
            "local must be the name of a layer of a functional encoder, or None for an encoder that returns "
            f"(embedding, local map). Received: local={local!r}, an encoder with the layers "
            f"{layers or '(none)'}."
        ) from None


class _Untracked:
    """Wrapper that hides a model from Keras: its layers belong to the encoder and are saved with it."""

    def __init__(self, model):
        self.name = model.name
        self._call = lambda x, **kwargs: model(x, **kwargs)

    def __call__(self, x, **kwargs):
        outputs = self._call(x, **kwargs)
        if not isinstance(outputs, (list, tuple)) or len(outputs) != 2:
            raise InputError(
                "With local=None, the encoder must return (embedding, local map). "
                f"Received: {type(outputs).__name__}. Pass local=, or return both."
            )
        return outputs


def check_maps(embedding, local):
    """Raise `InputError` unless an encoder's outputs are a vector and a map, with known channels."""
    if len(embedding.shape) != 2 or len(local.shape) < 3 or local.shape[-1] is None:
        raise InputError(
            "The encoder must return an embedding (batch, dim) and a local map (batch, ..., channels). "
            f"Received: shapes {tuple(embedding.shape)} and {tuple(local.shape)}."
        )


def flat_map(local):
    """Return the map as a list of locations, `(batch, locations, channels)`."""
    if len(local.shape) == 3:
        return local
    return ops.reshape(local, (ops.shape(local)[0], -1, local.shape[-1]))


def whole_map(local, mask, map_shape):
    """Return the map of each example as one vector.

    It is the flattened list of locations, with zeros in padding, or the mean over real locations if their
    number is not fixed. `map_shape` is the shape of the map of one example, `(..., channels)`.
    """
    if None in map_shape:
        return location_means(local, mask)
    return ops.reshape(where_counted(local, mask), (-1, whole_map_size(map_shape)))


def whole_map_size(map_shape):
    """Return the size of the vectors that `whole_map` returns."""
    return map_shape[-1] if None in map_shape else math.prod(map_shape)


def location_means(local, mask):
    """Return the mean over the real locations: `(batch, locations, channels)` -> `(batch, channels)`."""
    if mask is None:
        return ops.mean(local, axis=1)
    weights = ops.cast(mask, local.dtype)[:, :, None]
    return ops.divide_no_nan(ops.sum(where_counted(local, mask) * weights, axis=1), ops.sum(weights, axis=1))


def sample_positions(local, mask, count, seed):
    """Draw `count` locations of each example without replacement, real ones first.

    Args:
        local: `(batch, locations, channels)`.
        mask: `(batch, locations)` or `None`.
        count: number of locations; all are returned if there are fewer.
        seed: a `keras.random.SeedGenerator`.

    Returns:
        the drawn locations, and their mask or `None`.
    """
    locations = ops.shape(local)[1]
    count = min(count, locations) if isinstance(locations, int) else tf.minimum(count, locations)
    keys = keras.random.uniform(ops.shape(local)[:2], dtype="float32", seed=seed)
    if mask is not None:
        keys = keys * ops.cast(mask, keys.dtype) - (1.0 - ops.cast(mask, keys.dtype))
    chosen = tf.math.top_k(keys, count, sorted=False).indices
    local = tf.gather(local, chosen, batch_dims=1)
    return local, None if mask is None else tf.gather(mask, chosen, batch_dims=1)
