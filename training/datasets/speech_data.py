"""A set of utterances, split."""

from dataclasses import dataclass

from keras_ae.training.datasets.speech_split import SpeechSplit


@dataclass(frozen=True)
class SpeechData:
    """Utterances for training, validation and test.

    Attributes:
        name: short name of the source.
        train: utterances to train on.
        validation: utterances held out, to choose the best epoch by.
        test: utterances to measure on.
        sample_rate: samples of a second.
        speakers: names of the speakers that `split.speaker` numbers, empty if unknown.
        labels: names of the labels that `split.label` numbers, empty if unknown.
        phones: names of the phones that `split.phone_frames` numbers, empty if unknown.
        description: where the speech comes from, how much there is, how it was split, and
            under "problems" a line for each file that is left out or suspicious; JSON
            takes it.
    """

    name: str
    train: SpeechSplit
    validation: SpeechSplit
    test: SpeechSplit
    sample_rate: int
    speakers: tuple[str, ...]
    labels: tuple[str, ...]
    phones: tuple[str, ...]
    description: dict
