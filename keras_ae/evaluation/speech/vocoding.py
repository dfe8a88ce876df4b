"""Vocoding of many utterances, from log-mel frames to waveforms."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_ae.audio import griffin_lim

ITERATIONS = 40  # iterations of Griffin-Lim
PADDED = 64  # utterances whose frames are computed together
INVERTED = 8  # utterances of equal length that are inverted together; more do not fit into the cache


def vocode(log_mels: Sequence[np.ndarray], layer: Any, *, iterations: int = ITERATIONS) -> list[np.ndarray]:
    """Compute a waveform for the log-mel frames of each utterance, fast enough to judge thousands of them.

    ```
    A = max(0, mel W^+)^(1 / power)        mel = exp(log_mel / log_scale)
    x = griffin_lim(A)
    ```

    The pseudo-inverse `W^+` replaces the non-negative least squares of `audio.mel_to_waveform`, which
    sounds slightly better and takes longer than Griffin-Lim itself.

    Args:
        log_mels: `(frames, num_mels)` of each utterance, computed by `layer`, not normalised.
        layer: the `layers.LogMelSpectrogram` that computed the frames.
        iterations: number of iterations of `audio.griffin_lim`.

    Returns:
        list of float32 `((frames - 1) * hop,)`, one per utterance.

    Example:

    >>> from keras_ae.layers import LogMelSpectrogram
    >>> [len(one) for one in vocode([np.zeros((3, 40)), np.zeros((6, 40))], LogMelSpectrogram(40))]
    [320, 800]
    """
    inverse = np.linalg.pinv(np.asarray(layer.mel_weights, "float64")).astype("float32")
    counts = np.array([len(frames) for frames in log_mels], "int64")
    found = [np.zeros(0, "float32")] * len(counts)
    for chosen in _equal_lengths(counts):
        bands = np.exp(np.stack([log_mels[i] for i in chosen]).astype("float32") / layer.log_scale)
        magnitudes = np.maximum(bands @ inverse, 0.0) ** (1.0 / layer.power)
        waveforms = griffin_lim(
            magnitudes,
            hop=layer.hop,
            window_length=layer.window_length,
            fft_length=layer.fft_length,
            iterations=iterations,
        )
        for i, waveform in zip(chosen, waveforms, strict=True):
            found[i] = waveform
    return found


def _equal_lengths(counts):
    """Yield the indices of utterances that have the same number of frames, at least two."""
    for count in np.unique(counts[counts > 1]):
        same = np.flatnonzero(counts == count)
        yield from np.split(same, range(INVERTED, len(same), INVERTED))


def copy_synthesis(
    waveforms: Sequence[np.ndarray], layer: Any, *, iterations: int = ITERATIONS
) -> list[np.ndarray]:
    """Convert each waveform to frames by `layer` and back by `vocode`, without any model in between.

    Args:
        waveforms: float `(samples,)` of each utterance.
        layer: a `layers.LogMelSpectrogram`.
        iterations: number of iterations of `audio.griffin_lim`.

    Returns:
        float32 waveforms, at most `layer.hop - 1` samples shorter.

    Example:

    >>> from keras_ae.layers import LogMelSpectrogram
    >>> [len(one) for one in copy_synthesis([np.zeros(800), np.zeros(1700)], LogMelSpectrogram(40))]
    [800, 1600]
    """
    return vocode(frames_of_waveforms(waveforms, layer), layer, iterations=iterations)


def frames_of_waveforms(waveforms: Sequence[np.ndarray], layer: Any) -> list[np.ndarray]:
    """Apply `layer`, such as `LogMelSpectrogram` or `MFCC`, to each waveform, `(frames, channels)` each.

    Waveforms of similar length are processed together, padded and with a mask.

    Example:

    >>> from keras_ae.layers import LogMelSpectrogram
    >>> [one.shape for one in frames_of_waveforms([np.zeros(320), np.zeros(800)], LogMelSpectrogram(40))]
    [(3, 40), (6, 40)]
    """
    lengths = np.array([len(one) for one in waveforms], "int64")
    found: list = [None] * len(lengths)
    order = np.argsort(lengths, kind="stable")
    for first in range(0, len(order), PADDED):
        chosen = order[first : first + PADDED]
        x = np.zeros((len(chosen), max(1, lengths[chosen].max())), "float32")
        for row, i in zip(x, chosen, strict=True):
            row[: lengths[i]] = waveforms[i]
        mask = np.arange(x.shape[1]) < lengths[chosen][:, None]
        frames = np.asarray(layer(x, mask=mask))
        for row, i in zip(frames, chosen, strict=True):
            found[i] = row[: layer.frames_of(lengths[i])]
    return found
