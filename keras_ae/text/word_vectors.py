"""Vectors of words."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import replacing
from keras_ae.text.vocabulary import FIRST_WORD, PADDING, Vocabulary


class WordVectors:
    """A table of word vectors, such as skip-gram, GloVe or fastText.

    Args:
        words: each once.
        vectors: float32 `(words, dim)`.

    Raises:
        InputError: there is not one vector for each word; a word comes twice; a value is not
            finite.

    Example:

    >>> table = WordVectors(["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]])
    >>> table["dog"].tolist(), "cow" in table
    ([3.0, 4.0], False)
    >>> table.rows(Vocabulary(["dog", "cow"])).tolist()
    [[0.0, 0.0], [2.0, 3.0], [3.0, 4.0], [2.0, 3.0]]
    """

    def __init__(self, words: Sequence[str], vectors):
        self.words = tuple(words)
        self.vectors = np.asarray(vectors, "float32")
        if self.vectors.ndim != 2 or not self.words or len(self.words) != len(self.vectors):
            raise InputError(
                f"Expected a vector for each of {len(self.words)} words. Received: shape {self.vectors.shape}"
            )
        if not np.isfinite(self.vectors).all():
            raise InputError("Expected finite word vectors. Received: infinite numbers or NaN")
        self._places = {word: place for place, word in enumerate(self.words)}
        if len(self._places) < len(self.words):
            raise InputError("Expected each word once. Received: a word more than once")

    @property
    def dim(self) -> int:
        """Numbers of a vector."""
        return self.vectors.shape[1]

    def __len__(self):
        return len(self.words)

    def __contains__(self, word):
        return word in self._places

    def __getitem__(self, word) -> np.ndarray:
        return self.vectors[self._places[word]]

    def rows(self, vocabulary: Vocabulary) -> np.ndarray:
        """The start of an embedding: float32 `(len(vocabulary), dim)`.

        The row of padding is zero. A word without a vector, and the unknown word, get the mean
        of all vectors.
        """
        rows = np.tile(self.vectors.mean(axis=0), (len(vocabulary), 1))
        rows[PADDING] = 0
        for number, word in enumerate(vocabulary.words, FIRST_WORD):
            if word in self:
                rows[number] = self[word]
        return rows

    def coverage(self, vocabulary: Vocabulary) -> float:
        """Share of the vocabulary's words that have a vector."""
        return sum(word in self for word in vocabulary.words) / max(1, len(vocabulary.words))

    def save(self, path: str | os.PathLike) -> Path:
        """Write an `.npz` file with the arrays `words` and `vectors`."""
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, words=np.array(self.words), vectors=self.vectors)
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike, limit: int | None = None) -> "WordVectors":
        """Read an `.npz` file that `save` wrote, or the text of word2vec, GloVe or fastText.

        Of text (`.txt`, `.vec`), a line is a word and its numbers, with spaces between; a first
        line with the two sizes may be there. A word that comes again is left out.

        Args:
            path: the file.
            limit: words to read at most, the first ones: usually the most frequent.

        Raises:
            InputError: the file is missing or of no such kind; the line is named.
        """
        path = Path(path)
        try:
            if path.suffix.lower() == ".npz":
                with np.load(path) as file:
                    return cls(file["words"][:limit].tolist(), file["vectors"][:limit])
            return _read_lines(path, cls, limit)
        except (OSError, KeyError, EOFError, ValueError, zipfile.BadZipFile) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} cannot be read as word vectors: {error}") from None


def _read_lines(path, table, limit):
    vectors: dict[str, np.ndarray] = {}
    with path.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, 1):
            parts = line.rstrip().split(" ")
            if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                continue
            if limit is not None and len(vectors) == limit:
                break
            try:
                vector = np.array(parts[1:], "float32")
            except ValueError:
                vector = np.zeros(0)
            expected = len(next(iter(vectors.values()), vector))
            if not len(vector) or len(vector) != expected:
                raise InputError(
                    f"{path}, line {number}: expected a word and {expected or 'its'} numbers. "
                    f"Received: {line[:40].rstrip()!r}"
                )
            vectors.setdefault(parts[0], vector)
    return table(list(vectors), list(vectors.values()))
