"""Channel axis for waveforms."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class AddChannel(keras.layers.Layer):
    """Channel axis of waveforms: `(batch, samples)` to `(batch, samples, 1)`, with the mask of the samples.

    Example:

    >>> AddChannel()(ops.ones((2, 5))).shape
    TensorShape([2, 5, 1])
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return ops.expand_dims(inputs, -1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape, 1)
