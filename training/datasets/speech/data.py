"""Data sets of speech: splits, phones aligned with frames, sources, and streams for encoding."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_ae.data_files import SPLITS, LeftOut
from keras_ae.errors import InputError
from keras_ae.training.datasets._orders import BucketedOrder
from keras_ae.training.datasets._reading import broken_files, read_ahead
from keras_ae.training.datasets.speech._stores import AudioFileStore, WaveformStore
from keras_ae.training.datasets.speech.waveforms import level_of, levelled, silence_of

PADDED_TO = 0.1  # seconds; padded lengths are multiples of it, so that few shapes are compiled


class SpeechSplit:
    """Subset of the utterances of a source; utterances are loaded when they are read.

    Args:
        store: the waveforms, `WaveformStore` or `AudioFileStore`.
        rows: rows of the store that belong to the split.
        level: level to which each utterance is scaled, see `levelled` in `waveforms`.
        columns: annotations of these utterances as class numbers, int64 `(utterances,)` each.
        label: name of the column that is the label.
        texts: spoken words of each utterance; `None` if unknown.
        phones: phones of all utterances of the store; `None` if unknown.

    Attributes:
        lengths: number of samples of each utterance, int64 `(utterances,)`.
        speaker: speaker of each utterance, int64 `(utterances,)`, or `None`.
        label: label of each utterance, int64 `(utterances,)`, or `None`.
        texts: spoken words, a list of strings, or `None`.

    Example:

    >>> from keras_ae.training.datasets.speech._stores import WaveformStore
    >>> store = WaveformStore(np.ones(9, "float32"), [0, 2, 5, 9], 40, "ones")
    >>> split = SpeechSplit(store, np.arange(3), columns={"speaker": np.array([0, 1, 0])})
    >>> batch = next(split.batches(2).as_numpy_iterator())
    >>> batch["x"].shape, batch["lengths"].tolist(), batch["speaker"].tolist()
    ((2, 4), [2, 3], [0, 1])
    """

    def __init__(
        self,
        store: WaveformStore | AudioFileStore,
        rows: ArrayLike,
        level: str | None = None,
        columns: Mapping[str, np.ndarray] | None = None,
        label: str | None = None,
        texts: Sequence[str] | None = None,
        phones: "PhoneAlignment | None" = None,
    ):
        self.store = store
        self.rows = np.asarray(rows, "int64")
        self.level = level
        self.lengths = store.lengths[self.rows]
        self.texts = texts
        self._columns = dict(columns or {})
        self.speaker = self._columns.get("speaker")
        self.label = None if label is None else self._columns.get(label)
        self._levels = np.tile([0.0, np.nan if level else 1.0], (len(self.rows), 1))  # offset and gain
        self._phones: PhoneAlignment | None = phones

    def __len__(self):
        return len(self.rows)

    def factors(self) -> dict[str, np.ndarray] | None:
        """All annotations of the utterances, `{name: int64 (utterances,)}`; `None` if there are none."""
        return dict(self._columns) or None

    def waveform(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return one utterance at its level, or its samples from `start` to `stop`, float32 `(samples,)`."""
        row = self.rows[index]
        if np.isnan(self._levels[index, 1]):  # the level is that of the whole utterance, computed once
            whole = self.store.waveform(row)
            self._levels[index] = level_of(whole, self.level)
            waveform = whole[start:stop]
        else:
            waveform = self.store.waveform(row, start, stop)
        offset, gain = map(float, self._levels[index])
        return ((waveform - offset) * gain).astype("float32")

    def phones_of(self, index: int) -> list[tuple[int, str]] | None:
        """Return `[(first sample, phone), ...]` of one utterance; `None` if unknown."""
        return None if self._phones is None else self._phones.of(self.rows[index])

    def phone_frames(self, index: int, frames: int, hop: int = 160) -> np.ndarray | None:
        """Return the phone at the samples 0, hop, 2 hop, ..., int64 `(frames,)`; `None` if unknown."""
        return None if self._phones is None else self._phones.frames(self.rows[index], frames, hop)

    def order(self, batch_size: int) -> list[np.ndarray]:
        """Return the indices of the batches of `batches(batch_size)`: similar in length, shortest first."""
        return list(BucketedOrder(self.lengths, batch_size).batches())

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """Return all whole utterances once, in the order of `order(batch_size)`.

        Batches are `{"x": float32 (batch, samples), "lengths": int32 (batch,), "speaker": int32
        (batch,)}`, the last only if it is known; utterances are padded with zeros at the end.
        """
        order = BucketedOrder(self.lengths, batch_size)
        dataset = self.batches_of(lambda: ((batch, None) for batch in order.batches()))
        return dataset.apply(tf.data.experimental.assert_cardinality(order.steps))

    def batches_of(
        self, batches: Callable[[], Iterator[tuple[np.ndarray, np.ndarray | None]]], crop: int | None = None
    ) -> tf.data.Dataset:
        """Return the batches of utterances whose indices `batches()` yields; it is called at each iteration.

        Args:
            batches: yields the indices of a batch and, with `crop`, the first sample of each window.
            crop: number of samples to read of each utterance; `None`: all.
        """
        names = ["x", "lengths"] if self.speaker is None else ["x", "lengths", "speaker"]
        signature = {
            "x": tf.TensorSpec((None, crop), tf.float32),
            "lengths": tf.TensorSpec((None,), tf.int32),
            "speaker": tf.TensorSpec((None,), tf.int32),
        }
        dataset = tf.data.Dataset.from_generator(
            lambda: read_ahead(lambda chosen: self._gather(chosen, crop), batches()),
            output_signature={name: signature[name] for name in names},
        )
        return dataset.prefetch(tf.data.AUTOTUNE)

    def _gather(self, chosen, crop):
        indices, starts = chosen
        if crop:
            pairs = zip(indices, starts, strict=True)
            waveforms = [self.waveform(index, start, start + crop) for index, start in pairs]
        else:
            waveforms = [self.waveform(index) for index in indices]
        lengths = np.array([len(waveform) for waveform in waveforms], "int32")
        x = np.zeros((len(waveforms), crop or self._padded(lengths.max(initial=0))), "float32")
        for row, waveform in zip(x, waveforms, strict=True):
            row[: len(waveform)] = waveform
        inputs = {"x": x, "lengths": lengths}
        return inputs if self.speaker is None else inputs | {"speaker": self.speaker[indices].astype("int32")}

    def _padded(self, length):
        step = max(1, round(PADDED_TO * self.store.sample_rate))
        return -(-length // step) * step


@dataclass(frozen=True)
class SpeechData:
    """Utterances for training, validation and test.

    Attributes:
        name: short name of the source.
        train: utterances to train on.
        validation: utterances held out, by which the best epoch is chosen.
        test: utterances for measurements.
        sample_rate: sample rate in Hz.
        speakers: names of the speakers, indexed by `split.speaker`; empty if unknown.
        labels: names of the labels, indexed by `split.label`; empty if unknown.
        phones: names of the phones, indexed by `split.phone_frames`; empty if unknown.
        description: source and amount of the speech, method of the split, and under
            "problems" a line for each file that is left out or suspicious; serialisable as JSON.
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


class PhoneAlignment:
    """Phones of several utterances and the samples at which they begin.

    Args:
        starts: int `(phones,)`, first sample of each phone within its utterance, in ascending order.
        phones: int `(phones,)`, indices into `names`.
        offsets: int `(utterances + 1,)`: utterance i has the phones `offsets[i]` to
            `offsets[i + 1]`.
        names: names of the phones.

    Example:

    >>> alignment = PhoneAlignment([0, 400], [1, 0], [0, 2], ("a", "_"))
    >>> alignment.of(0)
    [(0, '_'), (400, 'a')]
    >>> alignment.frames(0, frames=5, hop=160).tolist()
    [1, 1, 1, 0, 0]
    """

    def __init__(self, starts: ArrayLike, phones: ArrayLike, offsets: ArrayLike, names: Sequence[str]):
        self.starts = np.asarray(starts, "int64")
        self.phones = np.asarray(phones, "int64")
        self.offsets = np.asarray(offsets, "int64")
        self.names = tuple(names)

    def __len__(self):
        return len(self.offsets) - 1

    def of(self, row: int) -> list[tuple[int, str]]:
        """Return `[(first sample, phone), ...]` of one utterance."""
        starts, phones = self._utterance(row)
        return [(int(start), self.names[phone]) for start, phone in zip(starts, phones, strict=True)]

    def frames(self, row: int, frames: int, hop: int) -> np.ndarray:
        """Return the phone at each sample t * hop, int64 `(frames,)`; the first also before it begins."""
        starts, phones = self._utterance(row)
        begun = np.searchsorted(starts, np.arange(frames) * hop, side="right")
        return phones[np.maximum(begun - 1, 0)]

    def resampled(self, rate: int, new_rate: int) -> "PhoneAlignment":
        """Return the alignment at another sample rate, with the same times.

        A phone begins at the first sample at or after its time, so that it covers the same frames.
        """
        starts = -(-self.starts * new_rate // rate)
        return PhoneAlignment(starts, self.phones, self.offsets, self.names)

    def _utterance(self, row):
        chosen = slice(self.offsets[row], self.offsets[row + 1])
        return self.starts[chosen], self.phones[chosen]


LABEL_COLUMNS = ("label", "digit", "word", "command", "sentence", "class")


@dataclass(frozen=True)
class SpeechSource:
    """Utterances of one source and their annotations.

    Attributes:
        name: short name.
        origin: kind and location, for reports and errors.
        store: the waveforms.
        columns: annotations of each utterance, such as its speaker: class numbers
            `{name: int64 (utterances,)}`.
        names: names of the classes of each column.
        splits: "train", "validation" or "test" for each utterance; `None`: to be drawn.
        texts: spoken words; `None` if unknown.
        phones: phones and the times at which they begin; `None` if unknown.
        problems: one line for each file that cannot be used or is suspicious.
        left_out: all files that are left out or suspicious.
        incomplete: names of columns that are not used because they have empty cells.
        details: additional entries for the description of the data.
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
                    f"{self.origin} must have one entry of {name} per utterance. "
                    f"Received: {size} for {count} utterances"
                )
        unknown = [] if self.splits is None else sorted(set(self.splits.tolist()) - set(SPLITS))
        if unknown:
            raise InputError(
                f"{self.origin}: splits must be {', '.join(SPLITS)}. Received: {', '.join(unknown)}"
            )

    def label_column(self, wanted: str | None) -> str | None:
        """Return the column that is the label: `wanted`, or else the first of `LABEL_COLUMNS`.

        Raises:
            InputError: there is no column `wanted`, or it has empty cells.
        """
        if wanted is None:
            return next((name for name in LABEL_COLUMNS if name in self.columns), None)
        if wanted in self.incomplete:
            raise InputError(
                f"{self.origin} must have a {wanted} for each utterance to use it as the label. "
                "Received: empty cells; fill them, or remove their utterances."
            )
        if wanted not in self.columns:
            raise InputError(
                f"{self.origin} must have a column {wanted}. "
                f"Received: {', '.join(self.columns) or 'no columns'}; pass one of these as label."
            )
        return wanted


