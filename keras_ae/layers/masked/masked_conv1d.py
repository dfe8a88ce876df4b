"""Convolution over time whose outputs do not depend on padding."""

from typing import Any

import keras
from keras import ops

from keras_ae.ops.sequences import zero_padding


@keras.saving.register_keras_serializable(package="keras_ae")
class MaskedConv1D(keras.layers.Conv1D):
    """`keras.layers.Conv1D` whose output does not depend on how far a batch is padded.

    ```
    y[i] = activation(bias + sum_j kernel[j] x[i * strides + j * dilation_rate - left]),  x = 0 where padded
    left = (kernel_size - 1) * dilation_rate // 2      "same"
    left = (kernel_size - 1) * dilation_rate           "causal"
    ```

    Keras' own layer drops the mask, includes padded frames in the sum, and with `padding="same"` and a
    stride chooses `left` by the length of the batch. Here padded frames are zeroed first, `left` is
    fixed, and the mask is passed on: an example of `length` real frames has `ceil(length / strides)` real
    outputs, the same alone and in any batch. Padding must be at the end of an example.

    Args:
        filters: number of output channels.
        kernel_size: number of frames under the kernel.
        strides: number of frames between outputs.
        padding: `"same"` or `"causal"`; both give `ceil(length / strides)` frames.
        dilation_rate: number of frames between taps of the kernel; must be 1 if `strides` is above 1.
        **kwargs: further arguments of `keras.layers.Conv1D`: `activation`, `use_bias`,
            `groups` (values above 1 do not convert to ONNX), initialisers, regularisers and
            constraints of kernel and bias.

    Call arguments:
        inputs: `(batch, length, channels)`.
        mask: `(batch, length)`, 0 = padding.

    Output shape:
        `(batch, ceil(length / strides), filters)`; its mask is `mask[:, ::strides]`.

    Raises:
        ValueError: for another padding, `strides` and `dilation_rate` both above 1, or a mask that is not
            `(batch, length)`.

    Example:

    >>> layer = MaskedConv1D(4, 3, strides=2)
    >>> x, mask = ops.ones((1, 5, 2)), ops.array([[True, True, True, False, False]])
    >>> y = layer(x, mask=mask)
    >>> y.shape, layer.compute_mask(x, mask).numpy().tolist()
    (TensorShape([1, 3, 4]), [[True, True, False]])
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        *,
        strides: int = 1,
        padding: str = "same",
        dilation_rate: int = 1,
        **kwargs: Any,
    ):
        if padding not in ("same", "causal"):
            raise ValueError(
                f'MaskedConv1D: padding must be "same" or "causal". Received: padding={padding!r}'
            )
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            dilation_rate=dilation_rate,
            data_format="channels_last",
            **kwargs,
        )
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any | None = None) -> Any:
        reach = (self.kernel_size[0] - 1) * self.dilation_rate[0]
        left = reach if self.padding == "causal" else reach // 2
        outputs = ops.conv(
            ops.pad(zero_padding(inputs, mask), ((0, 0), (left, reach - left), (0, 0))),
            self.kernel,
            strides=self.strides,
            padding="valid",
            data_format="channels_last",
            dilation_rate=self.dilation_rate,
        )
        if self.use_bias:
            outputs = outputs + ops.cast(self.bias, outputs.dtype)
        return self.activation(outputs)

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        return None if previous_mask is None else previous_mask[:, :: self.strides[0]]

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("data_format")  # always channels last: a mask is (batch, length)
        return config
