"""Distinct words of a batch."""

import keras
import tensorflow as tf  # keras.ops has no unique

from keras_ae.ops.core import Tensor, has_fixed_shapes


@keras.saving.register_keras_serializable(package="keras_ae")
class DistinctWords(keras.layers.Layer):
    """Distinct word ids of a batch of sentences, and the index of each word in them.

    A value that depends on a word alone, such as its vector or the product of its vector and a matrix, is
    then computed once per batch, however often the word occurs.

    Input shape:
        int32 word ids `(batch, words)`, zero after the end of each sentence.

    Returns:
        `words`: int32 `(distinct,)`; `places`: int32 `(batch, words)`, the index in `words` of each word,
        -1 after the end of a sentence: `ids == words[places]`. In an export and under XLA, where shapes
        are fixed, `words` contains all words in order, with duplicates.

    Example:

    >>> words, places = DistinctWords()(tf.constant([[7, 5, 7], [5, 0, 0]]))
    >>> words.numpy().tolist(), places.numpy().tolist()
    ([7, 5, 0], [[0, 1, 0], [1, -1, -1]])
    """

    def call(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        flat = tf.reshape(ids, [-1])
        words, places = (flat, tf.range(tf.size(flat))) if has_fixed_shapes() else tf.unique(flat)
        return words, tf.where(ids == 0, -1, tf.reshape(places, tf.shape(ids)))

    def compute_output_shape(
        self, ids_shape: tuple[int | None, ...]
    ) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        return (None,), ids_shape

    def compute_output_spec(self, ids: Tensor) -> tuple[keras.KerasTensor, ...]:
        return tuple(keras.KerasTensor(shape, "int32") for shape in self.compute_output_shape(ids.shape))
