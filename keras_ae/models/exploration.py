"""Generation of new examples, and paths through the embedding space of a model."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_ae.errors import InputError, check_integers
from keras_ae.ops.core import Tensor
from keras_ae.ops.sequences import code_lengths

SPAN = 3.0  # standard deviations of a traversal
PATHS = ("linear", "spherical")
PARALLEL = 1e-4  # angle in radians below which the spherical path is the straight line


class Exploration:
    """Part of `BaseModel`: `sample`, `interpolate`, `traverse` and `score`.

    `interpolate` and `traverse` need `embed` and `decode`. A model whose embedding has a known distribution
    overrides `generative` and `sample_codes`. A model whose objective is a mean over examples overrides
    `score`. The other methods are for models with several inputs of the decoder, lengths, or discrete codes.
    """

    embed: Callable[..., Any]
    encode: Callable[..., Any]
    decode: Callable[..., Any]
    # arguments of `decode` that hold for all examples, such as the size of a beam
    decode_options: tuple[str, ...] = ()

    @property
    def generative(self) -> bool:
        """Whether `sample` draws new examples; without a prior it raises an error."""
        return False

    # Methods for users

    def sample(
        self,
        num: int,
        length: int | None = None,
        *,
        seed: int | None = None,
        temperature: float = 1.0,
        **conditions: Any,
    ) -> Any:
        """Draw `num` new examples: `decode(sample_codes(num, ...))`.

        Args:
            num: number of examples.
            length: length in codes, for a model of sequences of any length.
            seed: seed of the draws; `None`: different draws in each call.
            temperature: factor of the standard deviation of a Gaussian prior, divisor of the logits of a
                discrete one; below 1, draws are more typical and less diverse.
            **conditions: further inputs of the decoder, such as `speaker`: one for each example, or one
                for all.

        Returns:
            the decoder's output, `(num, ...)`.

        Raises:
            InputError: the model has no decoder or no prior; an argument is not valid.

        Example:

        >>> from keras_ae.models import VariationalAutoEncoder
        >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
        >>> decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(8)])
        >>> VariationalAutoEncoder(encoder, decoder, 2).sample(3, seed=0).shape
        TensorShape([3, 8])
        """
        codes = self.sample_codes(num, length, seed=seed, temperature=temperature)
        return self.decode(codes, **_repeated(_conditions(self, "sample", None, conditions), num, 1))

    def interpolate(
        self, first: Any, second: Any, steps: int = 8, *, path: str = "linear", **conditions: Any
    ) -> Any:
        """Return decoded points between the embeddings of pairs of examples, both ends included.

        The first point is the reconstruction of `first`, the last one that of `second`. With a discrete
        bottleneck the points lie between the embeddings of the codes.

        Args:
            first, second: inputs `(batch, ...)` as in `encode`; sequences must have the same lengths in
                both.
            steps: number of points of each path.
            path: "linear" or "spherical", which keeps the length of the embedding, see
                `path_points`; useful with a Gaussian prior in many dimensions.
            **conditions: further inputs of the decoder, such as `speaker`; by default those of `first`.

        Returns:
            `(batch, steps, ...)`.

        Raises:
            InputError: the model has no decoder; the two batches differ in size or lengths; `steps` is
                below 2.
        """
        _check_decoder(self, "interpolate")
        check_path(steps, path)
        (start, lengths), (end, other) = self.embed_with_lengths(first), self.embed_with_lengths(second)
        _check_pairs(start, end, lengths, other)
        points = keras.tree.map_structure(lambda a, b: path_points(a, b, steps, path), start, end)
        given = _conditions(self, "interpolate", first, conditions)
        return _decoded(self, points, 2, lengths, given, self.output_length(first))

    def traverse(
        self,
        x: Any,
        dims: Sequence[int] | None = None,
        *,
        steps: int = 7,
        span: float | None = None,
        reference: Any = None,
        **conditions: Any,
    ) -> Any:
        """Return decoded embeddings of `x` in which one coordinate moves while the others are unchanged.

        Coordinate `d` takes `steps` values `c_d + s u_d` with `s` from `-span` to `span`: the mean `c` and
        standard deviation `u` of the coordinate over `reference`. Without it, they are those of the prior
        (`c = 0` and `u = 1` for a standard normal one), or over `x` if there is none. With a discrete
        bottleneck, code number `d` takes `steps` of its values, evenly spaced from the first to the last
        one, or all of them if there are fewer; with several levels, as many as the smallest level has.

        Args:
            x: inputs `(batch, ...)` as in `encode`.
            dims: coordinates of the vector, or positions of the codes in memory order (top codes first);
                `None`: all.
            steps: number of values.
            span: largest deviation from the centre, in standard deviations; `None`: 3. Not for codes.
            reference: inputs that determine the centre and unit of each coordinate; `None`: the prior,
                without one `x`. Not for codes.
            **conditions: further inputs of the decoder, such as `label`; by default those of `x`.

        Returns:
            `(batch, len(dims), steps, ...)`.

        Raises:
            InputError: the model has no decoder; the embedding is neither one vector nor codes; `dims` are
                not valid; `reference` is a single example; `span` or `reference` is given for codes.
        """
        _check_decoder(self, "traverse")
        if steps < 2 or (span is not None and not span > 0):
            raise InputError(
                f"steps must be at least 2 and span positive. Received: steps={steps}, span={span}"
            )
        given = _conditions(self, "traverse", x, conditions)
        if getattr(self, "discrete", False):
            _, lengths = self.embed_with_lengths(x)
            points = _varied_codes(self, x, dims, steps, span, reference)
            return _decoded(self, points, 3, lengths, given, self.output_length(x))
        points = _varied_coordinates(self, x, dims, steps, span, reference)
        return _decoded(self, points, 3, None, given, None)

    def score(self, x: Any) -> Any:
        """Return the objective of each example, `(batch,)`, for models that define it.

        Raises:
            InputError: the loss of the model is not a mean over examples.
        """
        name = type(self).__name__
        raise InputError(
            "score must be called on a model whose loss is a mean over examples. Received: "
            f"{name}, whose loss is defined for a whole batch. evaluate(x) returns it."
        )

    # Methods for subclasses

    def sample_codes(
        self, num: int, length: int | None = None, *, seed: int | None = None, temperature: float = 1.0
    ) -> Any:
        """Draw inputs of `decode` from the prior, with the arguments of `sample`; codes or an embedding.

        Raises:
            InputError: the model has no decoder or no prior; the message names the model that adds one.
        """
        _check_decoder(self, "sample")
        raise InputError(
            f"sample must be called on a model with a prior. Received: {type(self).__name__} without one. "
            + self.prior_advice()
        )

    def prior_advice(self) -> str:
        """Return what to do in order to sample from a model without a prior."""
        return "Use a VariationalAutoEncoder."

    def embed_with_lengths(self, x: Any) -> tuple[Any, Tensor | None]:
        """Return the float embedding of `x`, and the number of its real positions for padded sequences."""
        embedding = self.embed(x)
        return embedding, None if isinstance(embedding, dict) else code_lengths(embedding)

    def decoder_conditions(self, x: Any) -> dict[str, Any]:
        """Return the required further arguments of `decode`, from the inputs `x` or `None` where missing."""
        return {}

    def output_length(self, x: Any) -> int | None:
        """Return the length of the reconstruction of sequences `x`; `None`: the output is not cut."""
        return None

    def coordinate_scale(self) -> tuple[ArrayLike, ArrayLike] | None:
        """Return centre and standard deviation of the coordinates of an embedding, if the prior has them."""
        return None

    def values_of_codes(self) -> Any:
        """Return the number of values of a code; with several levels, `{level: number}`."""
        raise TypeError(f"{type(self).__name__} must define values_of_codes()")


def _check_decoder(model, method):
    missing = [name for name in ("embed", "decode") if not hasattr(model, name)]
    if missing:
        raise InputError(
            f"{method} must be called on a model with an encoder and a decoder. "
            f"Received: {type(model).__name__}, which has no method {' and no method '.join(missing)}."
        )


def _conditions(model, method, x, given):
    """Return the further arguments of `decode`: the given ones, else those of `x`."""
    conditions = {**model.decoder_conditions(x), **given}
    missing = [name for name, value in conditions.items() if value is None]
    if missing:
        raise InputError(
            f"{missing[0]} must be given, since the decoder is conditioned on it. Received: none. "
            f"Pass {method}(..., {missing[0]}=...), one for each example or one for all."
        )
    return conditions


def _decoded(model, points, axes, lengths, conditions, length):
    """Return the decoded points `(batch, ...)` of a structure with `axes` leading axes."""
    lead = tuple(ops.shape(keras.tree.flatten(points)[0])[:axes])
    rows = keras.tree.map_structure(lambda part: ops.reshape(part, (-1, *part.shape[axes:])), points)
    each = int(np.prod(lead[1:]))
    options = {name: value for name, value in conditions.items() if name in model.decode_options}
    given = _repeated({n: v for n, v in conditions.items() if n not in options}, lead[0], each) | options
    if lengths is not None:
        given["lengths"] = ops.repeat(lengths, each)
    decoded = model.decode(rows, **given)
    if isinstance(decoded, list):  # sentences
        return np.array(decoded, object).reshape(lead)
    decoded = decoded if length is None else decoded[:, :length]
    return ops.reshape(decoded, (*lead, *ops.shape(decoded)[1:]))


def _varied_codes(model, x, dims, steps, span, reference):
    given = {"span": span, "reference": reference}
    unused = [name for name, value in given.items() if value is not None]
    if unused:
        raise InputError(
            f"{unused[0]} must be None for a discrete bottleneck, whose codes take their values from the "
            f"first to the last one. Received: {unused[0]}. Leave it out."
        )
    codes = model.encode(x)
    size = sum(int(np.prod(part.shape[1:])) for part in keras.tree.flatten(codes))
    numbers = model.values_of_codes()
    count = min(steps, *keras.tree.flatten(numbers))

    def spaced(number):
        return np.linspace(0, number - 1, count).round().astype("int32")

    return code_points(codes, checked_dims(dims, size), keras.tree.map_structure(spaced, numbers))


def _varied_coordinates(model, x, dims, steps, span, reference):
    embedding = ops.convert_to_tensor(model.embed(x))
    if len(embedding.shape) != 2:
        raise InputError(
            "traverse must be called on a model whose embedding is one vector, (batch, dim). "
            f"Received: {type(model).__name__} with embeddings of shape {tuple(embedding.shape)}."
        )
    dims = checked_dims(dims, embedding.shape[1])
    scale = model.coordinate_scale() if reference is None else None
    if scale is None:
        known = embedding if reference is None else model.embed(reference)
        if len(known) < 2:
            raise InputError(
                "reference must contain at least two examples, whose standard deviation is the unit of a "
                f"coordinate. Received: {len(known)}. Pass more examples, such as the validation data."
            )
        known = ops.convert_to_numpy(ops.cast(known, "float32"))
        scale = known.mean(axis=0), known.std(axis=0)
    span = SPAN if span is None else span
    values = coordinate_values(*scale, dims, np.linspace(-span, span, steps))
    return coordinate_points(embedding, dims, values)


def _repeated(conditions, num, each):
    """Return `{name: array (num * each, ...)}` of conditions for `num` examples, or for all at once."""
    given = {}
    for name, value in conditions.items():
        value = np.asarray(value)
        value = np.broadcast_to(value, (num,)) if value.ndim == 0 else value
        if len(value) not in (1, num):
            raise InputError(
                f"{name} must have one value for each of the {num} examples, or one for all. "
                f"Received: {len(value)}."
            )
        value = np.repeat(value, num, axis=0) if len(value) != num else value
        given[name] = np.repeat(value, each, axis=0)
    return given


def _check_pairs(first, second, lengths, other):
    shapes = [[tuple(part.shape) for part in keras.tree.flatten(ends)] for ends in (first, second)]
    if shapes[0] != shapes[1]:
        raise InputError(
            "first and second must have the same number of examples of the same size. "
            f"Received: embeddings of shape {shapes[0][0]} and {shapes[1][0]}."
        )
    lengths, other = (None if part is None else np.asarray(part) for part in (lengths, other))
    if (lengths is None) != (other is None) or (lengths is not None and (lengths != other).any()):
        raise InputError(
            "first and second must have the same lengths, since each position is paired with the same "
            f"position. Received: {_written(lengths)} and {_written(other)} codes. Cut both to one length."
        )


def _written(lengths):
    return "all" if lengths is None else ", ".join(map(str, lengths[:4]))


# Points of an embedding space


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
