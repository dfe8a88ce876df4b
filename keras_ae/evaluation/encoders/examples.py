"""Examples of any modality, to encode, compare and show."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # tf.data

from keras_ae.errors import InputError
from keras_ae.evaluation._checks import check_lengths
from keras_ae.evaluation.encoders._texts import as_text
from keras_ae.layers import LogMelSpectrogram
from keras_ae.tables import TableColumn, table_features

MOST_WORDS = 2_000  # size of the vocabulary of a discriminator of texts
LONGEST_TEXT = 64  # largest number of words that a discriminator reads of a text
WAVEFORMS_AT_ONCE = 32  # waveforms whose frames are computed together
SAMPLE_RATE = 16_000  # assumed sample rate of waveforms of unknown rate, in Hz
WINDOW, HOP = 0.025, 0.01  # window and hop of log-mel frames, in seconds


class Examples:
    """Examples of one kind: images, vectors, sequences, waveforms or strings.

    Args:
        data: an array `(examples, ...)`; `{"x":, "lengths":}` for padded sequences, and for
            waveforms `(examples, samples)` with their `lengths` in samples; a list of strings;
            a `tf.data.Dataset` or another iterable of batches, whose `x` is used.
        sample_rate: sample rate of waveforms in Hz; `None`: that of `data` if it is an `Examples`, else
            unknown.
        columns: columns of vectors that are the rows of a table.

    Attributes:
        data: the inputs for an encoder: an array, a dict of arrays, or a list of strings.
        sample_rate: sample rate of waveforms in Hz; `None`: unknown.
        columns: columns of the rows of a table; `None`: other data.
        kind: "images", "vectors", "sequences", "waveforms", "tokens", "texts" or "arrays".

    Raises:
        InputError: there are no examples, or arrays have different lengths.

    Example:

    >>> examples = Examples(np.zeros((5, 8, 8, 1)))
    >>> examples.kind, len(examples.take([0, 2])), examples.shape
    ('images', 2, (8, 8, 1))
    """

    def __init__(
        self, data: Any, sample_rate: int | None = None, columns: Sequence[TableColumn] | None = None
    ):
        self.sample_rate = sample_rate or getattr(data, "sample_rate", None)
        own: Sequence[TableColumn] | None = (
            getattr(data, "columns", None) if isinstance(data, Examples) else None
        )
        self.columns: Sequence[TableColumn] | None = own if columns is None else columns
        self.data = _as_data(data)
        if not len(self):
            raise InputError("data must contain at least one example. Received: none")

    def __len__(self):
        return len(self.data["x"] if isinstance(self.data, dict) else self.data)

    def take(self, rows: np.ndarray | list[int]) -> "Examples":
        """Return the examples with the indices `rows`."""
        if isinstance(self.data, dict):
            return Examples({name: part[rows] for name, part in self.data.items()}, self.sample_rate)
        if isinstance(self.data, list):
            return Examples([self.data[row] for row in rows], self.sample_rate)
        return Examples(self.data[rows], self.sample_rate, self.columns)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example; `()` for texts."""
        return () if self.kind == "texts" else tuple(self.array.shape[1:])

    @property
    def array(self) -> np.ndarray:
        """Values `x` as an array."""
        return np.asarray(self.data["x"] if isinstance(self.data, dict) else self.data)

    @property
    def numbers(self) -> np.ndarray:
        """`array`, for the rows of a table as the features of `tables.table_features`, which are finite."""
        return self.array if self.columns is None else table_features(self.array, self.columns)

    @property
    def lengths(self) -> np.ndarray | None:
        """Number of real positions of each sequence; `None` without lengths."""
        return np.asarray(self.data["lengths"]) if isinstance(self.data, dict) else None

    @property
    def kind(self) -> str:
        """Kind of the examples."""
        if isinstance(self.data, list):
            return "texts"
        array = self.array
        if array.ndim == 2:
            if self.lengths is None:
                return "vectors"
            return "tokens" if array.dtype.kind in "iu" else "waveforms"
        if array.ndim == 3:
            return "sequences"
        return "images" if array.ndim == 4 and array.shape[-1] in (1, 3) else "arrays"

    def pair_inputs(self, vocabulary: dict | None = None) -> np.ndarray | dict[str, np.ndarray]:
        """Return the inputs of a pair discriminator: arrays, frames of waveforms, word numbers of texts."""
        if self.kind == "waveforms":
            return self.frames().data
        if self.kind != "texts":
            return self.data if self.columns is None else self.numbers
        if vocabulary is None:
            raise InputError("vocabulary is required for texts. Received: vocabulary=None")
        numbers = [[vocabulary.get(word, 0) for word in words(text)] or [0] for text in self.data]
        lengths = np.array([len(row) for row in numbers], "int32")
        padded = np.zeros((len(numbers), lengths.max()), "int32")
        for row, values in zip(padded, numbers, strict=True):
            row[: len(values)] = values
        return {"x": padded, "lengths": lengths}

    def frames(self) -> "Examples":
        """Return the log-mel frames of waveforms as sequences; an unknown sample rate counts as 16 kHz."""
        if self.lengths is None:
            raise InputError(f"data must be waveforms with lengths. Received: {self.kind} without lengths")
        layer, parts = log_mel_of(self.sample_rate or SAMPLE_RATE), []
        real = np.arange(self.array.shape[1]) < self.lengths[:, None]
        for start in range(0, len(self), WAVEFORMS_AT_ONCE):
            rows = slice(start, start + WAVEFORMS_AT_ONCE)
            parts.append(layer(self.array[rows].astype("float32"), mask=real[rows]).numpy())
        return Examples({"x": np.concatenate(parts), "lengths": np.asarray(layer.frames_of(self.lengths))})

    def vocabulary(self) -> dict | None:
        """Return `{word: number}` of the most frequent words of texts, from 1; `None` for other kinds."""
        if self.kind != "texts":
            return None
        counts = Counter(word for text in self.data for word in words(text))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))[:MOST_WORDS]
        return {word: number for number, word in enumerate(ranked, 1)}

    def features(self, vocabulary: dict | None = None) -> np.ndarray:
        """Return numeric features `(examples, features)` for principal components and simple comparisons.

        The features are the values of images and vectors; the mean and standard deviation over real
        positions of sequences, and of the log-mel frames of waveforms; and the shares of words in texts
        and of tokens.
        """
        if self.kind == "waveforms":
            return self.frames().features()
        if self.kind in ("texts", "tokens"):
            inputs = self.pair_inputs(vocabulary)
            return _shares(inputs["x"], inputs["lengths"], MOST_WORDS + 1 if vocabulary else None)
        array = self.numbers.astype("float32")
        if self.lengths is None:
            return array.reshape(len(array), -1)
        return mean_and_deviation(array.reshape(*array.shape[:2], -1), self.lengths)


