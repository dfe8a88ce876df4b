"""Sampled softmax: cross-entropy over many words, estimated from some of them."""

from typing import Any

import keras
from keras import ops

from keras_ae.losses.contrastive import contrastive_prediction


def log_uniform_words(count: int, vocabulary_size: int, seed: int | keras.random.SeedGenerator) -> Any:
    """Draw words with replacement, small ids more often.

    ```
    q(k) = log((k + 2) / (k + 1)) / log(V + 1),    k = 0 .. V - 1
    ```

    This is Zipf's law if ids are in order of falling frequency, as in `text.Vocabulary`.

    Args:
        count: number of draws.
        vocabulary_size: `V`.
        seed: integer or `keras.random.SeedGenerator`.

    Returns:
        int32 `(count,)`.

    Example:

    >>> words = log_uniform_words(10_000, 9, seed=0)
    >>> round(float(ops.mean(ops.cast(words == 0, "float32"))), 1)  # log 2 / log 10
    0.3
    """
    uniform = keras.random.uniform((count,), dtype="float32", seed=seed)
    words = ops.cast(ops.exp(uniform * ops.log(ops.cast(vocabulary_size + 1, "float32"))), "int32") - 1
    return ops.clip(words, 0, vocabulary_size - 1)  # rounding may give V


def log_uniform_log_prob(words: Any, vocabulary_size: int) -> Any:
    """Return `log q(k)` of `log_uniform_words`, float32 of the shape of `words`.

    Example:

    >>> float(ops.sum(ops.exp(log_uniform_log_prob(ops.arange(50), 50))))  # doctest: +ELLIPSIS
    1.0...
    """
    words = ops.cast(words, "float32")
    return ops.log(ops.log1p(1 / (words + 1)) / ops.log(ops.cast(vocabulary_size + 1, "float32")))


def sampled_cross_entropy(scores: Any, log_prob: Any, sampled_scores: Any, sampled_log_prob: Any) -> Any:
    """Return the cross-entropy of identifying the true word among `S` words drawn from `q`.

    ```
    loss = -log( e^(s_t) / q(t) / ( e^(s_t) / q(t) + sum_i e^(s_(k_i)) / q(k_i) ) ),    k_i ~ q
    ```

    In expectation over draws it is minimal if `softmax(s)` is the distribution of the words, for any `S`
    and `q`. For this, the true word is divided by `q` like the others, and is kept among them if it is
    drawn. The loss is that of a choice among `S + 1`, not that of the full softmax.

    Args:
        scores: `s_t`, `(words,)`, of the true words.
        log_prob: `log q`, `(words,)`, of the true words.
        sampled_scores: `s_k`, `(words, S)`, of the drawn words.
        sampled_log_prob: `log q`, `(S,)`, of the drawn words.

    Returns:
        nats `(words,)`, float32.

    Example:

    >>> nats = sampled_cross_entropy(ops.zeros((1,)), ops.log([0.5]), ops.zeros((1, 2)), ops.log([0.5, 0.25]))
    >>> round(float(ops.exp(nats)[0]), 4)  # (2 + 2 + 4) / 2
    4.0

    Reference:
        The ranking objective of Ma and Collins, 2018, https://arxiv.org/abs/1809.01812; for large
        vocabularies: Jean et al., 2015, https://arxiv.org/abs/1412.2007.
    """
    return contrastive_prediction(scores - log_prob, sampled_scores - sampled_log_prob)
