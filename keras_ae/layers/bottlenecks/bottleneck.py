"""Base class of the discrete bottlenecks, and packing of codes into bytes.

Codes in `[0, K)` take `ceil(log2 K)` bits each, written consecutively, the highest bit of each first; the
last byte of an example is filled up with zeros. Packing uses NumPy: packed codes are stored in files or
sent over networks, not used in a graph.
"""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import ArrayLike

from keras_ae.errors import InputError, integers_in
from keras_ae.layers.base import Float32Layer, NamedMetrics
from keras_ae.metrics.codebook import CodebookPerplexity, CodebookUsage
from keras_ae.ops.core import Tensor, finite_padding, is_exporting, is_recording
from keras_ae.ops.terms import LossTerm, TermMean


class Bottleneck(NamedMetrics, Float32Layer):
    """Base class of the discrete bottlenecks: one tensor in, one embedding out.

    `layer(x)` is differentiable in training; with `training` false it equals
    `layer.decode(layer.encode(x))`. `layer(x, return_codes=True)` returns `(embedding, codes)`. The
    arithmetic is float32 under every dtype policy; the embedding is returned in the compute dtype.

    A subclass implements four methods on float32 tensors:

    - `assign_codes(x)` -> codes;
    - `look_up(codes)` -> embedding;
    - `train_call(x, weights)` -> `(embedding, codes)` in training, where all state changes;
    - `margin(x)` -> relative gap of the best two scores, of the shape of the codes;

    and calls `track_codes(num_embeddings, num_heads)` once these sizes are determined.

    Call arguments:
        x: `(batch, ..., features)`.
        mask: `x.shape[:-1]`, 1 = real; padded positions do not contribute to losses, statistics and metrics.
        training: whether the call is part of training.
        return_codes: whether to also return the codes.
        sample_weight: `(batch,)`, the weight of each example in losses, statistics and metrics.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self._terms: dict[str, TermMean] = {}

    def call(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
        return_codes: bool = False,
        sample_weight: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        self.tell_metrics_apart()
        x = ops.cast(x, "float32")
        weights = position_weights(x, mask, sample_weight)
        x = finite_padding(x, weights)
        if training:
            embedding, codes = self.train_call(x, weights)
        else:
            codes = self.assign_codes(x)
            embedding = self.look_up(codes)
            self.observe(x, embedding, codes, weights)
        embedding = ops.cast(embedding, self.compute_dtype)
        return (embedding, codes) if return_codes else embedding

    def encode(self, x: Tensor | ArrayLike) -> Tensor:
        """Return the codes of `x`, int32; build the layer if needed."""
        if isinstance(x, keras.KerasTensor):
            raise ValueError(
                f"The input of {type(self).__name__}.encode must be an array or a tensor. "
                f"Received: the symbolic {x}. Inside a functional model, use: "
                "embedding, codes = layer(x, return_codes=True)"
            )
        x = ops.convert_to_tensor(x)
        self._build_once(x.shape)
        return self.assign_codes(ops.cast(x, "float32"))

    def decode(self, codes: Tensor | ArrayLike) -> Tensor:
        """Return the embedding of integer codes, in the compute dtype.

        Codes out of range raise an `InputError` in an eager call; in a graph, including an exported
        one, they are clamped to the range.
        """
        if isinstance(codes, keras.KerasTensor):
            raise ValueError(
                f"The codes of {type(self).__name__}.decode must be an array or a tensor. "
                f"Received: the symbolic {codes}. Inside a functional model, use: "
                "embedding, codes = layer(x, return_codes=True)"
            )
        codes = ops.convert_to_tensor(codes)
        if not self.built:
            self.build_from_codes(codes.shape)
        return ops.cast(self.look_up(self.codes_in_range(codes)), self.compute_dtype)

    def codes_in_range(self, codes: Tensor) -> Tensor:
        """Return `codes` as int32 of valid shape and range, see `keras_ae.errors.integers_in`."""
        codes, parts = ops.convert_to_tensor(codes), self.codes_per_position()
        if parts is not None and (not len(codes.shape) or codes.shape[-1] not in (parts, None)):
            raise InputError(
                f"The codes of {type(self).__name__} must have {parts} entries on their last axis. "
                f"Received: codes of shape={tuple(codes.shape)}"
            )
        # `num_values` is unknown in a layer that has not called `track_codes`
        return integers_in("codes", codes, getattr(self, "num_values", None), self.least_code)

    least_code = 0  # in some bottlenecks a negative code marks a part that was left out

    def codes_per_position(self) -> int | None:
        """Return the length of the last axis of codes, if a position has several; `None`: one code each."""
        return None

    def pack(self, codes: ArrayLike) -> np.ndarray:
        """Pack codes `(examples, ...)` into uint8 `(examples, bytes)`, `ceil(log2 K)` bits each."""
        return pack_codes(codes, self._known_values("pack"))

    def unpack(self, packed: ArrayLike, code_shape: tuple[int, ...]) -> np.ndarray:
        """Unpack the bytes of `pack` to int32 `(examples, *code_shape)`."""
        return unpack_codes(packed, self._known_values("unpack"), code_shape)

    def _known_values(self, method):
        if not hasattr(self, "num_values"):
            raise ValueError(
                f"{type(self).__name__}.{method} must be called on a built layer, because it requires the "
                "number of values of a code. Received: a layer that is not built. Call the layer, its "
                "`encode` or its `build` first."
            )
        return self.num_values

    def build_from_codes(self, shape: tuple[int | None, ...]) -> None:
        """Build the layer for `decode`, if the codes alone determine the size of the embedding."""
        raise ValueError(
            f"{type(self).__name__}.decode must be called on a built layer. Received: a layer that is not "
            f"built and codes of shape={tuple(shape)}, which do not determine the size of the embedding. "
            "Call the layer, its `encode` or its `build` first."
        )

    def code_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the codes of an input of this `shape`; by default one code per position."""
        return shape[:-1]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def compute_output_spec(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        training: bool | None = None,
        return_codes: bool = False,
        sample_weight: Tensor | None = None,
    ) -> keras.KerasTensor | tuple[keras.KerasTensor, keras.KerasTensor]:
        embedding = keras.KerasTensor(x.shape, dtype=self.compute_dtype)
        if not return_codes:
            return embedding
        return embedding, keras.KerasTensor(self.code_shape(x.shape), dtype="int32")

    def example_losses(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the loss of each example, the mean over its real positions: `(batch,)` float32.

        Terms of the batch as a whole, such as code diversity, and terms of the weights are excluded.
        """
        losses = self.position_losses(ops.cast(x, "float32"))
        if losses is None:
            return ops.zeros_like(ops.cast(ops.reshape(x, (ops.shape(x)[0], -1))[:, 0], "float32"))
        losses = ops.reshape(losses, (ops.shape(losses)[0], -1))
        if mask is None:
            return ops.mean(losses, axis=1)
        real = ops.reshape(ops.cast(mask, "bool"), ops.shape(losses))
        total = ops.sum(ops.where(real, losses, 0.0), axis=1)
        return ops.divide_no_nan(total, ops.sum(ops.cast(real, "float32"), axis=1))

    def position_losses(self, x: Tensor) -> Tensor | None:
        """Return the weighted loss of each position of float32 `x`, `(batch, ...)`; `None`: there is none."""

    def observe(self, x: Tensor, embedding: Tensor | None, codes: Tensor, weights: Tensor | None) -> None:
        """Record losses and metrics outside of training."""

    def track_codes(
        self, num_embeddings: int, num_heads: int = 1, sizes: tuple[int, ...] | None = None
    ) -> None:
        """Create the metrics `usage` and `perplexity` for `(heads, K)` counts.

        `sizes`: number of codes of each head where they differ; `num_embeddings` is then the largest.
        """
        self.num_values = num_embeddings
        self.usage = CodebookUsage(num_embeddings, num_heads, self.metric_name("usage"), sizes=sizes)
        self.perplexity = CodebookPerplexity(num_embeddings, num_heads, name=self.metric_name("perplexity"))

    def counted_codes(self, codes: Tensor) -> Tensor:
        """Return what `usage` and `perplexity` count for `codes`, as their `update_state` takes it."""
        return codes

    def record_counts(self, counts: Tensor) -> None:
        """Add this replica's `(heads, K)` counts to `usage` and `perplexity`."""
        if is_recording():
            self.usage.add_counts(counts)
            self.perplexity.add_counts(counts)

    def track_term(self, name: str) -> None:
        """Create the metric of the loss term `name`."""
        self._terms[name] = TermMean(name=self.metric_name(name))

    def record_terms(self, terms: dict[str, LossTerm | Tensor], weighted: LossTerm | Tensor | None) -> None:
        """Add `weighted` to the model's loss, and the plain `terms` to their metrics.

        Over an epoch, both are averaged with the weights from which `keras_ae.ops.terms.mean_term` or
        `batch_term` computed them; a plain scalar counts once per call.

        Call it after the last synchronisation of replicas: they share the layer object, and a loss added
        before would be lost.

        Args:
            terms: `{name: LossTerm or scalar}`, named as in `track_term`.
            weighted: `LossTerm` or scalar for `add_loss`, or `None`.
        """
        if is_recording():
            for name, term in terms.items():
                self._terms[name].update_state(term)
        if weighted is not None and not is_exporting():
            self.add_loss(LossTerm.of(weighted).value)

    def named_metrics(self) -> dict[str, keras.metrics.Metric]:
        counts = {"usage": self.usage, "perplexity": self.perplexity} if hasattr(self, "usage") else {}
        return {**counts, **self._terms}

    def _build_once(self, shape):
        if not self.built:
            with tf.init_scope():
                self.build(shape)


def position_weights(x: Tensor, mask: Tensor | None, sample_weight: Tensor | None) -> Tensor | None:
    """Return weights `(batch, ...)` of the positions of `x`; `None` if all are equal."""
    if mask is None and sample_weight is None:
        return None
    weights = ops.ones(ops.shape(x)[:-1], "float32") if mask is None else ops.cast(mask, "float32")
    if sample_weight is None:
        return weights
    sample_weight = ops.cast(sample_weight, "float32")
    return weights * ops.reshape(sample_weight, (-1, *[1] * (len(x.shape) - 2)))


def flatten_weights(weights: Tensor | None, like: Tensor) -> Tensor:
    """Return weights `(vectors,)` of the positions of `like` `(batch, ..., features)`; ones if `None`."""
    rows = ops.reshape(like, (-1, like.shape[-1]))
    if weights is None:
        return ops.ones_like(rows[:, 0])
    return ops.reshape(weights, (-1,))


def flat_or_none(weights: Tensor | None) -> Tensor | None:
    """Return weights `(vectors,)`, or `None` if all are equal."""
    return None if weights is None else ops.reshape(weights, (-1,))


def ones_unless(weights: Tensor | None, rows: Tensor) -> Tensor:
    """Return `weights`, or if they are `None` ones for `rows` `(vectors, heads, dim)`."""
    return ops.ones_like(rows[:, 0, 0]) if weights is None else weights


LARGEST = 2**31  # codes are int32


def pack_codes(codes: ArrayLike, num_values: int) -> np.ndarray:
    """Pack integer codes `(examples, ...)` in `[0, num_values)` into uint8 `(examples, bytes)`.

    Raises:
        ValueError: if there is no axis of examples, or codes are not integers or out of range.

    Example:

    >>> pack_codes([[0, 1, 2, 3, 4]], num_values=5).tolist()  # 000 001 01|0 011 100 0
    [[5, 56]]
    """
    codes = np.asarray(codes)
    if codes.ndim == 0 or not (np.issubdtype(codes.dtype, np.integer) or codes.size == 0):
        raise ValueError(
            "codes to pack must be integers, and their first axis must be that of the examples. "
            f"Received: shape={codes.shape}, dtype={codes.dtype}"
        )
    if codes.size and (codes.min() < 0 or codes.max() >= num_values):
        raise ValueError(
            f"codes to pack must be from 0 to {num_values - 1}. "
            f"Received: codes from {codes.min()} to {codes.max()}"
        )
    examples, each = len(codes), math.prod(codes.shape[1:])
    rows = codes.reshape(examples, each).astype(">u4")
    bits = np.unpackbits(rows.view("uint8").reshape(examples, each, 4), axis=-1)
    width = bits_per_code(num_values)
    return np.packbits(bits[:, :, 32 - width :].reshape(examples, each * width), axis=-1)


def unpack_codes(packed: ArrayLike, num_values: int, code_shape: tuple[int, ...]) -> np.ndarray:
    """Unpack the bytes of `pack_codes` to int32 `(examples, *code_shape)`.

    Args:
        packed: uint8 `(examples, bytes)`.
        num_values: as for `pack_codes`.
        code_shape: shape of the codes of one example, `()` for a single code.

    Raises:
        ValueError: for a wrong number of bytes, or bytes that contain a code of `num_values` or more.

    Example:

    >>> unpack_codes(np.array([[5, 56]], "uint8"), num_values=5, code_shape=(5,)).tolist()
    [[0, 1, 2, 3, 4]]
    """
    packed, code_shape = np.asarray(packed), tuple(code_shape)
    width, each = bits_per_code(num_values), math.prod(code_shape)
    size = -(-width * each // 8)
    if packed.dtype != np.uint8 or packed.ndim != 2 or packed.shape[1] != size:
        raise ValueError(
            f"packed must be uint8 of shape (examples, {size}), with {width} bits for each of the codes "
            f"{code_shape} of an example. Received: shape={packed.shape}, dtype={packed.dtype}"
        )
    bits = np.zeros((len(packed), each, 32), "uint8")
    bits[:, :, 32 - width :] = np.unpackbits(packed, axis=-1)[:, : width * each].reshape(
        len(packed), each, width
    )
    codes = np.packbits(bits, axis=-1).view(">u4").reshape(len(packed), *code_shape)
    if codes.size and codes.max() >= num_values:
        raise ValueError(
            f"packed must contain codes from 0 to {num_values - 1}. Received: a code of {codes.max()}"
        )
    return codes.astype("int32")


def bits_per_code(num_values: int) -> int:
    """Return `ceil(log2 K)`, the bits that represent any of `K` values; 0 for a single value.

    >>> [bits_per_code(values) for values in (1, 2, 5, 512, 513)]
    [0, 1, 3, 9, 10]
    """
    if not 1 <= num_values <= LARGEST:
        raise ValueError(f"num_values must be from 1 to 2^31. Received: num_values={num_values}")
    return (int(num_values) - 1).bit_length()
