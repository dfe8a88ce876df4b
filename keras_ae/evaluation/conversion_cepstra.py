"""What the judge of conversions hears of an utterance."""

from collections.abc import Sequence

import numpy as np

from keras_ae.evaluation.vocoding import frames_of_waveforms
from keras_ae.layers import MFCC

COEFFICIENTS = 13
BINS = 8  # equal parts of an utterance
TINY = 1e-9


def conversion_features(waveforms: Sequence[np.ndarray], sample_rate: int) -> np.ndarray:
    """Cepstra of whole utterances and of their eighths, `(utterances, 182)` float32.

    ```
    [mean_t c[t], sd_t c[t], mean_{t in part 1} c'[t], ..., mean_{t in part 8} c'[t]]
    ```

    `c` are 13 MFCC with slopes and curvatures (39 numbers), `c'` the 13 alone: windows of 25 ms
    every 10 ms, 40 bands, of the waveform with peak 1. Parts share a frame where their border falls into it.

    Args:
        waveforms: float `(samples,)` of each utterance.
        sample_rate: in Hz.

    Example:

    >>> conversion_features([np.ones(900), np.ones(4000)], 8000).shape
    (2, 182)
    """
    window = sample_rate // 40
    layer = MFCC(
        COEFFICIENTS,
        sample_rate=sample_rate,
        window_length=window,
        hop=sample_rate // 100,
        fft_length=2 ** (2 * window - 1).bit_length(),
    )
    levelled = [one / (np.abs(one).max(initial=0.0) + TINY) for one in waveforms]
    return np.stack([_pooled(frames) for frames in frames_of_waveforms(levelled, layer)])


def _pooled(frames):
    ends = np.linspace(0, len(frames), BINS + 1)
    cepstra = frames[:, :COEFFICIENTS]
    parts = [
        cepstra[int(a) : max(int(a) + 1, int(np.ceil(b)))].mean(axis=0)
        for a, b in zip(ends[:-1], ends[1:], strict=True)
    ]
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0), *parts]).astype("float32")
