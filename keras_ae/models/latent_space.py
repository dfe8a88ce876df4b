"""Points of an embedding space: paths between embeddings, and changes of one coordinate or code."""

from collections.abc import Sequence

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_ae.checks import check_integers
from keras_ae.errors import InputError
from keras_ae.ops.core import Tensor

PATHS = ("linear", "spherical")
PARALLEL = 1e-4  # angle in radians below which the spherical path is the straight line


def path_points(first: Tensor, second: Tensor, steps: int, path: str = "linear") -> Tensor:
    """Return points between each pair of embeddings, both ends included.

    ```
    linear:     (1 - t) a + t b
    spherical:  (sin((1 - t) w) a + sin(t w) b) / sin(w),   w = angle between a and b
    ```

    with `t = 0, 1 / (steps - 1), ..., 1`. A draw from a Gaussian of many dimensions has almost always the
    same length; the points of the spherical path keep it, those of the straight line are shorter.

    Args:
        first, second: embeddings `a` and `b`, `(batch, ...)`.
        steps: number of points.
        path: "linear" or "spherical"; embeddings of any shape count as one vector.

    Returns:
        `(batch, steps, ...)` in the dtype of `first`.

    Example:

    >>> path_points(ops.array([[1.0, 0.0]]), ops.array([[0.0, 1.0]]), 3).numpy().tolist()
    [[[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]]]

    Reference:
        White, 2016, https://arxiv.org/abs/1609.04468 (spherical).
    """
    first = ops.convert_to_tensor(first)
    shape = tuple(ops.shape(first))
    a, b = (ops.cast(ops.reshape(end, (shape[0], 1, -1)), "float32") for end in (first, second))
    share = ops.reshape(ops.convert_to_tensor(np.linspace(0, 1, steps, dtype="float32")), (1, -1, 1))
    weights = (1 - share, share)
    if path == "spherical":
        lengths = ops.norm(a, axis=-1, keepdims=True) * ops.norm(b, axis=-1, keepdims=True)
        cosine = ops.divide_no_nan(ops.sum(a * b, axis=-1, keepdims=True), lengths)
        angle = ops.arccos(ops.clip(cosine, -1.0, 1.0))
        # At an angle of pi every great circle leads from a to b; the straight line passes through 0.
        bent = ops.logical_and(angle > PARALLEL, angle < np.pi - PARALLEL)
        bent = ops.logical_and(bent, lengths > 0)
        sine = ops.where(bent, ops.sin(angle), 1.0)
        weights = tuple(ops.where(bent, ops.sin(part * angle) / sine, part) for part in weights)
    points = weights[0] * a + weights[1] * b
    return ops.cast(ops.reshape(points, (shape[0], steps, *shape[1:])), first.dtype)


def check_path(steps: int, path: str) -> None:
    """Raise `InputError` unless the settings of `path_points` are valid."""
    if steps < 2:
        raise InputError(f"steps must be at least 2, for both ends. Received: steps={steps}")
    if path not in PATHS:
        raise InputError(f"path must be one of {PATHS}. Received: path={path!r}")


def coordinate_points(embedding: Tensor, dims: Sequence[int], values: ArrayLike) -> Tensor:
    """Return copies of each embedding in which one coordinate has another value.

    Args:
        embedding: `(batch, dim)`.
        dims: coordinates that are changed, each in copies of its own.
        values: `(len(dims), steps)`, the values of each coordinate.

    Returns:
        `(batch, len(dims), steps, dim)` in the dtype of `embedding`.

    Example:

    >>> coordinate_points(ops.zeros((1, 2), "float32"), [1], [[-3, 3]]).numpy().tolist()
    [[[[0.0, -3.0], [0.0, 3.0]]]]
    """
    embedding = ops.convert_to_tensor(embedding)
    changed = np.eye(embedding.shape[1], dtype=bool)[list(dims)][:, None]
    values = ops.cast(ops.convert_to_tensor(np.asarray(values, "float32")), embedding.dtype)
    return ops.where(ops.convert_to_tensor(changed), values[:, :, None], embedding[:, None, None])


def coordinate_values(
    centre: ArrayLike, unit: ArrayLike, dims: Sequence[int], offsets: ArrayLike
) -> np.ndarray:
    """Return `centre[d] + offset * unit[d]` for the coordinates `dims`, `(len(dims), offsets)`.

    `centre` and `unit` are `(dim,)`.
    """
    centre, unit = (np.asarray(part)[list(dims)][:, None] for part in (centre, unit))
    return centre + np.asarray(offsets) * unit


def code_points(codes: Tensor | dict, dims: Sequence[int], values: ArrayLike | dict) -> Tensor | dict:
    """Return copies of the codes of each example in which one code has another value.

    Args:
        codes: int32 `(batch, ...)`, or a dictionary of them. Their positions are counted in memory order,
            in a dictionary one entry after the other.
        dims: positions that are changed, each in copies of its own.
        values: `(steps,)`, the values of a changed code; in a dictionary as `codes` those of each entry.

    Returns:
        as `codes`, with the shape `(batch, len(dims), steps, ...)`.

    Example:

    >>> code_points(ops.array([[5, 6]], "int32"), [0], [1, 2]).numpy().tolist()
    [[[[1, 6], [2, 6]]]]
    """
    offset, varied = 0, {}
    for name, part in (codes if isinstance(codes, dict) else {"": codes}).items():
        own = np.asarray(values[name] if isinstance(values, dict) else values, "int32")
        shape = tuple(ops.shape(part))
        flat = ops.reshape(part, (shape[0], 1, 1, -1))
        changed = (np.asarray(dims)[:, None] == offset + np.arange(flat.shape[-1]))[:, None]
        points = ops.where(ops.convert_to_tensor(changed), own[None, :, None], flat)
        varied[name] = ops.reshape(points, (shape[0], len(dims), len(own), *shape[1:]))
        offset += flat.shape[-1]
    return varied if isinstance(codes, dict) else varied[""]


def drawn_positions(shape: Sequence[int | None], length: int | None) -> list[int]:
    """Return the sizes of the positions to draw; a free size (`None`) is `length`.

    Raises:
        InputError: `length` is missing or is not needed.
    """
    if (None in shape) != (length is not None) or (length is not None and length < 1):
        wanted = "the number of codes of a sequence" if None in shape else "None for a model of one size"
        raise InputError(f"length must be {wanted}. Received: length={length}")
    return [size or length or 0 for size in shape]


def check_draws(num: int, temperature: float) -> None:
    """Raise `InputError` unless the number of draws and the temperature are positive."""
    if num < 1 or not temperature > 0:
        raise InputError(
            f"num must be at least 1 and temperature positive. Received: num={num}, temperature={temperature}"
        )


def checked_dims(dims: Sequence[int] | None, size: int) -> list[int]:
    """Return `dims` as a list, all of them for `None`.

    Raises:
        InputError: `dims` is not a list of integers from 0 to `size - 1`.
    """
    if dims is None:
        return list(range(size))
    if np.ndim(dims) != 1:
        raise InputError(f"dims must be a list of coordinates, such as [0, 3]. Received: dims={dims!r}")
    check_integers("dims", dims, size)
    return [int(dim) for dim in dims]
