"""Waveforms held as audio files."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path

import numpy as np

from keras_ae.training.datasets.audio_reading import read_audio
from keras_ae.training.datasets.waveforms import resampled


class AudioFileStore:
    """Audio files, decoded when they are asked for; never all in memory.

    Args:
        paths: of the files.
        sample_rate: to which they are resampled.
        lengths: samples of each at that rate, int64 `(utterances,)`; `None`: not known yet.

    Raises:
        InputError: while reading: a file is broken; the message names it.
    """

    def __init__(self, paths: Sequence[Path], sample_rate: int, lengths=None):
        self.paths = list(paths)
        self.sample_rate = sample_rate
        self.lengths = None if lengths is None else np.asarray(lengths, "int64")

    def __len__(self):
        return len(self.paths)

    def waveform(self, row: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """One utterance, or its samples from `start` to `stop`, float32 `(samples,)`."""
        waveform, rate = read_audio(self.paths[row])
        return resampled(waveform, rate, self.sample_rate)[start:stop]


def resampled_length(samples: int, rate: int, new_rate: int) -> int:
    """Samples that `resampled` gives.

    Example:

    >>> resampled_length(44_101, 44_100, 16_000), len(resampled(np.zeros(44_101), 44_100, 16_000))
    (16001, 16001)
    """
    return ceil(samples * new_rate / rate)
