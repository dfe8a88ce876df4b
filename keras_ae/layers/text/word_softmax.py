"""The distribution over the words of a vocabulary, whole or sampled."""

import keras
from keras import ops

from keras_ae.errors import integers_in
from keras_ae.losses.sampled_softmax import (
    log_uniform_log_prob,
    log_uniform_words,
    sampled_cross_entropy,
)


@keras.saving.register_keras_serializable(package="keras_ae")
class WordSoftmax(keras.layers.Layer):
    """`p(k | h) = softmax_k(h . w_k + b_k)` over `V` words, and its cross-entropy.

    With `num_sampled` the cross-entropy in training is that of telling the true word from so many
    words drawn from `q`, the same ones for all words of a call, see `losses.sampled_cross_entropy`:
    its cost no longer grows with the vocabulary. Evaluation takes the whole softmax.

    ```
    q(k) = log((k + 2) / (k + 1)) / log(V + 1)
    ```

    That is Zipf's law where numbers of words follow falling frequency, as in `text.Vocabulary`, and it
    is where training starts: `b = log q`. Adam moves a number by a learning rate a step, and would
    need thousands of steps to find out from zeros which words are rare.

    Args:
        vocabulary_size: `V`.
        num_sampled: words drawn in training; `None`: the whole softmax.
        seed: of the draws.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: `(..., units)`: `h`.

    Output shape:
        `(..., V)` float32, the logits.

    Raises:
        ValueError: `vocabulary_size` or `num_sampled` below 1.

    Example:

    >>> layer = WordSoftmax(50, num_sampled=10, seed=0)
    >>> states, words = ops.ones((6, 4)), ops.arange(6)
    >>> layer(states).shape, layer.cross_entropy(states, words, training=True).shape
    (TensorShape([6, 50]), TensorShape([6]))
    """

    def __init__(
        self, vocabulary_size: int, *, num_sampled: int | None = None, seed: int | None = None, **kwargs
    ):
        super().__init__(**kwargs)
        if vocabulary_size < 1 or (num_sampled is not None and num_sampled < 1):
            raise ValueError(
                "vocabulary_size and num_sampled are at least 1. "
                f"Received: vocabulary_size={vocabulary_size!r}, num_sampled={num_sampled!r}"
            )
        self.vocabulary_size = vocabulary_size
        self.num_sampled = num_sampled
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape):
        # a row for each word, so that the rows of some can be taken
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.vocabulary_size, input_shape[-1]),
            initializer=keras.initializers.RandomUniform(-0.1, 0.1),
        )
        self.bias = self.add_weight(name="bias", shape=(self.vocabulary_size,), initializer=_zipf)

    def call(self, inputs):
        scores = ops.matmul(inputs, ops.transpose(ops.cast(self.kernel, inputs.dtype)))
        return ops.cast(scores, "float32") + ops.cast(self.bias, "float32")

    def cross_entropy(self, inputs, targets, training=False):
        """`-log p(target | h)` in nats, `(words,)` float32.

        Args:
            inputs: `(words, units)`: `h`.
            targets: int `(words,)`, below `vocabulary_size`.
            training: whether the words of the softmax may be sampled.

        Raises:
            InputError: targets out of range; in a graph they are clamped to it.
        """
        targets = integers_in("targets", targets, self.vocabulary_size)
        if not training or self.num_sampled is None:
            return keras.losses.sparse_categorical_crossentropy(targets, self(inputs), from_logits=True)
        if not self.built:
            self.build(inputs.shape)
        sampled = log_uniform_words(self.num_sampled, self.vocabulary_size, self.seed_generator)
        kernel, bias = self._rows(sampled, inputs.dtype)
        sampled_scores = ops.cast(ops.matmul(inputs, ops.transpose(kernel)), "float32") + bias
        kernel, bias = self._rows(targets, inputs.dtype)
        scores = ops.cast(ops.sum(inputs * kernel, axis=-1), "float32") + bias
        log_probs = [log_uniform_log_prob(words, self.vocabulary_size) for words in (targets, sampled)]
        return sampled_cross_entropy(scores, log_probs[0], sampled_scores, log_probs[1])

    def _rows(self, words, dtype):
        """Rows of the kernel in `dtype`, and of the bias in float32."""
        kernel = ops.take(self.kernel, words, axis=0)
        return ops.cast(kernel, dtype), ops.cast(ops.take(self.bias, words, axis=0), "float32")

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.vocabulary_size)

    def compute_output_spec(self, inputs):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self):
        names = ("vocabulary_size", "num_sampled", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _zipf(shape, dtype=None):
    return ops.cast(log_uniform_log_prob(ops.arange(shape[0], dtype="int32"), shape[0]), dtype or "float32")
