"""Embedding as digits of a few levels each."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

from keras_ae.layers.grid_quantizer import GridQuantizer
from keras_ae.losses.finite_scalar_quantization import saturation_loss

SHRINK = 1e-3  # keeps a saturated tanh inside of its outermost level


@keras.saving.register_keras_serializable(package="keras_ae")
class FiniteScalarQuantizer(GridQuantizer):
    """Rounds each of a few bounded channels to one of a few levels.

    The `prod(levels)` combinations are the codebook; none is stored, learnt or revived.

    ```
    bounded   = (L - 1)(1 - eps)/2 * tanh(x + shift) - offset
    offset, shift = 0, 0  for odd L;   1/2, tan(1 / ((L - 1)(1 - eps)))  for even L
    digit     = round(bounded) + floor(L/2)                                0 .. L - 1
    embedding = round(bounded) / floor(L/2)                                in [-1, 1]
    gradient  = that of the embedding, handed to bounded / floor(L/2) unchanged
    loss      = saturation_cost * mean max(|x + shift| - 2, 0)^2
    ```

    The loss is not the paper's. Where the mean of the data reaches the encoder, all vectors may
    drift to where the tanh is flat: then they have one code, and no gradient to leave it by.

    Args:
        levels: `L` of each channel. The paper advises at least 5 a channel, and has `[8, 5, 5, 5]`
            for 2^10 codes, `[7, 5, 5, 5, 5]` for 2^12, `[8, 8, 8, 5, 5, 5]` for 2^16.
        num_heads: so many codes per vector, each with all of `levels`.
        symmetric: even `L` without shift, its levels symmetric about 0 like those of odd `L`:
            `embedding = 2 digit/(L - 1) - 1`. With 2 levels the threshold is then at 0.

        saturation_cost: weight of the loss; 0: as in the paper.

    Call arguments:
        x: `(batch, ..., dim)`. Where `dim` is not `num_heads * len(levels)`, a learned linear
            map leads there, and another one from the levels back to `dim`.
        mask: `(batch, ...)`, 1 = real.
        training: whether to train.
        return_codes: also return the codes.

    Output shape:
        embedding `(batch, ..., dim)`; codes int32 `(batch, ...)`, with several heads
        `(batch, ..., heads)`: `digit_0 + L_0 (digit_1 + L_1 (digit_2 + ...))`.

    Metrics:
        `perplexity` and `usage` of the codes; where all heads together have more than 2^18
        codes, of the digits: `usage` is then the share of the (channel, level) pairs that
        occurred, `perplexity` the mean over the channels. `saturation_loss`.

    Raises:
        ValueError: a channel of fewer than 2 levels, or codes beyond 31 bits.

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
        **kwargs,
    ):
        super().__init__(levels, num_heads, **kwargs)
        self.symmetric = symmetric
        self.saturation_cost = saturation_cost
        self.track_term("saturation_loss")
        levels = np.array(self.levels, "float64")
        self._half = (levels - 1) / 2  # middle of the digits
        # beyond 500 levels the paper's factor would cut the outermost ones off
        self._reach = np.maximum(self._half * (1 - SHRINK), self._half - 0.25)
        even = (levels % 2 == 0) & (not symmetric)
        self._shift = np.where(even, np.tan(0.5 / self._reach), 0.0)
        self._zero = self._half if symmetric else levels // 2  # the digit whose embedding is 0

    def relax(self, heads):
        bounded = ops.tanh(heads + _float32(self._shift)) * _float32(self._reach)
        return (bounded + _float32(self._half - self._zero)) / _float32(self._zero)

    def to_digits(self, relaxed):
        return ops.cast(ops.round(self._digit_of(relaxed)), "int32")

    def from_digits(self, digits):
        return (ops.cast(digits, "float32") - _float32(self._zero)) / _float32(self._zero)

    def gap(self, relaxed):
        """Distance from the nearest threshold, relative to half the range of the digit."""
        digit = self._digit_of(relaxed)
        return (0.5 - ops.abs(digit - ops.round(digit))) / _float32(self._half)

    def record(self, heads, relaxed, quantized, digits, weights):
        super().record(heads, relaxed, quantized, digits, weights)
        loss = saturation_loss(heads + _float32(self._shift), weights)
        self.record_terms(
            {"saturation_loss": loss}, self.saturation_cost * loss if self.saturation_cost else None
        )

    def _digit_of(self, relaxed):
        return relaxed * _float32(self._zero) + _float32(self._zero)

    def get_config(self):
        return {
            **super().get_config(),
            "levels": list(self.levels),
            "num_heads": self.num_heads,
            "symmetric": self.symmetric,
            "saturation_cost": self.saturation_cost,
        }


def _float32(values):
    return np.asarray(values, "float32")
