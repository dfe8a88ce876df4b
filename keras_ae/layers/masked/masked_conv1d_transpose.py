"""Transposed convolution over time whose outputs do not depend on padding."""

from typing import Any

import keras
from keras import ops

from keras_ae.ops.sequences import zero_padding


@keras.saving.register_keras_serializable(package="keras_ae")
class MaskedConv1DTranspose(keras.layers.Conv1DTranspose):
    """`keras.layers.Conv1DTranspose` whose output does not depend on how far a batch is padded.

    ```
    y[t] = activation(bias + sum_{i * strides + j - left = t} kernel[j] x[i]),  x = 0 where padded
    left = max(kernel_size - strides, 0) // 2
    ```

    Padded frames are zeroed first and the mask is passed on: an example of `length` real frames has
    `length * strides` real outputs, the same alone and in any batch. After a `MaskedConv1D` of the same
    stride this is the original length rounded up to a multiple of the stride.

    Args:
        filters: number of output channels.
        kernel_size: number of outputs that an input frame affects.
        strides: number of output frames per input frame. With a kernel shorter than this, some frames
            contain only the bias.
        padding: `"same"`, the only choice.
        **kwargs: further arguments of `keras.layers.Conv1DTranspose`: `activation`,
            `use_bias`, initialisers, regularisers and constraints of kernel and bias.

    Call arguments:
        inputs: `(batch, length, channels)`.
        mask: `(batch, length)`, 0 = padding.

    Output shape:
        `(batch, length * strides, filters)`; its mask repeats each entry `strides` times.

    Raises:
        ValueError: for another padding, or a mask that is not `(batch, length)`.

    Example:

    >>> layer = MaskedConv1DTranspose(4, 3, strides=2)
    >>> x, mask = ops.ones((1, 3, 2)), ops.array([[True, True, False]])
    >>> y = layer(x, mask=mask)
    >>> y.shape, layer.compute_mask(x, mask).numpy().astype(int).tolist()
    (TensorShape([1, 6, 4]), [[1, 1, 1, 1, 0, 0]])

    Reference:
        Dumoulin & Visin, 2016, https://arxiv.org/abs/1603.07285, chapter 4.
    """

    def __init__(
        self, filters: int, kernel_size: int, *, strides: int = 1, padding: str = "same", **kwargs: Any
    ):
        if padding != "same":
            raise ValueError(f'MaskedConv1DTranspose: padding must be "same". Received: padding={padding!r}')
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            padding=padding,
            output_padding=None,
            data_format="channels_last",
            **kwargs,
        )
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any | None = None) -> Any:
        # "same" crops max(kernel_size - strides, 0) frames in all, whatever the length
        return super().call(zero_padding(inputs, mask))

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        return None if previous_mask is None else ops.repeat(previous_mask, self.strides[0], axis=1)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for fixed in ("data_format", "output_padding"):  # lengths and masks depend on them
            config.pop(fixed)
        return config
