"""Data sets of text: documents, splits and sources."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.data_files import LeftOut
from keras_ae.text.tokenizer import tokenize
from keras_ae.text.vocabulary import Vocabulary
from keras_ae.training.datasets.text._store import SentenceStore


class TextSplit:
    """Subset of the documents of a source, or of parts of documents; sentences are loaded when read.

    The sentences of the split have indices 0, 1, ... in reading order; `len` is their number.
    Iterating yields the documents, each a list of consecutive sentences.

    Args:
        store: the sentences.
        spans: first sentence in the store, and the one after the last, of each document or part
            of a document, int64 `(documents, 2)`.

    Example:

    >>> from keras_ae.training.datasets import load_text
    >>> data = load_text(packages=["json"])
    >>> data.train.document([0, 1]).tolist(), data.train.position([0, 1]).tolist()
    ([0, 0], [0, 1])
    """

    def __init__(self, store: SentenceStore, spans: ArrayLike):
        self.store = store
        self.spans = np.asarray(spans, "int64").reshape(-1, 2)
        self._firsts = np.cumsum([0, *(stop - start for start, stop in self.spans)])

    def __len__(self):
        return int(self._firsts[-1])

    def __iter__(self) -> Iterator[list[str]]:
        for start, stop in self.spans:
            yield self.store.sentences(range(start, stop))

    @property
    def words(self) -> np.ndarray:
        """Number of tokens of each sentence, int32 `(sentences,)`."""
        return self.store.words[self._rows(np.arange(len(self)))]

    def document(self, indices: ArrayLike) -> np.ndarray:
        """Return the index of the document of each of these sentences, int32 `(sentences,)`."""
        return (np.searchsorted(self._firsts, indices, "right") - 1).astype("int32")

    def position(self, indices: ArrayLike) -> np.ndarray:
        """Return the position of each of these sentences in its document, int32 `(sentences,)`."""
        return (np.asarray(indices) - self._firsts[self.document(indices)]).astype("int32")

    def inner(self) -> np.ndarray:
        """Return the sentences with a previous and a next one in their document, int64 `(sentences,)`."""
        inside = np.ones(len(self), bool)
        if len(self):
            inside[self._firsts[:-1]] = inside[self._firsts[1:] - 1] = False
        return np.flatnonzero(inside)

    def sentences(self, indices: Sequence[int]) -> list[str]:
        """Return the sentences with these indices."""
        return self.store.sentences(self._rows(np.asarray(indices, "int64")))

    def tokens(self) -> Iterator[list[str]]:
        """Yield the tokens of each sentence, in order; never all in memory."""
        for start, stop in self.spans:
            for row in range(start, stop):
                yield tokenize(self.store.sentences([row])[0])

    def _rows(self, indices):
        documents = self.document(indices)
        return self.spans[documents, 0] + indices - self._firsts[documents]


@dataclass(frozen=True)
class TextData:
    """Documents for training, validation and test.

    Attributes:
        name: short name of the source.
        train: documents to train on.
        validation: documents held out, by which the best epoch is chosen.
        test: documents for measurements.
        description: source and amount of the text, method of the split, and under
            "problems" a line for each file that is left out or suspicious; serialisable as JSON.
    """

    name: str
    train: TextSplit
    validation: TextSplit
    test: TextSplit
    description: dict


@dataclass(frozen=True)
class TextSource:
    """Documents of one source.

    Attributes:
        name: short name.
        origin: kind and location, for reports and errors.
        store: the sentences.
        splits: "train", "validation" or "test" for each document; `None`: to be drawn.
        left_out: files that are not read, and suspicious files.
        details: additional entries for the description of the data.
    """

    name: str
    origin: str
    store: SentenceStore
    splits: np.ndarray | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    details: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class SentenceData(TextData):
    """Documents for training, validation and test, and a vocabulary of the training documents.

    Attributes:
        vocabulary: vocabulary of the training documents.
        others: as in `TextData`.
    """

    vocabulary: Vocabulary

    @classmethod
    def of(cls, data: TextData, size: int = 20_000, min_count: int = 1) -> "SentenceData":
        """Return the text with a vocabulary of its most frequent words.

        Args:
            data: the text.
            size, min_count: as in `Vocabulary.of`.

        Raises:
            InputError: no word is frequent enough.
        """
        vocabulary = Vocabulary.of(data.train.tokens(), size, min_count)
        description = {**data.description, "vocabulary": len(vocabulary)}
        return cls(data.name, data.train, data.validation, data.test, description, vocabulary)
