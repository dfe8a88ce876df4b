"""A fixed number of segment means of a sequence."""

from typing import Any

import keras
from keras import ops

from keras_ae.ops.sequences import zero_padding


@keras.saving.register_keras_serializable(package="keras_ae")
class SegmentMeans(keras.layers.Layer):
    """Means over equal segments of the real positions of a sequence.

    ```
    y[k] = (segments / length) sum_t overlap([t, t + 1], [k, k + 1] length / segments) x[t]
    ```

    A position on the border of two segments counts in both, in proportion, so that sequences shorter than
    the number of segments still have all of them. Unlike one mean over time, the result distinguishes
    early from late positions.

    Args:
        segments: number of segments.

    Call arguments:
        x: `(batch, length, channels)`.
        mask: `(batch, length)`, 1 = real; the padding is at the end.

    Output shape:
        `(batch, segments, channels)`, without a mask; 0 for an example of padding alone.

    Raises:
        ValueError: for fewer than one segment.

    Example:

    >>> x = ops.reshape(ops.arange(6.0), (1, 6, 1))
    >>> SegmentMeans(3)(x)[0, :, 0].numpy().tolist()
    [0.5, 2.5, 4.5]
    """

    def __init__(self, segments: int = 8, **kwargs: Any):
        super().__init__(**kwargs)
        if segments < 1:
            raise ValueError(f"SegmentMeans: segments must be at least 1. Received: segments={segments!r}")
        self.supports_masking = True
        self.segments = segments

    def call(self, x: Any, mask: Any | None = None) -> Any:
        length = ops.cast(ops.shape(x)[1], "float32") * ops.ones_like(ops.cast(x[:, 0, 0], "float32"))
        if mask is not None:
            x, length = zero_padding(x, mask), ops.sum(ops.cast(mask, "float32"), axis=1)
        size = length[:, None, None] / self.segments
        first = ops.arange(self.segments, dtype="float32")[None, :, None] * size
        position = ops.arange(ops.shape(x)[1], dtype="float32")[None, None]
        overlap = ops.minimum(position + 1.0, first + size) - ops.maximum(position, first)
        weights = ops.divide_no_nan(ops.relu(overlap), size)
        return ops.matmul(ops.cast(weights, x.dtype), x)

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.segments, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "segments": self.segments}
