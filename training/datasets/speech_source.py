"""What a reader of speech hands on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from keras_ae.errors import InputError
from keras_ae.left_out import LeftOut
from keras_ae.split_names import SPLITS
from keras_ae.training.datasets.audio_file_store import AudioFileStore
from keras_ae.training.datasets.phone_alignment import PhoneAlignment
from keras_ae.training.datasets.waveform_store import WaveformStore

LABEL_COLUMNS = ("label", "digit", "word", "command", "sentence", "class")


@dataclass(frozen=True)
class SpeechSource:
    """The utterances of one source and what is known of them.

    Attributes:
        name: short name.
        origin: kind and place, for reports and errors.
        store: the waveforms.
        columns: what is known of each utterance, such as its speaker: class numbers
            `{name: int64 (utterances,)}`.
        names: of the classes of each column.
        splits: "train", "validation" or "test" of each utterance; `None`: to be drawn.
        texts: what is said; `None` where unknown.
        phones: when which phone sounds; `None` where unknown.
        problems: one line for each file that cannot be used or is suspicious.
        left_out: all files that are left out or suspicious.
        incomplete: names of columns that are not used because something is empty in them.
        details: more for the description of the data.
    """

    name: str
    origin: str
    store: WaveformStore | AudioFileStore
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    splits: np.ndarray | None = None
    texts: Sequence[str] | None = None
    phones: PhoneAlignment | None = None
    problems: Sequence[str] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    incomplete: Sequence[str] = ()
    details: Mapping = field(default_factory=dict)

    def __post_init__(self):
        count = len(self.store)
        sizes = {name: len(values) for name, values in self.columns.items()}
        sizes |= {
            name: len(values)
            for name, values in (("split", self.splits), ("text", self.texts), ("phones", self.phones))
            if values is not None
        }
        for name, size in sizes.items():
            if size != count:
                raise InputError(
                    f"{self.origin}: expected {count} x {name}, one an utterance. Received: {size}"
                )
        unknown = [] if self.splits is None else sorted(set(self.splits.tolist()) - set(SPLITS))
        if unknown:
            raise InputError(
                f"{self.origin}: expected the splits {', '.join(SPLITS)}. Received: {', '.join(unknown)}"
            )

    def label_column(self, wanted: str | None) -> str | None:
        """The column that is the label: the one asked for, else the first of `LABEL_COLUMNS`.

        Raises:
            InputError: there is no column `wanted`, or something is empty in it.
        """
        if wanted is None:
            return next((name for name in LABEL_COLUMNS if name in self.columns), None)
        if wanted in self.incomplete:
            raise InputError(
                f"{self.origin} must have a {wanted} for each utterance to be the label. Received: empty "
                "ones; fill them, or remove their utterances."
            )
        if wanted not in self.columns:
            raise InputError(
                f"{self.origin} has no column {wanted}. "
                f"Received: {', '.join(self.columns) or 'no columns'}; name one of these as label."
            )
        return wanted
