"""Nearest neighbours of sentences and of words, as text."""

from collections.abc import Callable, Sequence

import keras
import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.probes.neighbours import nearest_neighbours
from keras_ae.evaluation.text._sentence_vectors import SentenceVectors
from keras_ae.text.vocabulary import FIRST_WORD
from keras_ae.text.word_vectors import WordVectors


def nearest_sentences(
    encode: Callable, queries: str | Sequence[str], sentences: Sequence[str], k: int = 5
) -> list:
    """Return the `k` sentences whose vectors have the largest cosine with the vector of each query.

    Args:
        encode: a model with `encode`, such as `models.QuickThought`, or a function; it takes a list
            of str and returns `(sentences, dim)`.
        queries: a sentence, or a list of sentences.
        sentences: sentences to search. Equal sentences count once, and a query is never its own
            neighbour.
        k: number of neighbours; fewer are returned if there are fewer sentences.

    Returns:
        `[(sentence, cosine), ...]`, nearest first; for a list of queries, a list of such lists.

    Raises:
        InputError: there are no sentences, or `k` is below 1.

    Example:

    >>> letters = lambda texts: np.array([[text.count("a"), text.count("b"), 1.0] for text in texts])
    >>> near = nearest_sentences(letters, "aab", ["ab", "bb", "aab", "aaabb"], k=2)
    >>> [(sentence, round(cosine, 3)) for sentence, cosine in near]
    [('aaabb', 0.982), ('ab', 0.943)]
    """
    listed = [queries] if isinstance(queries, str) else list(queries)
    vectors = SentenceVectors(encode, [*sentences, *listed])
    distinct = list(dict.fromkeys(sentences))
    found = _nearest(vectors(distinct), distinct, vectors(listed), listed, k, "sentences")
    return found[0] if isinstance(queries, str) else found


def nearest_words(vectors: WordVectors | keras.Model, words: str | Sequence[str], k: int = 5) -> list:
    """Return the `k` words whose vectors have the largest cosine with the vector of each word.

    Args:
        vectors: `WordVectors`, or a `SentenceModel`, whose trained word vectors are used.
        words: a word, or a list of words.
        k: number of neighbours; fewer are returned if there are fewer words.

    Returns:
        `[(word, cosine), ...]`, nearest first; for a list of words, a list of such lists.

    Raises:
        InputError: a word has no vector, or `k` is below 1.

    Example:

    >>> table = WordVectors(["cat", "dog", "tree"], [[1.0, 0.1], [1.0, 0.2], [0.0, 1.0]])
    >>> nearest_words(table, "cat", k=1)[0][0]
    'dog'
    """
    table = vectors if isinstance(vectors, WordVectors) else trained_word_vectors(vectors)
    listed = [words] if isinstance(words, str) else list(words)
    unknown = [word for word in listed if word not in table]
    if unknown:
        raise InputError(
            f"All words must have a vector. Received words without one: {', '.join(map(repr, unknown[:5]))}"
        )
    found = _nearest(
        table.vectors, table.words, np.stack([table[word] for word in listed]), listed, k, "words"
    )
    return found[0] if isinstance(words, str) else found


def trained_word_vectors(model: keras.Model) -> WordVectors:
    """Return the word vectors of a `SentenceModel`; those of several encoders are concatenated.

    Raises:
        InputError: the model has no vocabulary, or no embedding of it.
    """
    tables = [layer.embeddings for layer in word_embeddings(model)]
    rows = np.concatenate([table.numpy()[FIRST_WORD:] for table in tables], axis=1)
    return WordVectors(model.vocabulary.words, rows)


def word_embeddings(model: keras.Model) -> list[keras.layers.Embedding]:
    """Return the layers of a `SentenceModel` that have a vector for each number of its vocabulary.

    Raises:
        InputError: the model has no vocabulary, or no such layer.
    """
    if getattr(model, "vocabulary", None) is None:
        raise InputError("The model must be a SentenceModel with a vocabulary. Received: a model without one")
    found = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Embedding) and layer.input_dim == len(model.vocabulary)
    ]
    if not found:
        raise InputError(
            f"{type(model).__name__} must contain a keras.layers.Embedding of all "
            f"{len(model.vocabulary)} ids of its vocabulary. Received: none"
        )
    return found


def _nearest(z, texts, points, queries, k, what):
    """Return for each query the `k` texts with the largest cosine, without the query itself."""
    if k < 1:
        raise InputError(f"k must be at least 1. Received: {k=}")
    if not len(texts):
        raise InputError(f"{what} to search in must not be empty. Received: none")
    if not len(queries):
        return []
    found = []
    searched = nearest_neighbours(z, points, min(k + 1, len(texts)), metric="cosine")
    for query, rows, distances in zip(queries, *searched, strict=True):
        near = zip(rows.tolist(), distances.tolist(), strict=True)
        found.append([(texts[row], 1 - far) for row, far in near if texts[row] != query][:k])
    return found
