"""Base class of the quantisers onto a fixed grid: projection, heads and integer codes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from keras_ae.layers.bottlenecks._codebook_start import real_weights
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck, flat_or_none
from keras_ae.metrics.codebook import count_codes
from keras_ae.ops.core import Tensor, straight_through

MOST_LEVELS = 2**16  # largest number of levels of a digit: more would approach the spacing of float32
CODE_BITS = 31  # non-negative values of an int32
COUNTED_CODES = 2**18  # codes of all heads: above this the metrics count digits instead of codes


class GridQuantizer(Bottleneck):
    """Base class of the quantisers whose codebook is a grid, so that no code is stored.

    A head is a vector of digits, digit `i` with `levels[i]` values; its code is the mixed-radix number of
    the digits, the first of them lowest: `code = digit_0 + levels_0 (digit_1 + levels_1 (digit_2 +
    ...))`. If the last axis of `x` is not `heads x digits`, one learned linear map projects to this size
    and another one back.

    A subclass implements, on float32 tensors `(vectors, heads, digits)`:

    - `relax(heads)` -> the continuous values to be rounded, in units of the embedding;
    - `to_digits(relaxed)` -> int32 digits; NaN counts as 0;
    - `from_digits(digits)` -> their embedding, whose gradient is passed to `relaxed`;
    - `gap(relaxed)` -> relative distance of each digit from its nearest threshold;

    and may extend `record`, which adds metrics and losses.
    """

    def __init__(self, levels: Sequence[int], num_heads: int, **kwargs: Any):
        super().__init__(**kwargs)
        check_grid(type(self).__name__, levels, num_heads)
        self.levels = tuple(int(level) for level in levels)
        self.num_heads = num_heads
        codes = math.prod(self.levels)
        self._counts_codes = num_heads * codes <= COUNTED_CODES
        if self._counts_codes:
            self.track_codes(codes, num_heads)
        else:
            self.track_codes(max(self.levels), num_heads * len(levels), sizes=self.levels * num_heads)
        self.num_values = codes

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.dim = input_shape[-1]
        if self.dim is None:
            raise ValueError(
                f"The input of {type(self).__name__} must have a last axis of known size. "
                f"Received: input_shape={tuple(input_shape)}"
            )
        inner = self.num_heads * len(self.levels)
        self.projects = self.dim != inner
        if self.projects:
            self.kernel_in, self.bias_in = self._linear("in", self.dim, inner)
            self.kernel_out, self.bias_out = self._linear("out", inner, self.dim)
        super().build(input_shape)

    def _linear(self, name, inputs, outputs):
        options = {"dtype": "float32", "autocast": False}
        kernel = self.add_weight(
            name=f"kernel_{name}", shape=(inputs, outputs), initializer="glorot_uniform", **options
        )
        return kernel, self.add_weight(name=f"bias_{name}", shape=(outputs,), initializer="zeros", **options)

    # Inference

    def assign_codes(self, x: Tensor) -> Tensor:
        codes = self._number(self.to_digits(self.relax(self._heads(x))))
        return ops.reshape(codes, self.code_shape(ops.shape(x)))

    def look_up(self, codes: Tensor) -> Tensor:
        leading = ops.shape(codes) if self.num_heads == 1 else ops.shape(codes)[:-1]
        return self._embedding(self.from_digits(self._digits(codes)), leading)

    def margin(self, x: Tensor) -> Tensor:
        """Return the least `gap` of the digits of each code."""
        gap = ops.min(self.gap(self.relax(self._heads(ops.cast(x, "float32")))), axis=-1)
        return ops.reshape(gap, self.code_shape(ops.shape(x)))

    def counted_codes(self, codes: Tensor) -> Tensor:
        return codes if self._counts_codes else ops.reshape(self._digits(codes), (-1, self.usage.num_heads))

    def observe(self, x: Tensor, embedding: Tensor, codes: Tensor, weights: Tensor | None) -> None:
        heads, digits = self._heads(x), self._digits(codes)
        self.record(heads, self.relax(heads), self.from_digits(digits), digits, flat_or_none(weights))

    # Training

    def train_call(self, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        heads = self._heads(x)
        relaxed = self.relax(heads)
        digits = self.to_digits(ops.stop_gradient(relaxed))
        quantized = self.from_digits(digits)
        self.record(heads, relaxed, quantized, digits, flat_or_none(weights))
        embedding = self._embedding(straight_through(relaxed, quantized), ops.shape(x)[:-1])
        return embedding, ops.reshape(self._number(digits), self.code_shape(ops.shape(x)))

    def record(
        self, heads: Tensor, relaxed: Tensor, quantized: Tensor, digits: Tensor, weights: Tensor | None
    ) -> None:
        """Count the codes; a subclass records its losses after this."""
        counted = self._number(digits) if self._counts_codes else digits
        rows = ops.reshape(counted, (-1, self.usage.num_heads))
        counted = real_weights(heads, weights)
        self.record_counts(count_codes(rows, counted, self.usage.num_embeddings))

    # Parts

    def _heads(self, x):
        if self.projects:
            x = ops.matmul(x, self.kernel_in) + self.bias_in
        return ops.reshape(x, (-1, self.num_heads, len(self.levels)))

    def _mean_of_heads(self, values, x):
        """Return the mean of `(vectors, ...)` over the vectors of each position of `x`."""
        return ops.mean(ops.reshape(values, (*ops.shape(x)[:-1], -1)), axis=-1)

    def _embedding(self, heads, leading):
        x = ops.reshape(heads, (*leading, self.num_heads * len(self.levels)))
        return ops.matmul(x, self.kernel_out) + self.bias_out if self.projects else x

    def _place_values(self):
        return np.cumprod((1, *self.levels[:-1])).astype("int32")

    def _number(self, digits):
        """Return the codes `(vectors, heads)` of digits `(vectors, heads, digits)`."""
        return ops.sum(digits * self._place_values(), axis=-1)

    def _digits(self, codes):
        codes = ops.reshape(codes, (-1, self.num_heads, 1))
        return ops.mod(ops.floor_divide(codes, self._place_values()), np.array(self.levels, "int32"))

    def codes_per_position(self) -> int | None:
        return self.num_heads if self.num_heads > 1 else None

    def code_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape[:-1] if self.num_heads == 1 else (*shape[:-1], self.num_heads)


def check_grid(name: str, levels: Sequence[int], num_heads: int) -> None:
    """Raise a `ValueError` for a grid that is not valid, or whose codes do not fit an int32."""
    if len(levels) == 0 or not all(_is_level(level) for level in levels) or num_heads < 1:
        raise ValueError(
            f"{name}: each digit must have from 2 to {MOST_LEVELS} levels, there must be at least one digit, "
            "and num_heads must be at least 1. "
            f"Received: levels={list(levels)}, num_heads={num_heads}"
        )
    bits = math.log2(math.prod(int(level) for level in levels))
    if math.prod(int(level) for level in levels) > 2**CODE_BITS:
        raise ValueError(
            f"{name}: codes must have at most {CODE_BITS} bits, to fit into an int32. "
            f"Received: levels={list(levels)}, which require {bits:.1f} bits. "
            "Use num_heads to distribute more bits over several codes."
        )


def _is_level(level):
    return int(level) == level and 2 <= level <= MOST_LEVELS
