"""Inputs of Keras models, and the range of values that their own preprocessing layers expect."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

SKIPPED = ("InputLayer", "Resizing", "CenterCrop", "ZeroPadding2D", "Identity")
BYTES = (0.0, 255.0)


def keras_inputs(model: Any) -> dict[str, tuple] | None:
    """Return `{name: (shape, dtype)}` of the inputs of a built model; `None` if they are unknown.

    Example:

    >>> keras_inputs(keras.Sequential([keras.Input((8, 8, 3), name="image"), keras.layers.Flatten()]))
    {'image': ((None, 8, 8, 3), 'float32')}
    """
    tensors = getattr(model, "inputs", None)
    if not tensors:
        return None
    structure = getattr(model, "_inputs_struct", None)
    names = list(structure) if isinstance(structure, Mapping) else [tensor.name for tensor in tensors]
    if isinstance(structure, Mapping):
        tensors = [structure[name] for name in names]
    kinds = [None if tensor.dtype == "string" else tensor.dtype for tensor in tensors]
    return {
        name: (tuple(tensor.shape), kind) for name, tensor, kind in zip(names, tensors, kinds, strict=True)
    }


def keras_batch(model: Any, named: Mapping[str, Any]) -> Any:
    """Return named inputs in the structure that a model is called with."""
    structure = getattr(model, "_inputs_struct", None)
    if isinstance(structure, Mapping):
        return dict(named)
    values = list(named.values())
    return values[0] if len(values) == 1 else values


def keras_input_range(model: Any) -> tuple[float, float] | None:
    """Return the range of the inputs of a model that begins with `Rescaling` or `Normalization`.

    A `Rescaling` to [0, 1] or [-1, 1] shows the range exactly. A `Normalization` shows it by its mean and
    variance: values in [0, 1] have no variance above 1/4.

    Example:

    >>> rescaling = keras.layers.Rescaling(1 / 127.5, offset=-1)
    >>> keras_input_range(keras.Sequential([keras.Input((8, 8, 3)), rescaling]))
    (0.0, 255.0)
    """
    first = _first_layer(model)
    if isinstance(first, keras.layers.Rescaling):
        scale, offset = np.mean(np.asarray(first.scale)), np.mean(np.asarray(first.offset))
        return _near((1 - offset) / scale) if scale > 0 else None
    if isinstance(first, keras.layers.Normalization):
        mean, variance = np.asarray(first.mean), np.asarray(first.variance)
        unit = mean.min() >= 0 and mean.max() <= 1 and variance.max() <= 0.25
        return (0.0, 1.0) if unit else BYTES if mean.min() >= 0 and mean.max() <= 255 else None
    return None


def _near(high):
    """Return the range that ends near `high`, such as 256 for a scale of 1 / 256."""
    for end in (1.0, 255.0):
        if abs(high - end) <= 0.01 * end:
            return (0.0, end)
    return None


def _first_layer(model):
    """Return the first layer that changes the values of the input."""
    for layer in getattr(model, "layers", None) or ():
        if type(layer).__name__ in SKIPPED or type(layer).__name__.startswith("Random"):
            continue
        return _first_layer(layer) if getattr(layer, "layers", None) else layer
    return None
