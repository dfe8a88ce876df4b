"""A set of documents, split, with the words that a model of them knows."""

from dataclasses import dataclass

from keras_ae.text.vocabulary import Vocabulary
from keras_ae.training.datasets.text_data import TextData


@dataclass(frozen=True)
class SentenceData(TextData):
    """Documents for training, validation and test, and a vocabulary of the training documents.

    Attributes:
        vocabulary: the words.
        others: as of `TextData`.
    """

    vocabulary: Vocabulary

    @classmethod
    def of(cls, data: TextData, size: int = 20_000, min_count: int = 1) -> "SentenceData":
        """Text with its most frequent words.

        Args:
            data: the text.
            size, min_count: as of `Vocabulary.of`.

        Raises:
            InputError: no word is frequent enough.
        """
        vocabulary = Vocabulary.of(data.train.tokens(), size, min_count)
        description = {**data.description, "vocabulary": len(vocabulary)}
        return cls(data.name, data.train, data.validation, data.test, description, vocabulary)
