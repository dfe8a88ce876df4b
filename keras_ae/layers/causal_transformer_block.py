"""Causal transformer block."""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.layers.base import QuantizableLayer


@keras.saving.register_keras_serializable(package="keras_ae")
class CausalTransformerBlock(QuantizableLayer):
    """Pre-norm transformer block: causal self-attention and a two-layer network, each with a residual.

    ```
    h = x + attention(norm(x))
    y = h + W_2 gelu(W_1 norm(h))
    ```

    `call` processes all positions at once, `step` one position with the keys and values of earlier positions
    in a cache; both give the same result. The softmax is float32 under every dtype policy; the GELU is the
    tanh approximation, which converts to ONNX.

    Args:
        dim: size of the vector at a position, in and out.
        num_heads: number of attention heads, a divisor of `dim`.
        dropout: dropout rate of the outputs of attention and network, before each residual sum.

    Call arguments:
        x: `(batch, length, dim)`.
        visible: `(length, length)` bool, whether the position of a row may attend to that of a column.
        training: whether to apply dropout.

    Raises:
        ValueError: if `dim` is not a multiple of `num_heads`.

    Example:

    >>> block = CausalTransformerBlock(8, num_heads=2)
    >>> y, cache = block(ops.ones((3, 5, 8)), ops.tril(ops.ones((5, 5), "bool")))
    >>> y.shape, cache[0].shape  # keys (batch, heads, length, dim / heads)
    (TensorShape([3, 5, 8]), TensorShape([3, 2, 5, 4]))

    Reference:
        Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; normalisation first:
        Xiong et al., 2020, https://arxiv.org/abs/2002.04745.
    """

    def __init__(self, dim: int, *, num_heads: int = 4, dropout: float = 0.0, **kwargs: Any):
        if dim < 1 or num_heads < 1 or dim % num_heads:
            raise ValueError(
                "dim must be a multiple of num_heads, and both must be at least 1. "
                f"Received: dim={dim}, num_heads={num_heads}"
            )
        super().__init__(**kwargs)
        self.dim = dim
        self.num_heads = num_heads
        self.dropout = dropout
        policy = {"dtype": self.dtype_policy}
        self.attention_norm = keras.layers.LayerNormalization(name="attention_norm", **policy)
        self.queries_keys_values = keras.layers.Dense(3 * dim, name="queries_keys_values", **policy)
        self.attention_output = keras.layers.Dense(dim, name="attention_output", **policy)
        self.network_norm = keras.layers.LayerNormalization(name="network_norm", **policy)
        self.network_input = keras.layers.Dense(4 * dim, activation=_gelu, name="network_input", **policy)
        self.network_output = keras.layers.Dense(dim, name="network_output", **policy)
        self.drop = keras.layers.Dropout(dropout, name="drop", **policy)

    def build(
        self,
        x_shape: tuple[int | None, ...] | None = None,
        visible_shape: tuple[int | None, ...] | None = None,
    ) -> None:
        shape = (None, None, self.dim)
        for layer in (self.attention_norm, self.queries_keys_values, self.attention_output):
            layer.build(shape)
        self.network_norm.build(shape)
        self.network_input.build(shape)
        self.network_output.build((None, None, 4 * self.dim))
        self.built = True

    def call(self, x: Any, visible: Any, training: bool | None = None) -> tuple[Any, tuple[Any, Any]]:
        """Return `(y, (keys, values))` of all positions."""
        queries, keys, values = self._split(x)
        attended = self._attend(queries, keys, values, visible)
        return self._finish(x, attended, training), (keys, values)

    def step(self, x: Any, cache: tuple[Any, Any], position: Any) -> tuple[Any, tuple[Any, Any]]:
        """Return `(y, cache)` of the single position `x` `(batch, 1, dim)`.

        `cache`: keys and values `(batch, heads, length, dim / heads)`, those of earlier
        positions filled in; `position`: scalar int32.
        """
        queries, key, value = self._split(x)
        places = ops.arange(cache[0].shape[2], dtype="int32")
        here = ops.reshape(ops.equal(places, position), (1, 1, -1, 1))
        keys, values = ops.where(here, key, cache[0]), ops.where(here, value, cache[1])
        attended = self._attend(queries, keys, values, ops.expand_dims(places <= position, 0))
        return self._finish(x, attended, training=False), (keys, values)

    def _split(self, x):
        """Return queries, keys and values, each `(batch, heads, length, dim / heads)`."""
        joint = self.queries_keys_values(self.attention_norm(x))
        length = -1 if x.shape[1] is None else x.shape[1]
        heads = ops.reshape(joint, (-1, length, 3, self.num_heads, self.dim // self.num_heads))
        heads = ops.transpose(heads, (2, 0, 3, 1, 4))
        return heads[0], heads[1], heads[2]

    def _attend(self, queries, keys, values, visible):
        scores = ops.cast(ops.matmul(queries, ops.transpose(keys, (0, 1, 3, 2))), "float32")
        scores = scores * (self.dim // self.num_heads) ** -0.5
        scores = ops.where(visible, scores, -1e9)
        # tf.nn: Keras warns where only one key is visible, as at the first position
        weights = ops.cast(tf.nn.softmax(scores), values.dtype)
        attended = ops.transpose(ops.matmul(weights, values), (0, 2, 1, 3))
        length = -1 if attended.shape[1] is None else attended.shape[1]
        return ops.reshape(attended, (-1, length, self.dim))

    def _finish(self, x, attended, training):
        x = x + self.drop(self.attention_output(attended), training=training)
        hidden = self.network_input(self.network_norm(x))
        return x + self.drop(self.network_output(hidden), training=training)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...], *args: Any
    ) -> tuple[tuple, tuple[tuple, tuple]]:
        cache = (input_shape[0], self.num_heads, input_shape[1], self.dim // self.num_heads)
        return tuple(input_shape), (cache, cache)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "dim": self.dim, "num_heads": self.num_heads, "dropout": self.dropout}


def _gelu(x):
    """Return the tanh-approximated GELU.

    `(1 + tanh(a)) / 2 = sigmoid(2 a)`, and products instead of a power, whose gradient is slow.
    """
    return x * ops.sigmoid(2 * (2 / math.pi) ** 0.5 * (x + 0.044715 * x * x * x))