def log_mel_of(sample_rate: int) -> LogMelSpectrogram:
    """Return the log-mel layer for a sample rate: windows of 25 ms every 10 ms, bands up to half the rate.

    Example:

    >>> layer = log_mel_of(8000)
    >>> layer.sample_rate, layer.window_length, layer.hop, layer.fft_length
    (8000, 200, 80, 512)
    """
    window, hop = (max(1, round(seconds * sample_rate)) for seconds in (WINDOW, HOP))
    fft_length = max(512, 1 << (window - 1).bit_length())  # fine enough for the narrow lowest bands
    return LogMelSpectrogram(sample_rate=sample_rate, window_length=window, hop=hop, fft_length=fft_length)


def words(text: str) -> list[str]:
    """Return the first words of a text in lower case.

    Example:

    >>> words("It's late, isn't it?")
    ["it's", 'late', "isn't", 'it']
    """
    return re.findall(r"\w+(?:'\w+)*", str(text).lower())[:LONGEST_TEXT]


def mean_and_deviation(sequences: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the mean and standard deviation over real positions, `(examples, 2 * features)`.

    Example:

    >>> mean_and_deviation(np.array([[[1.0], [3.0], [9.0]]]), np.array([2])).tolist()
    [[2.0, 1.0]]
    """
    real = (np.arange(sequences.shape[1]) < np.asarray(lengths)[:, None])[..., None]
    count = np.maximum(real.sum(axis=1), 1)
    mean = (sequences * real).sum(axis=1) / count
    variance = (np.square(sequences - mean[:, None]) * real).sum(axis=1) / count
    return np.concatenate([mean, np.sqrt(variance)], axis=1)


def _as_data(data):
    if isinstance(data, Examples):
        return data.data
    if isinstance(data, dict):
        if set(data) != {"x", "lengths"}:
            raise InputError(
                f'data must be {{"x":, "lengths":}} if it is a dict. Received: {sorted(map(str, data))}'
            )
        parts = {name: np.asarray(part) for name, part in data.items()}
        check_lengths(**parts)
        return parts
    if isinstance(data, (list, tuple)) and data and isinstance(data[0], (str, bytes)):
        return [as_text(one) for one in data]
    if hasattr(data, "shape") or isinstance(data, (list, tuple)):
        array = np.asarray(data)
        if array.dtype.kind in "OUS":
            return [as_text(one) for one in array.ravel()]
        return array[:, None] if array.ndim == 1 else array
    return _of_batches(data)


def _of_batches(data):
    if isinstance(data, tf.data.Dataset):
        data = data.as_numpy_iterator()
    elif isinstance(data, keras.utils.PyDataset):
        data = map(data.__getitem__, range(len(data)))
    if isinstance(data, (str, bytes)) or not hasattr(data, "__iter__"):
        raise InputError(
            "data must be an array, a dict of arrays, a list of strings, or batches of these. "
            f"Received: {type(data).__name__}"
        )
    batches = [keras.utils.unpack_x_y_sample_weight(batch)[0] for batch in data]
    if not batches:
        raise InputError("data must contain at least one example. Received: no batch")
    if isinstance(batches[0], dict):
        longest = max(batch["x"].shape[1] for batch in batches)
        padded = [_padded(np.asarray(batch["x"]), longest) for batch in batches]
        lengths = np.concatenate([np.asarray(batch["lengths"]) for batch in batches])
        return {"x": np.concatenate(padded), "lengths": lengths}
    return _as_data(np.concatenate([np.asarray(batch) for batch in batches]))


def _padded(array, length):
    return np.pad(array, [(0, 0), (0, length - array.shape[1]), *[(0, 0)] * (array.ndim - 2)])


def _shares(tokens, lengths, size):
    """Return the frequency of each token as a share of the sequence."""
    size = int(tokens.max()) + 1 if size is None else size
    real = np.arange(tokens.shape[1]) < np.asarray(lengths)[:, None]
    shares = np.zeros((len(tokens), size), "float32")
    rows = np.repeat(np.arange(len(tokens)), real.sum(axis=1))
    np.add.at(shares, (rows, np.minimum(tokens[real], size - 1)), 1.0)
    return shares / np.maximum(np.asarray(lengths), 1)[:, None]
