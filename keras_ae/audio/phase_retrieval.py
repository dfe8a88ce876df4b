"""A waveform from the magnitudes of its short-time spectrum."""

import numpy as np

from keras_ae.errors import InputError

_TINY = np.finfo("float32").tiny


def griffin_lim(
    magnitudes: np.ndarray,
    *,
    hop: int = 160,
    window_length: int = 400,
    fft_length: int | None = None,
    samples: int | None = None,
    iterations: int = 32,
    momentum: float = 0.99,
    seed: int | None = 0,
) -> np.ndarray:
    """A waveform whose short-time spectrum has nearly these magnitudes, for listening.

    ```
    z_0     = A exp(i phase_0)
    r_n     = STFT(inverse STFT(z_n))                        the nearest spectrum that a waveform has
    z_{n+1} = A u / |u|,   u = r_n - momentum / (1 + momentum) r_{n-1}
    ```

    The transform is that of `layers.LogMelSpectrogram`: a periodic Hann window, frames centred at
    multiples of `hop`, zeros beyond the ends. Every iteration costs two transforms.

    Args:
        magnitudes: `A`, `(..., frames, fft_length // 2 + 1)`, at least 0.
        hop: samples between frames.
        window_length: samples under the window.
        fft_length: samples under the transform; `None`: `2 * (bins - 1)`.
        samples: length of the waveform; `None`: `(frames - 1) * hop`.
        iterations: more sound less hollow.
        momentum: 0: the algorithm of Griffin and Lim; 0.99: the fast one.
        seed: of the phases it starts from, uniform; `None`: all phases 0.

    Returns:
        `(..., samples)` float32.

    Raises:
        InputError: magnitudes that are negative, not finite, or of another number of bins.

    Example:

    >>> griffin_lim(np.ones((11, 257))).shape
    (1600,)

    Reference:
        Griffin and Lim, 1984, https://doi.org/10.1109/TASSP.1984.1164317; Perraudin et al., 2013,
        https://doi.org/10.1109/WASPAA.2013.6701851.
    """
    magnitudes = np.asarray(magnitudes, "float32")
    fft_length = 2 * (magnitudes.shape[-1] - 1) if fft_length is None else fft_length
    _check(magnitudes, fft_length)
    samples = (magnitudes.shape[-2] - 1) * hop if samples is None else samples
    transform = _ShortTimeTransform(hop, window_length, fft_length, magnitudes.shape[-2], samples)
    spectrum = magnitudes * _first_phases(magnitudes.shape, seed)
    before = np.zeros_like(spectrum)
    for _ in range(iterations):
        consistent = transform.forward(transform.inverse(spectrum))
        ahead = consistent - np.float32(momentum / (1.0 + momentum)) * before
        spectrum = magnitudes * (ahead / (np.abs(ahead) + _TINY))
        before = consistent
    return transform.inverse(spectrum)


def _check(magnitudes, fft_length):
    bins = fft_length // 2 + 1
    fine = magnitudes.ndim >= 2 and magnitudes.shape[-2] >= 1 and magnitudes.shape[-1] == bins
    if not fine or not np.isfinite(magnitudes).all() or (magnitudes < 0).any():
        raise InputError(
            f"griffin_lim expects finite magnitudes of at least 0, (..., frames, {bins}) for an fft_length "
            f"of {fft_length}. Received: shape {magnitudes.shape}, least {magnitudes.min(initial=0.0)}"
        )


def _first_phases(shape, seed):
    """Complex numbers of size 1."""
    if seed is None:
        return np.ones(shape, "complex64")
    return np.exp(2j * np.pi * np.random.default_rng(seed).random(shape, "float32")).astype("complex64")


class _ShortTimeTransform:
    """The short-time Fourier transform of waveforms of one length, and its inverse of least squares."""

    def __init__(self, hop, window_length, fft_length, frames, samples):
        self.hop, self.fft_length, self.frames, self.samples = hop, fft_length, frames, samples
        self.window = np.zeros(fft_length, "float32")
        first = (fft_length - window_length) // 2
        turns = np.arange(window_length) / window_length
        self.window[first : first + window_length] = 0.5 - 0.5 * np.cos(2.0 * np.pi * turns)
        self.weights = self._overlap_add(np.tile(self.window**2, (frames, 1)))
        self.weights[self.weights <= _TINY] = 1.0  # no window reaches there

    def forward(self, waveform):
        """`(..., samples)` -> `(..., frames, bins)`."""
        half = self.fft_length // 2
        after = max(0, (self.frames - 1) * self.hop + self.fft_length - half - self.samples)
        padded = np.pad(waveform, [(0, 0)] * (waveform.ndim - 1) + [(half, after)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.fft_length, axis=-1)
        starts = windows[..., : (self.frames - 1) * self.hop + 1 : self.hop, :]
        return np.fft.rfft(starts * self.window, axis=-1).astype("complex64")

    def inverse(self, spectrum):
        """`(..., frames, bins)` -> `(..., samples)`: the waveform whose spectrum is nearest."""
        frames = np.fft.irfft(spectrum, self.fft_length, axis=-1).astype("float32")
        return self._overlap_add(frames * self.window) / self.weights

    def _overlap_add(self, frames):
        """`(..., frames, fft_length)` -> `(..., samples)`, frames centred at multiples of the hop."""
        blocks = -(-self.fft_length // self.hop)
        outer = [(0, 0)] * (frames.ndim - 1)
        frames = np.pad(frames, [*outer, (0, blocks * self.hop - self.fft_length)])
        frames = frames.reshape(*frames.shape[:-1], blocks, self.hop)
        total = np.zeros((*frames.shape[:-3], self.frames + blocks - 1, self.hop), "float32")
        for block in range(blocks):  # the first hop of every frame at once, then the second, ...
            total[..., block : block + self.frames, :] += frames[..., block, :]
        flat = total.reshape(*total.shape[:-2], -1)[..., self.fft_length // 2 :]
        missing = max(0, self.samples - flat.shape[-1])
        return np.pad(flat, [*outer[:-1], (0, missing)])[..., : self.samples]
