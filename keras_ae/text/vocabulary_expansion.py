"""Expansion of a trained vocabulary by words from a table of word vectors."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import InputError
from keras_ae.text.tokenizer import tokenize
from keras_ae.text.vocabulary import Vocabulary
from keras_ae.text.word_vectors import WordVectors

FOLDS = 5  # folds of the shared words, each held out once
FEWEST_SHARED = 2 * FOLDS


@dataclass(frozen=True)
class ExpandedVocabulary:
    """Result of `expand_vocabulary`.

    Attributes:
        vocabulary: the old words with their ids, followed by the new words.
        embedding: float32 `(len(vocabulary), dim)`; the rows of the old words are unchanged.
        r2: share of the variance of the shared words' rows that the linear map explains,
            `1 - sum |e - e_hat|^2 / sum |e - mean e|^2`.
        r2_held_out: the same for words to which the map was not fitted, in five folds.
        shared: number of words to which the map was fitted.
        added: number of new words.
    """

    vocabulary: Vocabulary
    embedding: np.ndarray
    r2: float
    r2_held_out: float
    shared: int
    added: int

    def results(self) -> dict:
        """Return the measured numbers, serialisable as JSON."""
        return {name: getattr(self, name) for name in ("r2", "r2_held_out", "shared", "added")}

    def figures(self) -> dict:
        """Return the result of `results`, the present name of this method."""
        warnings.warn(
            "ExpandedVocabulary.figures is now ExpandedVocabulary.results.", DeprecationWarning, stacklevel=2
        )
        return self.results()


def expand_vocabulary(
    embedding: ArrayLike, vocabulary: Vocabulary, vectors: WordVectors, *, ridge: float = 0.0
) -> ExpandedVocabulary:
    """Return embedding rows for all words of a table of word vectors, computed by a linear map.

    ```
    W = argmin sum over shared words of |v W - e|^2 + ridge |W|^2,    e_new = v_new W
    ```

    Words of the vocabulary keep their rows. Words of the table that `tokenize` splits ("new_york") never
    occur as tokens and are left out. Since it converts to lower case ("Paris"), several words may give the
    same token: the word that equals the token is used, otherwise the first one.

    Args:
        embedding: `(len(vocabulary), dim)`, such as the embedding of a trained encoder.
        vocabulary: the words of its rows.
        vectors: a large table, such as GloVe or skip-gram trained on other text.
        ridge: ridge penalty of the map; use more than 0 with few shared words.

    Raises:
        InputError: the embedding does not have one row for each id of the vocabulary; fewer than 10 words
            are shared; `ridge` is below 0.

    Example:

    >>> words, rng = [chr(code) for code in range(97, 119)], np.random.default_rng(0)
    >>> table = WordVectors(words, rng.normal(size=(22, 3)))
    >>> vocabulary = Vocabulary(words[:20])
    >>> embedding = np.concatenate([np.zeros((2, 2)), table.vectors[:20] @ rng.normal(size=(3, 2))])
    >>> expanded = expand_vocabulary(embedding, vocabulary, table)
    >>> round(expanded.r2_held_out, 3), expanded.vocabulary.words[20:], expanded.embedding.shape
    (1.0, ('u', 'v'), (24, 2))

    Reference:
        Kiros et al., 2015, https://arxiv.org/abs/1506.06726, section 2.2.
    """
    embedding = np.asarray(embedding, "float32")
    if embedding.ndim != 2 or len(embedding) != len(vocabulary):
        raise InputError(
            f"embedding must have the shape ({len(vocabulary)}, dim), a row for each id of the vocabulary. "
            f"Received: shape {embedding.shape}"
        )
    if not ridge >= 0:
        raise InputError(f"ridge must be at least 0. Received: ridge={ridge}")
    rows = _rows_of_tokens(vectors)
    shared = [word for word in vocabulary.words if word in rows]
    if len(shared) < FEWEST_SHARED:
        raise InputError(
            f"The vocabulary and the table must share at least {FEWEST_SHARED} words. Received: "
            f"{len(shared)} of {len(vocabulary.words)}. Check that both have the same language and spelling."
        )
    x = vectors.vectors[[rows[word] for word in shared]].astype("float64")
    y = embedding[vocabulary.ids(shared)].astype("float64")
    linear = _least_squares(x, y, ridge)
    new = [token for token in rows if token not in vocabulary]
    made = vectors.vectors[[rows[token] for token in new]] @ linear.astype("float32")
    return ExpandedVocabulary(
        Vocabulary([*vocabulary.words, *new]),
        np.concatenate([embedding, made.reshape(len(new), embedding.shape[1])]),
        _r2(y, x @ linear),
        _r2(y, _held_out(x, y, ridge)),
        len(shared),
        len(new),
    )


def _rows_of_tokens(vectors):
    """Return `{token: row of the table}`; a word that equals the token precedes those that become it."""
    rows = {word: row for row, word in enumerate(vectors.words) if tokenize(word) == [word]}
    for row, word in enumerate(vectors.words):
        tokens = tokenize(word)
        if len(tokens) == 1:
            rows.setdefault(tokens[0], row)
    return rows


def _least_squares(x, y, ridge):
    if ridge:  # adds the penalty as further rows
        x = np.concatenate([x, np.sqrt(ridge) * np.eye(x.shape[1])])
        y = np.concatenate([y, np.zeros((x.shape[1], y.shape[1]))])
    return np.linalg.lstsq(x, y, rcond=None)[0]


def _held_out(x, y, ridge):
    """Return the prediction for each word by the map that was fitted to the other folds."""
    fold = np.random.default_rng(0).permutation(len(x)) % FOLDS
    made = np.empty_like(y)
    for number in range(FOLDS):
        own = fold == number
        made[own] = x[own] @ _least_squares(x[~own], y[~own], ridge)
    return made


def _r2(y, made):
    spread = np.square(y - y.mean(axis=0)).sum()
    return float(1 - np.square(y - made).sum() / spread) if spread else 0.0
