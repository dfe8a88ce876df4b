"""Free axes of the inputs of an endpoint, and random test inputs of any size."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf


def axis_names(inputs: Mapping[str, tf.TensorSpec]) -> dict[str, tuple[str | None, ...]]:
    """Return the name of every free axis, and `None` for axes of fixed size.

    Axis 0 is `batch`. A free axis 1 is `length`, or `<name>_length` if the input `<name>`
    has its own lengths `<name>_lengths`; two such inputs may differ in length. The two free
    axes of a picture are `height` and `width`, and any other free axis is `size_<axis>`.
    Axes with equal names have equal sizes.

    Example:

    >>> axis_names({"x": tf.TensorSpec((None, None, 3)), "lengths": tf.TensorSpec((None,), "int32")})
    {'x': ('batch', 'length', None), 'lengths': ('batch',)}
    """
    return {name: tuple(_names(name, spec.shape.as_list(), inputs)) for name, spec in inputs.items()}


def _names(name, shape, inputs):
    picture = len(shape) == 4 and shape[1] is None and shape[2] is None
    length = f"{name}_length" if f"{name}_lengths" in inputs else "length"
    second = ("height", "width") if picture else (length, "size_2")
    names = ("batch", *second, *(f"size_{axis}" for axis in range(3, len(shape))))
    return [axis if size is None else None for axis, size in zip(names, shape, strict=False)]


def free_lengths(inputs: Mapping[str, tf.TensorSpec]) -> list[str]:
    """Return the names of the free axes other than the batch, each once."""
    names = [axis for axes in axis_names(inputs).values() for axis in axes[1:] if axis]
    return list(dict.fromkeys(names))


def random_inputs(
    inputs: Mapping[str, tf.TensorSpec], sizes: Mapping[str, int], rng: np.random.Generator, shortest: int = 1
) -> dict[str, np.ndarray]:
    """Return random inputs for the given sizes of the free axes.

    Floats are uniform in [0, 1), lengths are between `shortest` and the size of their axis,
    Booleans (masks) are true, other integers are zero, and strings are a word.

    Args:
        inputs: the specs of an endpoint.
        sizes: `{axis name: size}` with `batch` and every free length.
        rng: `numpy.random.Generator`.
        shortest: smallest length, limited by the size of the free axis.
    """
    axes = axis_names(inputs)
    shapes = {
        name: tuple(sizes[axis] if axis else size for axis, size in zip(axes[name], spec.shape, strict=True))
        for name, spec in inputs.items()
    }
    return {name: _random(name, spec.dtype, shapes, rng, shortest) for name, spec in inputs.items()}


def _random(name, dtype, shapes, rng, shortest):
    shape = shapes[name]
    if dtype.is_floating:
        return rng.random(shape).astype(dtype.as_numpy_dtype)
    if dtype == tf.string:
        return np.full(shape, b"word")
    if dtype == tf.bool:
        return np.ones(shape, bool)
    longest = _longest(name, shapes) if dtype.is_integer and len(shape) == 1 else None
    if longest is None:
        return np.zeros(shape, dtype.as_numpy_dtype)
    return rng.integers(min(shortest, longest), longest, size=shape, endpoint=True).astype(
        dtype.as_numpy_dtype
    )


def _longest(name, shapes):
    """Return the size of the axis that the lengths `name` refer to, or `None` for any other input."""
    if name != "lengths":
        owner = shapes.get(name.removesuffix("_lengths"), ()) if name.endswith("_lengths") else ()
        return owner[1] if len(owner) > 1 else None
    sequences = [s for n, s in shapes.items() if len(s) > 1 and f"{n}_lengths" not in shapes]
    return sequences[0][1] if sequences else None
