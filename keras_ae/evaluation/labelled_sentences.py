"""Sentences with what they are about."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_ae.errors import InputError, check_finite


@dataclass(frozen=True)
class LabelledSentences:
    """Sentences, or pairs of them, each with a class or a score.

    Attributes:
        sentences: list of str.
        seconds: the other sentence of each pair; `None`: there are no pairs.
        target: `(examples,)`; floating-point numbers are scores, anything else is a class.

    Raises:
        InputError: numbers of examples differ; there are none; a score is not finite.
    """

    sentences: Sequence[str]
    target: Sequence
    seconds: Sequence[str] | None = None

    def __post_init__(self):
        target = np.asarray(self.target)
        target = target.astype(str) if target.dtype.kind == "O" else target
        object.__setattr__(self, "target", target)
        columns = {"sentences": self.sentences, "target": target}
        columns |= {} if self.seconds is None else {"seconds": self.seconds}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1 or not len(target):
            raise InputError(f"Expected as many {', '.join(columns)} as one another. Received: {lengths}")
        check_finite(target, "target")

    def __len__(self):
        return len(self.target)
