"""Stores of waveforms in one array or in audio files."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.training.datasets.speech._audio_reading import read_audio
from keras_ae.training.datasets.speech.waveforms import float_waveform, int16_samples, resampled


class WaveformStore:
    """Store of utterances in one array, one after the other, converted when they are read.

    Args:
        audio: `(all samples,)`, see `float_waveform` for the types.
        offsets: int `(utterances + 1,)`: utterance i is `audio[offsets[i]:offsets[i + 1]]`.
        sample_rate: sample rate of the audio, in Hz.
        origin: description of the array for errors.

    Example:

    >>> store = WaveformStore(np.full(5, 16384, "int16"), [0, 2, 5], 16_000, "halves")
    >>> store.lengths.tolist(), store.waveform(0).tolist()
    ([2, 3], [0.5, 0.5])
    """

    def __init__(self, audio: np.ndarray, offsets, sample_rate: int, origin: str):
        self.audio = audio
        self.offsets = np.asarray(offsets, "int64")
        self.sample_rate = int(sample_rate)
        self.origin = origin

    def __len__(self):
        return len(self.offsets) - 1

    @property
    def lengths(self) -> np.ndarray:
        """Number of samples of each utterance, int64 `(utterances,)`."""
        return np.diff(self.offsets)

    def waveform(self, row: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return one utterance, or its samples from `start` to `stop`, float32 `(samples,)`."""
        return float_waveform(self.audio[self.offsets[row] : self.offsets[row + 1]][start:stop])

    def resampled(self, sample_rate: int) -> "WaveformStore":
        """Return the utterances at another sample rate, stored as int16."""
        if sample_rate == self.sample_rate:
            return self
        parts = [
            int16_samples(resampled(self.waveform(row), self.sample_rate, sample_rate))
            for row in range(len(self))
        ]
        offsets = np.cumsum([0, *map(len, parts)])
        audio = np.concatenate(parts) if parts else np.zeros(0, "int16")
        return WaveformStore(audio, offsets, sample_rate, self.origin)


class AudioFileStore:
    """Store of audio files that are decoded when they are read; never all in memory.

    Args:
        paths: paths of the files.
        sample_rate: sample rate in Hz to which they are resampled.
        lengths: number of samples of each at that rate, int64 `(utterances,)`; `None`: unknown.

    Raises:
        InputError: while reading: a file is broken; the message names it.
    """

    def __init__(self, paths: Sequence[Path], sample_rate: int, lengths=None):
        self.paths = list(paths)
        self.sample_rate = sample_rate
        self.lengths: Any = None if lengths is None else np.asarray(lengths, "int64")

    def __len__(self):
        return len(self.paths)

    def waveform(self, row: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Return one utterance, or its samples from `start` to `stop`, float32 `(samples,)`."""
        waveform, rate = read_audio(self.paths[row])
        return resampled(waveform, rate, self.sample_rate)[start:stop]


def resampled_length(samples: int, rate: int, new_rate: int) -> int:
    """Return the number of samples that `resampled` returns.

    Example:

    >>> resampled_length(44_101, 44_100, 16_000), len(resampled(np.zeros(44_101), 44_100, 16_000))
    (16001, 16001)
    """
    return ceil(samples * new_rate / rate)
