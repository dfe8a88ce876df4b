"""Tables of word vectors, and their files."""

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import InputError
from keras_ae.files import replacing
from keras_ae.text.text_file import TextFile
from keras_ae.text.vocabulary import FIRST_WORD, PADDING, Vocabulary


class WordVectors:
    """Table of word vectors, such as skip-gram, GloVe or fastText.

    Args:
        words: words, without repetition.
        vectors: float32 `(words, dim)`.

    Raises:
        InputError: there is not one vector for each word; a word occurs twice; a value is not
            finite.

    Example:

    >>> table = WordVectors(["cat", "dog"], [[1.0, 2.0], [3.0, 4.0]])
    >>> table["dog"].tolist(), "cow" in table
    ([3.0, 4.0], False)
    >>> table.rows(Vocabulary(["dog", "cow"])).tolist()
    [[0.0, 0.0], [2.0, 3.0], [3.0, 4.0], [2.0, 3.0]]
    """

    def __init__(self, words: Sequence[str], vectors: ArrayLike):
        self.words = tuple(words)
        self.vectors = np.asarray(vectors, "float32")
        if self.vectors.ndim != 2 or not self.words or len(self.words) != len(self.vectors):
            raise InputError(
                f"vectors must have the shape (words, dim), a vector for each of {len(self.words)} words "
                f"and at least one. Received: shape {self.vectors.shape}"
            )
        if not np.isfinite(self.vectors).all():
            raise InputError("vectors must be finite. Received: infinite values or NaN")
        self._places = {word: place for place, word in enumerate(self.words)}
        if len(self._places) < len(self.words):
            raise InputError("words must be unique. Received: a word more than once")

    @property
    def dim(self) -> int:
        """Number of components of a vector."""
        return self.vectors.shape[1]

    def __len__(self):
        return len(self.words)

    def __contains__(self, word):
        return word in self._places

    def __getitem__(self, word) -> np.ndarray:
        return self.vectors[self._places[word]]

    def rows(self, vocabulary: Vocabulary) -> np.ndarray:
        """Return the initial value of an embedding: float32 `(len(vocabulary), dim)`.

        The row of padding is zero. The rows of words without a vector, and of the unknown word, are the mean
        of all vectors.
        """
        rows = np.tile(self.vectors.mean(axis=0), (len(vocabulary), 1))
        rows[PADDING] = 0
        for number, word in enumerate(vocabulary.words, FIRST_WORD):
            if word in self:
                rows[number] = self[word]
        return rows

    def coverage(self, vocabulary: Vocabulary) -> float:
        """Return the share of the vocabulary's words that have a vector."""
        return sum(word in self for word in vocabulary.words) / max(1, len(vocabulary.words))

    def save(self, path: str | os.PathLike) -> Path:
        """Write an `.npz` file with the arrays `words` and `vectors`."""
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, words=np.array(self.words), vectors=self.vectors)
        return Path(path)

    @classmethod
    def load(
        cls, path: str | os.PathLike, limit: int | None = None, encoding: str | None = None
    ) -> "WordVectors":
        """Read an `.npz` file that `save` wrote, or the text of word2vec, GloVe or fastText.

        In text (`.txt`, `.vec`, plain or gzip), a line is a word and its numbers, separated by spaces; the
        first line may contain the two sizes. The numbers are at the end of a line, so that words may
        contain spaces, as some of GloVe's do. A repeated word is left out.

        Args:
            path: the file.
            limit: maximum number of words; the first ones are read, which are usually the most frequent.
            encoding: encoding of text; `None`: UTF-8, or that of a byte order mark.

        Raises:
            InputError: the file is missing or has none of these formats; the message names the line.
        """
        path = Path(path)
        try:
            if path.suffix.lower() == ".npz":
                with np.load(path) as file:
                    return cls(file["words"][:limit].tolist(), file["vectors"][:limit])
            return _read_lines(path, cls, limit, encoding)
        except (OSError, KeyError, EOFError, ValueError, zipfile.BadZipFile) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{path} cannot be read as word vectors: {error}") from None


def _read_lines(path, table, limit, encoding):
    vectors: dict[str, np.ndarray] = {}
    dim = sized = None
    for number, line in enumerate(TextFile(path, encoding).lines(), 1):
        parts = line.rstrip().split(" ")
        if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
            dim = sized = int(parts[1])
            continue
        if limit is not None and len(vectors) == limit:
            break
        dim = dim or max(1, min(_numbers_at_the_end(parts), len(parts) - 1))
        word, vector = " ".join(parts[:-dim]), _vector(parts[-dim:])
        # A word may contain spaces, but a word that ends in a number is more likely a line of another size.
        longer = sized is None and len(parts) > dim + 1 and _numbers_at_the_end(parts[1:-dim])
        if vector is None or len(parts) <= dim or longer:
            raise InputError(
                f"{path}, line {number} must be a word and {dim} numbers. Received: {line[:40].rstrip()!r}"
            )
        vectors.setdefault(word, vector)
    return table(list(vectors), list(vectors.values()))


def _vector(parts):
    try:
        return np.array(parts, "float32")
    except ValueError:
        return None


def _numbers_at_the_end(parts):
    """Return how many of the last `parts` are numbers."""
    return next((n for n, part in enumerate(reversed(parts)) if _vector([part]) is None), len(parts))