class SpeechStream:
    """Stream of all utterances, one at a time; memory does not grow with their number.

    Iterating yields `(name, waveform)`, the waveform float32 `(samples,)` in [-1, 1], in
    the order of `names`. The stream can be iterated again. At the end of each iteration one
    `DataWarning` names the files that were left out and the recordings that are silent.

    Args:
        store: `WaveformStore` or `AudioFileStore`.
        rows: rows of the store to read.
        names: names of these utterances: relative paths, or their numbers.
        level: level to which each utterance is scaled, see `levelled`.
        origin: the source, for the warning.
        left_out: record of the files that the reader of the source left out.
        skip_broken: leave out files that cannot be read.
        inputs: files and folders that are read, which no output may replace.

    Attributes:
        names: names of all utterances; after an iteration, of those that could be read.
        silent: after an iteration, the silent and nearly silent recordings: `{name: "silent"}`.

    Raises:
        InputError: during iteration: files are broken; the message names all of them.

    Example:

    >>> from keras_ae.training.datasets.speech._stores import WaveformStore
    >>> store = WaveformStore(np.sin(np.arange(5, dtype="float32")), [0, 2, 5], 16_000, "tone")
    >>> [(name, len(waveform)) for name, waveform in SpeechStream(store, [0, 1], ["a", "b"])]
    [('a', 2), ('b', 3)]
    """

    def __init__(
        self,
        store: WaveformStore | AudioFileStore,
        rows: Sequence[int],
        names: Sequence[str],
        level: str | None = None,
        *,
        origin: str = "speech",
        left_out: LeftOut | None = None,
        skip_broken: bool = False,
        inputs: Sequence[str | os.PathLike] = (),
    ):
        self.store = store
        self.rows = list(rows)
        self.names = list(names)
        self.level = level
        self.origin = origin
        self.skip_broken = skip_broken
        self.inputs = tuple(inputs)
        self.silent: dict[str, str] = {}
        self._all_names = list(names)
        self._passed_over = left_out or LeftOut()

    def __len__(self):
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        left_out, names, self.silent = self._passed_over.copy(), [], {}
        for place, (name, row) in enumerate(zip(self._all_names, self.rows, strict=True)):
            try:
                waveform = self.store.waveform(row)
            except InputError as error:
                if not self.skip_broken:
                    raise self._broken(place, error) from None
                left_out.add("unreadable", name)
                continue
            names.append(name)
            if reason := silence_of(waveform):
                self.silent[name] = reason
                left_out.keep(reason, name)
            yield name, levelled(waveform, self.level)
        if self._all_names and not names:
            raise InputError(f"{self.origin} must contain recordings that can be read. Received: none")
        self.names = names
        left_out.warn(self.origin)

    def _broken(self, place, first):
        """Return the error of the recording at `place`, with the names of all later broken recordings."""
        others = []
        for name, row in zip(self._all_names[place + 1 :], self.rows[place + 1 :], strict=True):
            try:
                self.store.waveform(row)
            except InputError:
                others.append(name)
        return broken_files(str(first), others)
