"""SpecAugment: masking of time spans and frequency bands in training."""

from typing import Any

import keras
from keras import ops

from keras_ae.ops.core import Tensor, uniform_noise


@keras.saving.register_keras_serializable(package="keras_ae")
class SpecAugment(keras.layers.Layer):
    """SpecAugment: in training, sets some spans of frames and some bands of each example to 0.

    ```
    y[t, c] = 0 if start <= t < start + width for any time mask, or c for any frequency mask, else x[t, c]
    width ~ uniform {0, ..., W}
    W     = min(time_width, floor(time_fraction * real frames)), or frequency_width
    start ~ uniform {0, ..., size - width},   size = real frames, or channels
    ```

    The spans lie inside of the real frames, so that an example loses equally many frames alone and in a
    padded batch. Masked values are 0, the mean of features that `FrameNormalization` has normalised: put
    this layer after it. Inference changes nothing.

    Args:
        time_masks: number of spans of frames per example.
        time_width: largest number of frames in a span.
        frequency_masks: number of bands per example.
        frequency_width: largest number of channels in a band.
        time_fraction: largest fraction of an example's real frames in one span.
        seed: seed of the noise; replicas draw different masks.

    Call arguments:
        x: `(batch, frames, channels)`.
        mask: `(batch, frames)`, 1 = real; the padding is at the end.
        training: whether to mask anything.

    Output shape:
        as `x`, with its mask.

    Raises:
        ValueError: for negative numbers or widths, or a fraction outside of [0, 1].

    Example:

    >>> layer = SpecAugment(time_masks=1, time_width=3, frequency_masks=0, time_fraction=1.0, seed=0)
    >>> y = layer(ops.ones((1, 10, 4)), training=True)
    >>> int(ops.sum(y == 0)) in (0, 4, 8, 12)
    True

    Reference:
        Park et al., 2019, https://arxiv.org/abs/1904.08779.
    """

    def __init__(
        self,
        time_masks: int = 2,
        time_width: int = 40,
        frequency_masks: int = 2,
        frequency_width: int = 15,
        *,
        time_fraction: float = 0.2,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        numbers = (time_masks, time_width, frequency_masks, frequency_width)
        if min(numbers) < 0 or not 0.0 <= time_fraction <= 1.0:
            raise ValueError(
                "SpecAugment: numbers and widths of masks must be at least 0, and time_fraction must be in "
                "[0, 1]. Received: (time_masks, time_width, frequency_masks, frequency_width)="
                f"{numbers}, time_fraction={time_fraction!r}"
            )
        self.supports_masking = True
        self.time_masks = time_masks
        self.time_width = time_width
        self.frequency_masks = frequency_masks
        self.frequency_width = frequency_width
        self.time_fraction = time_fraction
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        if not training:
            return x
        batch, frames, channels = ops.shape(x)[0], ops.shape(x)[1], x.shape[-1]
        real = (
            ops.full((batch, 1), frames, "int32")
            if mask is None
            else ops.sum(ops.cast(mask, "int32"), 1, True)
        )
        real = ops.cast(real, "float32")
        width = ops.minimum(float(self.time_width), ops.floor(self.time_fraction * real))
        times = self._hidden(batch, frames, self.time_masks, real, width)
        bands = self._hidden(
            batch,
            channels,
            self.frequency_masks,
            ops.full((batch, 1), float(channels), "float32"),
            float(min(self.frequency_width, channels)),
        )
        hidden = ops.logical_or(times[:, :, None], bands[:, None, :])
        return ops.where(hidden, ops.zeros_like(x), x)

    def _hidden(self, batch, size, count, real, most):
        """Return the union of `count` spans of at most `most` of the `real` places: `(batch, size)` bool."""
        drawn = uniform_noise((2, batch, count), self.seed_generator)
        width = ops.floor(drawn[0] * (most + 1.0))
        start = ops.floor(drawn[1] * (real - width + 1.0))
        place = ops.arange(size, dtype="float32")[None, :, None]
        inside = ops.logical_and(place >= start[:, None], place < (start + width)[:, None])
        return ops.any(inside, axis=-1)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Tensor | None:
        return previous_mask

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "time_masks": self.time_masks,
            "time_width": self.time_width,
            "frequency_masks": self.frequency_masks,
            "frequency_width": self.frequency_width,
            "time_fraction": self.time_fraction,
            "seed": self.seed,
        }
