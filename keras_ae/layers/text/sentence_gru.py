"""Sentence vectors from the last states of GRUs."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.layers.text.packed_gru import GRU, Packing, packed_gru
from keras_ae.ops.core import Tensor, has_fixed_shapes


@keras.saving.register_keras_serializable(package="keras_ae")
class SentenceGRU(keras.layers.Layer):
    """Last state of a GRU over the words of each sentence, or of two GRUs, one from each end.

    ```
    z, r = sigmoid(x W_zr + h U_zr + b_zr),   c = tanh(x W_c + r (h U_c + b_c)),   h' = z h + (1 - z) c
    ```

    The GRUs are `keras.layers.GRU`s, in the attribute `directions`. On the CPU their states are computed
    differently: `x W` once for each distinct word of the batch, and no steps for padding.

    Args:
        units: number of units of each GRU.
        bidirectional: whether a second GRU reads from the last word to the first.

    Call arguments:
        words: `(distinct, features)`, vectors of words.
        places: int `(batch, words)`, the index in `words` of each word; negative after the end of a
            sentence.

    Returns:
        `(batch, units)`, with two directions `(batch, 2 units)`, forward first; zeros for a sentence
        without words.

    Example:

    >>> layer = SentenceGRU(4)
    >>> layer(ops.ones((3, 2)), ops.array([[0, 1], [2, -1]])).shape
    TensorShape([2, 8])

    Reference:
        Cho et al., 2014, https://arxiv.org/abs/1406.1078, with the reset gate applied after the product.
    """

    def __init__(self, units: int, *, bidirectional: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = units
        self.bidirectional = bidirectional
        own = {"dtype": self.dtype_policy}
        self.directions = [GRU(units, name="forward", **own)]
        if bidirectional:
            self.directions.append(GRU(units, go_backwards=True, name="backward", **own))

    def build(self, words_shape: tuple[int | None, ...], places_shape: tuple[int | None, ...]) -> None:
        for gru in self.directions:
            gru.build((None, None, words_shape[-1]))
        self.built = True

    def call(self, words: Tensor, places: Tensor) -> Tensor:
        if has_fixed_shapes() or tf.config.list_physical_devices("GPU"):
            x = ops.take(words, ops.maximum(places, 0), axis=0)
            return ops.concatenate([gru(x, mask=places >= 0) for gru in self.directions], axis=-1)
        lengths = tf.math.count_nonzero(places >= 0, axis=1, dtype=tf.int32)
        packing = Packing.of(lengths)
        orders = [places, tf.reverse_sequence(places, lengths, seq_axis=1)]
        last = [
            _last_state(gru, words, order, packing)
            for gru, order in zip(self.directions, orders, strict=False)
        ]
        return ops.cast(ops.concatenate(last, axis=-1), self.compute_dtype)

    def compute_output_shape(
        self, words_shape: tuple[int | None, ...], places_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return places_shape[0], self.units * len(self.directions)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "bidirectional": self.bidirectional}


def _last_state(gru, words, places, packing):
    """Return the last state of `gru` over `words[places]`."""
    weights = (gru.cell.kernel, gru.cell.recurrent_kernel, gru.cell.bias)
    # float32: CPUs have no half-precision arithmetic
    words, kernel, recurrent, bias = (tf.cast(part, tf.float32) for part in (words, *weights))
    products = tf.matmul(words, kernel) + bias[0]
    inputs = tf.gather(products, packing.pack(places))
    return packing.last(packed_gru(inputs, recurrent, bias[1], packing))
