"""Free axes of the inputs of an endpoint, the lengths that count them, and random test inputs of any size."""

import keyword
import re
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

CODES = ("codes", "embedding", "noise")  # inputs that `code_lengths` counts


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


def is_input_name(name: object) -> bool:
    """Return whether an input can have this name in a SavedModel, in ONNX and in `Artifact.run`.

    TensorFlow makes it an argument of a function, and changes or rejects other characters than ASCII.

    Example:

    >>> [is_input_name(name) for name in ("x", "a b", "日本", "_x", "lambda", "self")]
    [True, False, False, False, False, False]
    """
    if not isinstance(name, str) or not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
        return False
    return not keyword.iskeyword(name) and name not in ("self", "endpoint")


def counted_inputs(inputs: Mapping[str, tf.TensorSpec]) -> dict[str, list[str]]:
    """Return, for each input of lengths, the inputs whose positions on axis 1 it counts.

    `<name>_lengths` counts those of `<name>`. Other lengths, such as `lengths` of `x` and `code_lengths`
    of `codes`, count those of all sequences without lengths of their own; if an endpoint has both,
    `code_lengths` counts codes, embeddings and noise. Pictures of free size have no lengths.

    Example:

    >>> counted_inputs({"x": tf.TensorSpec((None, None, 3)), "lengths": tf.TensorSpec((None,), "int32")})
    {'lengths': ['x']}
    """
    names = [name for name, spec in inputs.items() if _are_lengths(name, spec)]
    own = {name: name.removesuffix("_lengths") for name in names if name != "lengths"}
    own = {name: owner for name, owner in own.items() if owner in inputs}
    counted = {name: [owner] for name, owner in own.items()}
    sequences = [n for n, spec in inputs.items() if spec.shape.rank > 1 and n not in own.values()]
    axes = axis_names(inputs)
    sequences = [name for name in sequences if axes[name][1] != "height"]
    free = [name for name in sequences if axes[name][1]]
    rest = [name for name in names if name not in own]
    for name in rest:
        codes = name == "code_lengths"
        counted[name] = [n for n in free or sequences if len(rest) < 2 or (n in CODES) is codes]
    return counted


def uncounted_axes(inputs: Mapping[str, tf.TensorSpec]) -> list[str]:
    """Return the free axes after the batch whose sizes are not given by lengths, as `<input> axis <number>`.

    Example:

    >>> uncounted_axes({"x": tf.TensorSpec((None, None, 3))})
    ['x axis 1']
    """
    counted = {name for names in counted_inputs(inputs).values() for name in names}
    return [
        f"{name} axis {axis}"
        for name, axes in axis_names(inputs).items()
        for axis, free in enumerate(axes)
        if axis and free and (axis > 1 or name not in counted)
    ]


def _are_lengths(name, spec):
    return (name == "lengths" or name.endswith("_lengths")) and spec.dtype.is_integer and spec.shape.rank == 1


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
    counted = counted_inputs(inputs)
    longest = {name: shapes[names[0]][1] for name, names in counted.items() if names}
    return {
        name: _random(spec.dtype, shapes[name], rng, shortest, longest.get(name))
        for name, spec in inputs.items()
    }


def _random(dtype, shape, rng, shortest, longest):
    if dtype.is_floating:
        return rng.random(shape).astype(dtype.as_numpy_dtype)
    if dtype == tf.string:
        return np.full(shape, b"word")
    if dtype == tf.bool:
        return np.ones(shape, bool)
    if longest is None:
        return np.zeros(shape, dtype.as_numpy_dtype)
    drawn = rng.integers(min(shortest, longest), longest, size=shape, endpoint=True)
    return drawn.astype(dtype.as_numpy_dtype)
