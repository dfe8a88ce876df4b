"""Softmax over the words of a vocabulary, full or sampled."""

from typing import Any

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
    """Word softmax `p(k | h) = softmax_k(h . w_k + b_k)` over `V` words, and its cross-entropy.

    With `num_sampled`, the training loss is the cross-entropy of identifying the true word among that
    number of words drawn from `q`, the same ones for all words of a call, see
    `losses.sampled_cross_entropy`: its cost does not grow with the vocabulary. Evaluation uses the full
    softmax.

    ```
    q(k) = log((k + 2) / (k + 1)) / log(V + 1)
    ```

    This is Zipf's law if word ids are in order of falling frequency, as in `text.Vocabulary`, and it is
    the initial distribution: `b = log q`. Adam changes a weight by about the learning rate per step, and
    would need thousands of steps to learn from zeros which words are rare.

    Args:
        vocabulary_size: `V`.
        num_sampled: number of words drawn in training; `None`: the full softmax.
        seed: seed of the draws.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `h`, `(..., units)`.

    Output shape:
        logits `(..., V)`, float32.

    Raises:
        ValueError: if `vocabulary_size` or `num_sampled` is below 1.

    Example:

    >>> layer = WordSoftmax(50, num_sampled=10, seed=0)
    >>> states, words = ops.ones((6, 4)), ops.arange(6)
    >>> layer(states).shape, layer.cross_entropy(states, words, training=True).shape
    (TensorShape([6, 50]), TensorShape([6]))
    """

    def __init__(
        self, vocabulary_size: int, *, num_sampled: int | None = None, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        if vocabulary_size < 1 or (num_sampled is not None and num_sampled < 1):
            raise ValueError(
                "vocabulary_size and num_sampled must be at least 1. "
                f"Received: vocabulary_size={vocabulary_size!r}, num_sampled={num_sampled!r}"
            )
        self.vocabulary_size = vocabulary_size
        self.num_sampled = num_sampled
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        # one row per word, so that the rows of some words can be gathered
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.vocabulary_size, input_shape[-1]),
            initializer=keras.initializers.RandomUniform(-0.1, 0.1),
        )
        self.bias = self.add_weight(name="bias", shape=(self.vocabulary_size,), initializer=_zipf)

    def call(self, inputs: Any) -> Any:
        scores = ops.matmul(inputs, ops.transpose(ops.cast(self.kernel, inputs.dtype)))
        return ops.cast(scores, "float32") + ops.cast(self.bias, "float32")

    def cross_entropy(self, inputs: Any, targets: Any, training: bool = False) -> Any:
        """Return `-log p(target | h)` in nats, `(words,)` float32.

        Args:
            inputs: `h`, `(words, units)`.
            targets: int `(words,)`, below `vocabulary_size`.
            training: whether to use sampled words, if `num_sampled` is given.

        Raises:
            InputError: if targets are out of range; in a graph they are clamped to it.
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
        """Return the rows of the kernel in `dtype`, and of the bias in float32."""
        kernel = ops.take(self.kernel, words, axis=0)
        return ops.cast(kernel, dtype), ops.cast(ops.take(self.bias, words, axis=0), "float32")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.vocabulary_size)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        names = ("vocabulary_size", "num_sampled", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _zipf(shape, dtype=None):
    return ops.cast(log_uniform_log_prob(ops.arange(shape[0], dtype="int32"), shape[0]), dtype or "float32")
