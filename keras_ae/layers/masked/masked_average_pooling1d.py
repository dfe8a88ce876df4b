"""Average pooling over time that ignores padding."""

from typing import Any

import keras
from keras import ops

from keras_ae.ops.sequences import zero_padding


@keras.saving.register_keras_serializable(package="keras_ae")
class MaskedAveragePooling1D(keras.layers.Layer):
    """Average pooling over the real frames of windows of `pool_size` frames.

    ```
    y[i] = sum_j mask[i s + j] x[i s + j] / sum_j mask[i s + j],   j = 0 ... s - 1,   s = pool_size
    ```

    `keras.layers.AveragePooling1D` drops the mask and includes padded frames in the mean. Here an example
    of `length` real frames has `ceil(length / pool_size)` real outputs, as with a `MaskedConv1D` of that
    stride, the same alone and in any batch.

    Args:
        pool_size: number of frames averaged.

    Call arguments:
        x: `(batch, length, channels)`.
        mask: `(batch, length)`, 0 = padding.

    Output shape:
        `(batch, ceil(length / pool_size), channels)`; its mask is `mask[:, ::pool_size]`.

    Raises:
        ValueError: if `pool_size` is below 1, or the mask is not `(batch, length)`.

    Example:

    >>> x = ops.reshape(ops.arange(5.0), (1, 5, 1))
    >>> MaskedAveragePooling1D(2)(x)[0, :, 0].numpy().tolist()
    [0.5, 2.5, 4.0]
    """

    def __init__(self, pool_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        if pool_size < 1:
            raise ValueError(
                f"MaskedAveragePooling1D: pool_size must be at least 1. Received: pool_size={pool_size}"
            )
        self.supports_masking = True
        self.pool_size = pool_size

    def call(self, x: Any, mask: Any | None = None) -> Any:
        weights = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, x.dtype)[..., None]
        return ops.divide_no_nan(self._mean(zero_padding(x, mask)), self._mean(weights))

    def _mean(self, x):
        """Return means under the window, zeros past the end."""
        x = ops.pad(x, ((0, 0), (0, self.pool_size - 1), (0, 0)))
        return ops.average_pool(x, self.pool_size, self.pool_size, "valid", data_format="channels_last")

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        return None if previous_mask is None else previous_mask[:, :: self.pool_size]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, length, channels = input_shape
        return batch, None if length is None else -(-length // self.pool_size), channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pool_size": self.pool_size}
