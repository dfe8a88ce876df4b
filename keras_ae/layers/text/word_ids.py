"""Word ids of sentences."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_ae.text.tf_tokenizer import tokens
from keras_ae.text.vocabulary import FIRST_WORD, UNKNOWN, Vocabulary


@keras.saving.register_keras_serializable(package="keras_ae")
class WordIds(keras.Layer):
    """Word ids of each sentence, for models that take strings.

    Sentences are split into tokens by `keras_ae.text.tokens`. The ids are those of `Vocabulary`: 0 is
    padding, 1 any unknown word. A SavedModel contains the words in a lookup table, `layer.table`;
    ONNX has no such table: there `tokenize` and the vocabulary file
    accompany the model.

    Args:
        vocabulary: a `Vocabulary`, or a sequence of its words.
        max_words: number of words after which a sentence is cut off; `None`: all words are kept.

    Returns:
        for strings `(batch,)`: `{"ids": int32 (batch, words), "lengths": int32 (batch,)}`.

    Example:

    >>> layer = WordIds(["how", "much", "?"])
    >>> inputs = layer(tf.constant(["How much is it?", ""]))
    >>> inputs["ids"].numpy().tolist(), inputs["lengths"].numpy().tolist()
    ([[2, 3, 1, 1, 4], [0, 0, 0, 0, 0]], [5, 0])
    """

    def __init__(
        self, vocabulary: Vocabulary | Sequence[str], *, max_words: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if max_words is not None and max_words < 1:
            raise ValueError(f"max_words must be at least 1, or None. Received: max_words={max_words}")
        self.vocabulary = vocabulary if isinstance(vocabulary, Vocabulary) else Vocabulary(vocabulary)
        self.max_words = max_words
        words = self.vocabulary.words
        # a table created inside of a graph would be lost with the graph
        with tf.init_scope():
            start = tf.lookup.KeyValueTensorInitializer(
                tf.constant(words, tf.string), tf.range(FIRST_WORD, FIRST_WORD + len(words), dtype=tf.int64)
            )
            self.table = tf.lookup.StaticHashTable(start, UNKNOWN)
        self.built = True

    def call(self, strings: Any) -> dict[str, Any]:
        cut = tokens(strings)[:, : self.max_words]
        ids = cut.with_flat_values(tf.cast(self.table.lookup(cut.flat_values), tf.int32))
        dense = ids.to_tensor()
        # at least one column: recurrent layers fail without columns
        dense = tf.pad(dense, [[0, 0], [0, tf.maximum(0, 1 - tf.shape(dense)[1])]])
        return {"ids": dense, "lengths": tf.cast(ids.row_lengths(), tf.int32)}

    def compute_output_shape(
        self, strings_shape: tuple[int | None, ...]
    ) -> dict[str, tuple[int | None, ...]]:
        return {"ids": (strings_shape[0], None), "lengths": (strings_shape[0],)}

    def compute_output_spec(self, strings: Any) -> dict[str, keras.KerasTensor]:
        shapes = self.compute_output_shape(strings.shape)
        return {name: keras.KerasTensor(shape, "int32") for name, shape in shapes.items()}

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"vocabulary": list(self.vocabulary.words), "max_words": self.max_words}
