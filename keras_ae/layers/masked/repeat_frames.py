"""Nearest-neighbour upsampling over time that keeps the mask."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class RepeatFrames(keras.layers.Layer):
    """Repetition of frames, `y[t] = x[t // times]`: `keras.layers.UpSampling1D` that passes the mask on.

    Args:
        times: number of times that each frame is repeated.

    Call arguments:
        x: `(batch, length, channels)`.

    Output shape:
        `(batch, times * length, channels)`; its mask repeats each entry `times` times.

    Raises:
        ValueError: if `times` is below 1.

    Example:

    >>> x = ops.reshape(ops.arange(2.0), (1, 2, 1))
    >>> RepeatFrames(2)(x)[0, :, 0].numpy().tolist()
    [0.0, 0.0, 1.0, 1.0]
    """

    def __init__(self, times: int, **kwargs: Any):
        super().__init__(**kwargs)
        if times < 1:
            raise ValueError(f"RepeatFrames: times must be at least 1. Received: times={times}")
        self.supports_masking = True
        self.times = times

    def call(self, x: Any) -> Any:
        return ops.repeat(x, self.times, axis=1)

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        return None if previous_mask is None else ops.repeat(previous_mask, self.times, axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, length, channels = input_shape
        return batch, None if length is None else self.times * length, channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "times": self.times}
