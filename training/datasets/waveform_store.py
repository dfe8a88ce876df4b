"""Waveforms held as one array."""

import numpy as np

from keras_ae.training.datasets.waveforms import float_waveform, int16_samples, resampled


class WaveformStore:
    """Utterances one after the other in one array, converted when they are asked for.

    Args:
        audio: `(all samples,)`, see `float_waveform` for the types.
        offsets: int `(utterances + 1,)`: utterance i is `audio[offsets[i]:offsets[i + 1]]`.
        sample_rate: of the audio.
        origin: what the array is, for errors.

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
        """Samples of each utterance, int64 `(utterances,)`."""
        return np.diff(self.offsets)

    def waveform(self, row: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """One utterance, or its samples from `start` to `stop`, float32 `(samples,)`."""
        return float_waveform(self.audio[self.offsets[row] : self.offsets[row + 1]][start:stop])

    def resampled(self, sample_rate: int) -> "WaveformStore":
        """The same utterances at another rate, held as int16."""
        if sample_rate == self.sample_rate:
            return self
        parts = [
            int16_samples(resampled(self.waveform(row), self.sample_rate, sample_rate))
            for row in range(len(self))
        ]
        offsets = np.cumsum([0, *map(len, parts)])
        audio = np.concatenate(parts) if parts else np.zeros(0, "int16")
        return WaveformStore(audio, offsets, sample_rate, self.origin)
