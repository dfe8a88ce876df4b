"""Finite scalar quantisation: bounded channels rounded to a few levels each."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.layers.bottlenecks._codebook_start import real_weights
from keras_ae.layers.bottlenecks.bottleneck import flat_or_none
from keras_ae.layers.bottlenecks.grid_quantizer import GridQuantizer
from keras_ae.losses.quantization import FLAT, saturation_loss
from keras_ae.ops.core import Tensor, assign_finite, finite_or_zero, sum_over_replicas
from keras_ae.ops.terms import LossTerm

SHRINK = 1e-3  # keeps a saturated tanh inside its outermost level


@keras.saving.register_keras_serializable(package="keras_ae")
class FiniteScalarQuantizer(GridQuantizer):
    """Bottleneck that rounds each of a few bounded channels to one of a few levels.

    The codebook is the `prod(levels)` combinations; no code is stored, learned or revived.

    ```
    x'        = (x - m) / s                        m, s: mean and deviation of the first training batch
    bounded   = (L - 1)(1 - eps)/2 * tanh(x' + shift) - offset
    offset, shift = 0, 0  for odd L;   1/2, tan(1 / ((L - 1)(1 - eps)))  for even L
    digit     = round(bounded) + floor(L/2)                                0 .. L - 1
    embedding = round(bounded) / floor(L/2)                                in [-1, 1]
    gradient  = that of the embedding, passed unchanged to bounded / floor(L/2)
    loss      = saturation_cost * mean max(|x' + shift| - 2, 0)^2
    ```

    Standardised start and loss are additions to the paper. An encoder whose first outputs are small has
    one code for all data, that of 0, whose embedding is also 0: a decoder without biases then has no
    gradient, and nothing is learned. After the standardised start the channels fill the levels. And if the
    inputs of the encoder are not centred, all vectors may drift to the flat part of the tanh: then
    they share one code, without a gradient that leads back; hence the loss.

    Args:
        levels: `L` of each channel. The paper recommends at least 5 per channel, and uses `[8, 5, 5, 5]`
            for 2^10 codes, `[7, 5, 5, 5, 5]` for 2^12, `[8, 8, 8, 5, 5, 5]` for 2^16.
        num_heads: number of codes per vector, each with all of `levels`.
        symmetric: use even `L` without shift, so that its levels are symmetric about 0 like those of odd
            `L`: `embedding = 2 digit/(L - 1) - 1`. With 2 levels the threshold is then at 0.
        saturation_cost: weight of the loss; 0: as in the paper.
        standardize_start: whether to standardise by the first batch; `m` and `s` are then fixed. False:
            `x' = x`, as in the paper.

    Call arguments:
        x: `(batch, ..., dim)`. If `dim` is not `num_heads * len(levels)`, a learned linear map projects
            to this size, and another one from the levels back to `dim`.
        mask: `(batch, ...)`, 1 = real.
        training: whether the call is part of training.
        return_codes: whether to also return the codes.

    Output shape:
        embedding `(batch, ..., dim)`; codes int32 `(batch, ...)`, with several heads
        `(batch, ..., heads)`: `digit_0 + L_0 (digit_1 + L_1 (digit_2 + ...))`.

    Metrics:
        `perplexity` and `usage` of the codes; if all heads together have more than 2^18 codes, of the
        digits: `usage` is then the fraction of the (channel, level) pairs that occurred, `perplexity` the
        mean over the channels. `saturation_loss`.

    Raises:
        ValueError: for a channel of fewer than 2 levels, or codes beyond 31 bits.

    Example:

    >>> layer = FiniteScalarQuantizer([8, 5, 5, 5])
    >>> codes = layer.encode(keras.random.normal((2, 3, 4)))
    >>> codes.shape, layer.decode(codes).shape
    (TensorShape([2, 3]), TensorShape([2, 3, 4]))

    Reference:
        Mentzer et al., 2023, https://arxiv.org/abs/2309.15505; `symmetric`: Parker et al.,
        2024, https://arxiv.org/abs/2411.19842.
    """

    def __init__(
        self,
        levels: Sequence[int],
        *,
        num_heads: int = 1,
        symmetric: bool = False,
        saturation_cost: float = 0.25,
        standardize_start: bool = True,
        **kwargs: Any,
    ):
        super().__init__(levels, num_heads, **kwargs)
        self.standardize_start = standardize_start
        self.start = StandardizedStart(name="start", dtype="float32") if standardize_start else None
        self.symmetric = symmetric
        self.saturation_cost = saturation_cost
        self.track_term("saturation_loss")
        levels = np.array(self.levels, "float64")
        self._half = (levels - 1) / 2  # middle of the digits
        # beyond 500 levels the paper's factor would cut off the outermost levels
        self._reach = np.maximum(self._half * (1 - SHRINK), self._half - 0.25)
        even = (levels % 2 == 0) & (not symmetric)
        self._shift = np.where(even, np.tan(0.5 / self._reach), 0.0)
        self._zero = self._half if symmetric else levels // 2  # the digit whose embedding is 0

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        if self.start is not None:
            self.start.build((None, self.num_heads, len(self.levels)))

    def relax(self, heads: Tensor) -> Tensor:
        bounded = ops.tanh(self._argument(heads)) * _float32(self._reach)
        return (bounded + _float32(self._half - self._zero)) / _float32(self._zero)

    def to_digits(self, relaxed: Tensor) -> Tensor:
        # NaN counts as 0: the result of its conversion to an integer depends on the device
        return ops.cast(ops.round(self._digit_of(finite_or_zero(relaxed))), "int32")

    def from_digits(self, digits: Tensor) -> Tensor:
        return (ops.cast(digits, "float32") - _float32(self._zero)) / _float32(self._zero)

    def gap(self, relaxed: Tensor) -> Tensor:
        """Return the distance from the nearest threshold, relative to half the range of the digit."""
        digit = self._digit_of(relaxed)
        return (0.5 - ops.abs(digit - ops.round(digit))) / _float32(self._half)

    def train_call(self, x: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.start is not None and self.trainable:
            self.start.learn(self._heads(x), flat_or_none(weights))
        return super().train_call(x, weights)

    def record(
        self, heads: Tensor, relaxed: Tensor, quantized: Tensor, digits: Tensor, weights: Tensor | None
    ) -> None:
        super().record(heads, relaxed, quantized, digits, weights)
        loss = LossTerm.of(saturation_loss(self._argument(heads), weights))
        self.record_terms(
            {"saturation_loss": loss}, self.saturation_cost * loss if self.saturation_cost else None
        )

    def position_losses(self, x: Tensor) -> Tensor | None:
        if not self.saturation_cost:
            return None
        excess = ops.relu(ops.abs(self._argument(self._heads(x))) - FLAT)
        return self.saturation_cost * self._mean_of_heads(ops.square(excess), x)

    def _argument(self, heads):
        """Return the argument of the tanh."""
        return (heads if self.start is None else self.start(heads)) + _float32(self._shift)

    def _digit_of(self, relaxed):
        return relaxed * _float32(self._zero) + _float32(self._zero)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "levels": list(self.levels),
            "num_heads": self.num_heads,
            "symmetric": self.symmetric,
            "saturation_cost": self.saturation_cost,
            "standardize_start": self.standardize_start,
        }


def _float32(values):
    return np.asarray(values, "float32")


SMALLEST = 1e-6  # a deviation below this fraction of the mean is rounding error


class StandardizedStart(keras.layers.Layer):
    """Standardisation of each channel, `(x - m) / s`, by mean and deviation of the first training batch.

    Until then `m = 0`, `s = 1`. A batch of fewer than two vectors does not set them; a channel without
    deviation keeps `s = 1`. Vectors that are not finite are left out.

    Input shape:
        `(vectors, ...)`, with a mask or weights `(vectors,)` of the batch in `learn`.

    Reference:
        Salimans and Kingma, 2016, section 3, https://arxiv.org/abs/1602.07868.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**{**kwargs, "autocast": False})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = tuple(input_shape[1:])
        own = {"dtype": "float32", "trainable": False, "autocast": False}
        self.mean = self.add_weight(name="mean", shape=channels, initializer="zeros", **own)
        self.deviation = self.add_weight(name="deviation", shape=channels, initializer="ones", **own)
        self.started = self.add_weight(name="started", shape=(), initializer="zeros", **own)

    def call(self, x: Tensor) -> Tensor:
        return (x - ops.convert_to_tensor(self.mean)) / ops.convert_to_tensor(self.deviation)

    def learn(self, x: Tensor, weights: Tensor | None) -> None:
        """Set mean and deviation from the global batch if they are not set; equal on all replicas."""
        x = ops.stop_gradient(x)
        weights = real_weights(ops.reshape(x, (ops.shape(x)[0], 1, -1)), weights)
        weights = ops.reshape(weights, (-1, *[1] * (len(x.shape) - 1)))
        x = ops.where(weights > 0, x, 0.0)  # 0 * NaN is NaN
        total, sums = sum_over_replicas([ops.sum(weights), ops.sum(weights * x, axis=0)])
        mean = ops.divide_no_nan(sums, total)
        variance = ops.divide_no_nan(
            sum_over_replicas(ops.sum(weights * ops.square(x - mean), axis=0)), total
        )
        deviation = ops.sqrt(variance)
        deviation = ops.where(deviation > SMALLEST * ops.abs(mean), deviation, 1.0)
        # selected without a conditional: replicas may not assign inside of one
        starts = ops.logical_and(self.started.value < 0.5, total > 1.5)
        assign_finite(
            (self.mean, tf.where(starts, mean, self.mean.value)),
            (self.deviation, tf.where(starts, deviation, self.deviation.value)),
            (self.started, tf.where(starts, 1.0, self.started.value)),
        )
