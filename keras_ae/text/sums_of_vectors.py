"""Scaling of word vectors for sentence vectors that are their sums."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from keras_ae.errors import InputError
from keras_ae.text.word_vectors import WordVectors


def scaled_for_sums(vectors: WordVectors, sentences: Iterable[list[str]]) -> WordVectors:
    """Return vectors scaled so that products of two sentence sums have a standard deviation of 1.

    The result is an initial table for a bag of words:

    ```
    v'_w = a (v_w - m),    m = sum_w p_w v_w,    a^2 = 1 / (n |C|_F),    C = sum_w p_w (v_w - m)(v_w - m)^T
    ```

    `p_w` are the shares of the words in the text, `n` is the mean number of words of a sentence. The mean
    `m` of word vectors is not zero: without subtracting it, products of sums of n words would be near
    n^2 |m|^2 for any words, and a softmax of such products is hard to train.

    Args:
        vectors: table of word vectors, such as skip-gram.
        sentences: tokens of each sentence of the text; words without a vector are ignored.

    Raises:
        InputError: the text has fewer than two of the words of the table.

    Example:

    >>> table = WordVectors(["a", "b"], [[5.0, 3.0], [5.0, -3.0]])
    >>> (10 * scaled_for_sums(table, [["a", "b", "c"], ["b", "a"]]).vectors).round().tolist()
    [[0.0, 7.0], [0.0, -7.0]]
    """
    counts: Counter[str] = Counter()
    number = 0
    for sentence in sentences:
        counts.update(word for word in sentence if word in vectors)
        number += 1
    if len(counts) < 2:
        raise InputError(f"sentences must contain at least two words of the table. Received: {len(counts)}")
    shares = np.array([counts[word] for word in vectors.words], "float64")
    length = shares.sum() / number
    shares /= shares.sum()
    centred = vectors.vectors - shares @ vectors.vectors
    covariance = (shares[:, None] * centred).T @ centred
    scale = (length * np.linalg.norm(covariance)) ** -0.5
    return WordVectors(vectors.words, scale * centred)
