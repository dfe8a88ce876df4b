"""What a reader of text hands on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from keras_ae.left_out import LeftOut
from keras_ae.training.datasets.sentence_store import SentenceStore


@dataclass(frozen=True)
class TextSource:
    """The documents of one source.

    Attributes:
        name: short name.
        origin: kind and place, for reports and errors.
        store: the sentences.
        splits: "train", "validation" or "test" of each document; `None`: to be drawn.
        left_out: files that are not read, and suspicious ones.
        details: more for the description of the data.
    """

    name: str
    origin: str
    store: SentenceStore
    splits: np.ndarray | None = None
    left_out: LeftOut = field(default_factory=LeftOut)
    details: Mapping = field(default_factory=dict)
