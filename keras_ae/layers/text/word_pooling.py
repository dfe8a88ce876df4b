"""Pooling of word vectors."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.ops.sequences import zero_padding

POOLINGS = ("sum", "mean", "max")


@keras.saving.register_keras_serializable(package="keras_ae")
class WordPooling(keras.layers.Layer):
    """Sum, mean or maximum of the vectors of a sentence's words; zeros for a sentence without words.

    Args:
        pooling: "sum", "mean" or "max", per dimension.

    Call arguments:
        x: `(batch, words, dim)`.
        mask: `(batch, words)`, 0 = padding.

    Returns:
        `(batch, dim)`.

    Raises:
        ValueError: if `pooling` is unknown.

    Example:

    >>> x = ops.array([[[1.0], [3.0], [9.0]]])
    >>> WordPooling("mean")(x, mask=ops.array([[1, 1, 0]])).numpy().tolist()
    [[2.0]]

    Reference:
        Shen et al., 2018, https://arxiv.org/abs/1805.09843, which concatenates mean and max.
    """

    def __init__(self, pooling: str = "sum", **kwargs: Any):
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {list(POOLINGS)}. Received: pooling={pooling!r}")
        self.supports_masking = True
        self.pooling = pooling
        self.built = True

    def call(self, x: Any, mask: Any | None = None) -> Any:
        if self.pooling == "sum":
            return ops.sum(zero_padding(x, mask), axis=1)
        words = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, x.dtype)[..., None]
        number = ops.sum(words, axis=1)
        if self.pooling == "mean":
            return ops.divide_no_nan(ops.sum(zero_padding(x, mask), axis=1), number)
        # not -inf: ONNX may multiply by the condition, and 0 * inf is NaN
        lowest = tf.as_dtype(x.dtype).min
        return ops.where(number > 0, ops.max(ops.where(words > 0, x, lowest), axis=1), 0.0)

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        return None

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape[0], input_shape[2]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pooling": self.pooling}
