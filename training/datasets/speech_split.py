"""Training, validation or test utterances."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from keras_ae.training.datasets.bucketed_order import BucketedOrder
from keras_ae.training.datasets.phone_alignment import PhoneAlignment
from keras_ae.training.datasets.reading_ahead import read_ahead
from keras_ae.training.datasets.waveforms import level_of

PADDED_TO = 0.1  # seconds of which padded lengths are multiples, so that few shapes are compiled


class SpeechSplit:
    """Some of the utterances of a source; they are read when they are asked for.

    Args:
        store: the waveforms, `WaveformStore` or `AudioFileStore`.
        rows: which of them.
        level: to which each utterance is scaled, see `levelled` in `waveforms`.
        columns: what is known of each of these utterances, int64 `(utterances,)` each.
        label: name of the column that is the label.
        texts: what is said in each; `None` where unknown.
        phones: of all utterances of the store; `None` where unknown.

    Attributes:
        lengths: samples of each utterance, int64 `(utterances,)`.
        speaker: int64 `(utterances,)`, or `None`.
        label: int64 `(utterances,)`, or `None`.
        texts: list of strings, or `None`.

    Example:

    >>> from keras_ae.training.datasets.waveform_store import WaveformStore
    >>> store = WaveformStore(np.ones(9, "float32"), [0, 2, 5, 9], 40, "ones")
    >>> split = SpeechSplit(store, np.arange(3), columns={"speaker": np.array([0, 1, 0])})
    >>> batch = next(split.batches(2).as_numpy_iterator())
    >>> batch["x"].shape, batch["lengths"].tolist(), batch["speaker"].tolist()
    ((2, 4), [2, 3], [0, 1])
    """

    def __init__(self, store, rows, level=None, columns=None, label=None, texts=None, phones=None):
        self.store = store
        self.rows = np.asarray(rows, "int64")
        self.level = level
        self.lengths = store.lengths[self.rows]
        self.texts = texts
        self._columns = dict(columns or {})
        self.speaker = self._columns.get("speaker")
        self.label = self._columns.get(label)
        self._levels = np.tile([0.0, np.nan if level else 1.0], (len(self.rows), 1))  # offset and gain
        self._phones: PhoneAlignment | None = phones

    def __len__(self):
        return len(self.rows)

    def factors(self) -> dict[str, np.ndarray] | None:
        """All that is known of the utterances, `{name: int64 (utterances,)}`; `None` without any."""
        return dict(self._columns) or None

    def waveform(self, index: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """One utterance at its level, or its samples from `start` to `stop`, float32 `(samples,)`."""
        row = self.rows[index]
        if np.isnan(self._levels[index, 1]):  # the level is that of the whole utterance, found once
            whole = self.store.waveform(row)
            self._levels[index] = level_of(whole, self.level)
            waveform = whole[start:stop]
        else:
            waveform = self.store.waveform(row, start, stop)
        offset, gain = map(float, self._levels[index])
        return ((waveform - offset) * gain).astype("float32")

    def phones_of(self, index: int) -> list[tuple[int, str]] | None:
        """`[(first sample, phone), ...]` of one utterance; `None` where unknown."""
        return None if self._phones is None else self._phones.of(self.rows[index])

    def phone_frames(self, index: int, frames: int, hop: int = 160) -> np.ndarray | None:
        """The phone at the samples 0, hop, 2 hop, ..., int64 `(frames,)`; `None` where unknown."""
        return None if self._phones is None else self._phones.frames(self.rows[index], frames, hop)

    def order(self, batch_size: int) -> list[np.ndarray]:
        """Which utterances `batches(batch_size)` gives, batch by batch: alike in length, shortest first."""
        return list(BucketedOrder(self.lengths, batch_size).batches())

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """All utterances once, in the order of `order(batch_size)`, whole.

        `{"x": float32 (batch, samples), "lengths": int32 (batch,), "speaker": int32 (batch,)}`,
        the last where it is known; zeros follow the end of each utterance.
        """
        order = BucketedOrder(self.lengths, batch_size)
        dataset = self.batches_of(lambda: ((batch, None) for batch in order.batches()))
        return dataset.apply(tf.data.experimental.assert_cardinality(order.steps))

    def batches_of(
        self, batches: Callable[[], Iterator[tuple[np.ndarray, np.ndarray | None]]], crop: int | None = None
    ) -> tf.data.Dataset:
        """The batches of utterances that `batches()` names, asked anew at each iteration.

        Args:
            batches: yields the indices of a batch and, with `crop`, the first samples.
            crop: samples to take of each; `None`: all.
        """
        names = ["x", "lengths"] if self.speaker is None else ["x", "lengths", "speaker"]
        signature = {
            "x": tf.TensorSpec((None, crop), tf.float32),
            "lengths": tf.TensorSpec((None,), tf.int32),
            "speaker": tf.TensorSpec((None,), tf.int32),
        }
        dataset = tf.data.Dataset.from_generator(
            lambda: read_ahead(lambda chosen: self._gather(*chosen, crop), batches()),
            output_signature={name: signature[name] for name in names},
        )
        return dataset.prefetch(tf.data.AUTOTUNE)

    def _gather(self, indices, starts, crop):
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
