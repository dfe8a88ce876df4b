"""Sentences as bags of words."""

import keras
from keras import ops

from keras_ae.layers.masking import zero_padding

POOLINGS = ("sum", "mean")


@keras.saving.register_keras_serializable(package="keras_ae")
class WordPooling(keras.layers.Layer):
    """The sum or the mean of the vectors of a sentence's words; zeros of a sentence without words.

    Args:
        pooling: "sum" or "mean".

    Call arguments:
        x: `(batch, words, dim)`.
        mask: `(batch, words)`, 0 = padding.

    Returns:
        `(batch, dim)`.

    Raises:
        ValueError: unknown `pooling`.

    Example:

    >>> x = ops.array([[[1.0], [3.0], [9.0]]])
    >>> WordPooling("mean")(x, mask=ops.array([[1, 1, 0]])).numpy().tolist()
    [[2.0]]
    """

    def __init__(self, pooling: str = "sum", **kwargs):
        super().__init__(**kwargs)
        if pooling not in POOLINGS:
            raise ValueError(f"pooling is one of {list(POOLINGS)}. Received: pooling={pooling!r}")
        self.supports_masking = True
        self.pooling = pooling
        self.built = True

    def call(self, x, mask=None):
        total = ops.sum(zero_padding(x, mask), axis=1)
        if self.pooling == "sum":
            return total
        words = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, x.dtype)[..., None]
        return ops.divide_no_nan(total, ops.sum(words, axis=1))

    def compute_mask(self, inputs, previous_mask=None):
        return None

    def compute_output_shape(self, input_shape):
        return input_shape[0], input_shape[2]

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling}
