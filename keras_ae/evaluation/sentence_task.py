"""One task of labelled sentences."""

from dataclasses import dataclass

from keras_ae.errors import InputError
from keras_ae.evaluation.labelled_sentences import LabelledSentences


@dataclass(frozen=True)
class SentenceTask:
    """Labelled sentences to fit a classifier on, and others to read it on.

    Attributes:
        name: short, such as "trec".
        train: `LabelledSentences`.
        validation: by which the penalty of the classifier is chosen; `None`: by folds of `train`.
        test: `None`: every tenth of `train` is held out once.

    Raises:
        InputError: one part has scores or pairs, another has not.

    Example:

    >>> train = LabelledSentences(["good", "bad"], ["1", "0"])
    >>> SentenceTask("tiny", train).kind
    'classes'
    >>> SentenceTask("likeness", LabelledSentences(["a"], [4.5], ["b"])).kind
    'scores'
    """

    name: str
    train: LabelledSentences
    validation: LabelledSentences | None = None
    test: LabelledSentences | None = None

    def __post_init__(self):
        kinds = {(part.target.dtype.kind == "f", part.seconds is None) for part in self.parts}
        if len(kinds) > 1:
            raise InputError(f"The parts of {self.name} differ: expected scores in all or in none, and pairs")

    @property
    def parts(self) -> list[LabelledSentences]:
        """Those that are there: train, validation, test."""
        return [part for part in (self.train, self.validation, self.test) if part is not None]

    @property
    def kind(self) -> str:
        """ "classes" or "scores"."""
        return "scores" if self.train.target.dtype.kind == "f" else "classes"

    @property
    def pairs(self) -> bool:
        """Whether an example is a pair of sentences."""
        return self.train.seconds is not None

    def texts(self) -> list[str]:
        """All sentences, each once."""
        texts = {}
        for part in self.parts:
            texts |= dict.fromkeys(part.sentences) | dict.fromkeys(part.seconds or ())
        return list(texts)
