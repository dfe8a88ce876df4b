"""Pixel shuffle over time: channels become frames, so that a convolution at the lower rate upsamples."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class PixelShuffle1D(keras.layers.Layer):
    """Pixel shuffle over time: each frame becomes `factor` frames of fewer channels.

    `y[factor t + j, c] = x[t, factor c + j]`

    Args:
        factor: number of output frames per input frame.

    Call arguments:
        x: `(batch, length, factor * channels)`.

    Output shape:
        `(batch, factor * length, channels)`; its mask repeats each entry `factor` times.

    Raises:
        ValueError: if `factor` is below 1, or does not divide the number of channels.

    Example:

    >>> x = ops.reshape(ops.arange(4.0), (1, 2, 2))
    >>> PixelShuffle1D(2)(x)[0, :, 0].numpy().tolist()
    [0.0, 1.0, 2.0, 3.0]

    Reference:
        Shi et al., 2016, https://arxiv.org/abs/1609.05158; over time: Chou et al., 2018,
        https://arxiv.org/abs/1804.02812.
    """

    def __init__(self, factor: int, **kwargs: Any):
        super().__init__(**kwargs)
        if factor < 1:
            raise ValueError(f"PixelShuffle1D: factor must be at least 1. Received: factor={factor}")
        self.supports_masking = True
        self.factor = factor

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        if len(input_shape) != 3 or channels is None or channels % self.factor:
            raise ValueError(
                f"The input of PixelShuffle1D '{self.name}' must have the shape (batch, length, channels), "
                f"with channels a multiple of {self.factor}. Received: shape {tuple(input_shape)}"
            )

    def call(self, x: Any) -> Any:
        batch, length, channels = ops.shape(x)[0], ops.shape(x)[1], x.shape[-1] // self.factor
        x = ops.reshape(x, (batch, length, channels, self.factor))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2)), (batch, self.factor * length, channels))

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        return None if previous_mask is None else ops.repeat(previous_mask, self.factor, axis=1)

    def compute_output_shape(
        self, input_shape: tuple[int | None, int | None, int]
    ) -> tuple[int | None, int | None, int]:
        batch, length, channels = input_shape
        return batch, None if length is None else self.factor * length, channels // self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}
