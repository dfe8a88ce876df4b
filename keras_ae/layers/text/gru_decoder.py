"""GRU decoder conditioned on a vector."""

from typing import Any

import keras
import tensorflow as tf  # packed sequences, whose sizes depend on values
from keras import ops

from keras_ae.layers.base import QuantizableLayer
from keras_ae.layers.text.gru_step import GRUStep
from keras_ae.layers.text.packed_gru import Packing, packed_gru
from keras_ae.ops.core import Tensor, has_fixed_shapes
from keras_ae.ops.sequences import zero_padding

CONDITIONINGS = ("state", "every_step")


@keras.saving.register_keras_serializable(package="keras_ae")
class GRUDecoder(QuantizableLayer):
    """GRU decoder: states from the previous words, conditioned on a vector `v`.

    ```
    r_t, z_t = sigmoid(x_t W + h_(t-1) U + v C + b)
    h~_t     = tanh(x_t W_h + r_t * (h_(t-1) U_h) + v C_h + b_h)
    h_t      = z_t h_(t-1) + (1 - z_t) h~_t
    conditioning="state":        C = 0,  h_0 = v, or tanh(v P + p) where v has another size
    conditioning="every_step":   h_0 = 0, and C = 0 at the start of training
    ```

    The reset gate `r` is applied after the product, as in Keras (`reset_after=True`) and in the released
    code of Skip-Thought; the paper applies it before.

    Args:
        units: size of the state.
        conditioning: "state", as in the released code, or "every_step", as in the paper.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, words, embedding_dim)`: row `t` is the embedding of word `t - 1`, the last word
            known when word `t` is predicted, and zeros for the first word.
        vector: `(batch, dim)`.
        lengths: int `(batch,)`, the number of words to predict in each sentence; `None`: all. On the CPU
            no steps are computed for the others.

    Output shape:
        `(batch, words, units)`: the state from which word `t` is predicted; zeros after `lengths`.

    Raises:
        ValueError: if `units` is below 1, or `conditioning` is unknown.

    Example:

    >>> layer = GRUDecoder(4)
    >>> words, vector = ops.zeros((2, 5, 3)), ops.zeros((2, 6))
    >>> layer(words, vector).shape
    TensorShape([2, 5, 4])
    >>> state, given = layer.start(vector)
    >>> layer.step(words[:, 0], state, given).shape
    TensorShape([2, 4])

    Reference:
        Kiros et al., 2015, section 2.1, https://arxiv.org/abs/1506.06726.
    """

    def __init__(self, units: int, *, conditioning: str = "state", **kwargs: Any):
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"units must be at least 1. Received: units={units!r}")
        if conditioning not in CONDITIONINGS:
            raise ValueError(
                f"conditioning must be one of {list(CONDITIONINGS)}. Received: conditioning={conditioning!r}"
            )
        self.units = units
        self.conditioning = conditioning
        self.cell = GRUStep(units, name="cell", dtype=self.dtype_policy)
        self.recurrence = keras.layers.RNN(self.cell, return_sequences=True, dtype=self.dtype_policy)

    def build(
        self,
        inputs_shape: tuple[int | None, ...],
        vector_shape: tuple[int | None, ...],
        lengths_shape: tuple[int | None, ...] | None = None,
    ) -> None:
        gates, dim = 3 * self.units, vector_shape[-1]
        uniform = keras.initializers.RandomUniform(-0.1, 0.1)
        self.kernel = self.add_weight(
            name="kernel", shape=(inputs_shape[-1], gates), initializer=uniform.clone()
        )
        self.bias = self.add_weight(name="bias", shape=(gates,), initializer="zeros")
        self.condition = self.projection = None
        if self.conditioning == "every_step":
            # zeros: training starts from a decoder that ignores the vector and learns to use it
            self.condition = self.add_weight(name="condition", shape=(dim, gates), initializer="zeros")
        elif dim != self.units:
            self.projection = keras.layers.Dense(
                self.units, "tanh", kernel_initializer=uniform.clone(), dtype=self.dtype_policy
            )
            self.projection.build((None, dim))
        self.recurrence.build((*inputs_shape[:-1], gates))

    def call(self, inputs: Tensor, vector: Tensor, lengths: Tensor | None = None) -> Tensor:
        state, given = self.start(vector)
        if lengths is not None and not has_fixed_shapes() and not tf.config.list_physical_devices("GPU"):
            return ops.cast(self._without_padding(inputs, state, given, lengths), self.compute_dtype)
        # one product for all words: inside of the loop there would be one per word
        gates = ops.matmul(inputs, self.kernel) + given[:, None]
        states = self.recurrence(gates, initial_state=[state])
        if lengths is None:
            return states
        places = ops.arange(ops.shape(inputs)[1], dtype="int32")
        return zero_padding(states, places[None] < ops.cast(lengths, "int32")[:, None])

    def _without_padding(self, inputs, state, given, lengths):
        # float32: CPUs have no half-precision arithmetic
        weights = (self.kernel, self.cell.recurrent_kernel)
        inputs, state, given, kernel, recurrent = (
            tf.cast(part, tf.float32) for part in (inputs, state, given, *weights)
        )
        packing, (batch, longest) = Packing.of(lengths), ops.shape(inputs)[:2]
        places = packing.pack(tf.reshape(tf.range(batch * longest), (batch, longest)))
        words = tf.gather(tf.reshape(inputs, (-1, inputs.shape[-1])), places)
        gates = tf.matmul(words, kernel) + tf.gather(given, places // longest)
        first = tf.gather(state, packing.order)
        states = packed_gru(gates, recurrent, tf.zeros((3 * self.units,)), packing, first)
        padded = tf.scatter_nd(places[:, None], states, (batch * longest, self.units))
        return tf.reshape(padded, (batch, longest, self.units))

    def start(self, vector: Tensor) -> tuple[Tensor, Tensor]:
        """Return `(h_0 (batch, units), v C + b (batch, 3 units))`."""
        vector = ops.cast(vector, self.compute_dtype)
        given = ops.broadcast_to(ops.cast(self.bias, vector.dtype), (ops.shape(vector)[0], 3 * self.units))
        if self.condition is not None:
            given = given + ops.matmul(vector, ops.cast(self.condition, vector.dtype))
            return ops.zeros_like(given[:, : self.units]), given
        return vector if self.projection is None else self.projection(vector), given

    def step(self, inputs: Tensor, state: Tensor, given: Tensor) -> Tensor:
        """Return the next state, given the embedding `(batch, embedding_dim)` of the previous word."""
        inputs = ops.cast(inputs, self.compute_dtype)
        gates = ops.matmul(inputs, ops.cast(self.kernel, inputs.dtype)) + given
        return self.cell(gates, [state])[0]

    def compute_output_shape(
        self,
        inputs_shape: tuple[int | None, ...],
        vector_shape: tuple[int | None, ...],
        lengths_shape: tuple[int | None, ...] | None = None,
    ) -> tuple[int | None, ...]:
        return (*inputs_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "conditioning": self.conditioning}
