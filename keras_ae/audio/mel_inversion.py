"""From log-mel frames back to something to listen to."""

import numpy as np

from keras_ae.audio.phase_retrieval import griffin_lim

_UPDATES = 100  # of the magnitudes: the bands are met to a percent or two


def mel_to_magnitudes(log_mel: np.ndarray, layer) -> np.ndarray:
    """Magnitudes of a spectrum with these mel bands: non-negative least squares.

    ```
    min_S |S W - mel|^2,   S >= 0
    ```

    Bands are fewer than bins, so that many spectra have them: this one starts at the pseudo-inverse and is
    refined by multiplicative updates, which never leave `S >= 0`.

    Args:
        log_mel: `(..., frames, num_mels)`, of `layer`; normalised frames must be denormalised first.
        layer: the `layers.LogMelSpectrogram` whose bands these are.

    Returns:
        `(..., frames, fft_length // 2 + 1)` float32.

    Reference:
        Lee and Seung, 2001, https://papers.nips.cc/paper/1861 (the updates).
    """
    bands = np.exp(np.asarray(log_mel, "float64") / layer.log_scale)
    weights = np.asarray(layer.mel_weights, "float64")
    tiny = 1e-12 * max(bands.max(initial=0.0), 1e-12)
    spectrum = np.maximum(bands @ np.linalg.pinv(weights), tiny)
    target = bands @ weights.T
    for _ in range(_UPDATES):
        spectrum *= target / np.maximum((spectrum @ weights) @ weights.T, tiny)
    return (spectrum ** (1.0 / layer.power)).astype("float32")


def mel_to_waveform(log_mel: np.ndarray, layer, iterations: int = 32, samples: int | None = None):
    """A waveform that sounds like these log-mel frames: `mel_to_magnitudes`, then `griffin_lim`.

    Log-mel frames hold neither phases nor fine structure: what comes back is understood, and is hollow.
    Compare a model's reconstruction with the same inversion of the original's frames, not with the
    recording.

    Args:
        log_mel: `(..., frames, num_mels)`, of `layer`.
        layer: the `layers.LogMelSpectrogram` that made them, or one of the same settings.
        iterations: of `griffin_lim`.
        samples: length of the waveform; `None`: `(frames - 1) * hop`.

    Returns:
        `(..., samples)` float32, about in [-1, 1] at `layer.sample_rate`.

    Example:

    >>> from keras_ae.layers import LogMelSpectrogram
    >>> layer = LogMelSpectrogram(40)
    >>> mel_to_waveform(layer(np.zeros((1, 1600))), layer).shape
    (1, 1600)
    """
    return griffin_lim(
        mel_to_magnitudes(log_mel, layer),
        hop=layer.hop,
        window_length=layer.window_length,
        fft_length=layer.fft_length,
        samples=samples,
        iterations=iterations,
    )


def mel_to_waveforms(log_mel: np.ndarray, layer, lengths=None, iterations: int = 32) -> np.ndarray:
    """`mel_to_waveform` of each utterance of a padded batch alone: what is padded does not sound.

    Args:
        log_mel: `(batch, frames, num_mels)`, of `layer`.
        layer: the `layers.LogMelSpectrogram` that made them, or one of the same settings.
        lengths: `(batch,)`, real frames; `None`: all.
        iterations: of `griffin_lim`.

    Returns:
        `(batch, (frames - 1) * hop)` float32, 0 past the end of an utterance.
    """
    batch, frames = log_mel.shape[:2]
    lengths = np.full(batch, frames) if lengths is None else np.asarray(lengths)
    waveforms = np.zeros((batch, max(0, frames - 1) * layer.hop), "float32")
    for one, length, waveform in zip(log_mel, lengths, waveforms, strict=True):
        samples = max(0, int(length) - 1) * layer.hop
        if samples:
            waveform[:samples] = mel_to_waveform(one[:length], layer, iterations, samples)
    return waveforms
