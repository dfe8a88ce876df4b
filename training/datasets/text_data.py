"""A set of documents, split."""

from dataclasses import dataclass

from keras_ae.training.datasets.text_split import TextSplit


@dataclass(frozen=True)
class TextData:
    """Documents for training, validation and test.

    Attributes:
        name: short name of the source.
        train: documents to train on.
        validation: documents held out, to choose the best epoch by.
        test: documents to measure on.
        description: where the text comes from, how much there is, how it was split, and under
            "problems" a line for each file that is left out or suspicious; JSON takes it.
    """

    name: str
    train: TextSplit
    validation: TextSplit
    test: TextSplit
    description: dict
