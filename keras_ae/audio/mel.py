"""Mel filter bank, and waveforms from log-mel frames.

The magnitudes are estimated by least squares, the phases by the fast Griffin-Lim algorithm. There are two
versions: one in NumPy, the other inside of a TensorFlow graph, for serving: `keras.ops` has no
overlap-add of variable length, and Fourier transforms do not convert to ONNX.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError

_SLANEY_STEP = 200.0 / 3.0  # Hz per mel below the corner
_SLANEY_CORNER = 1000.0  # Hz; the scale is logarithmic above
_SLANEY_RATIO = np.log(6.4) / 27.0  # log frequency per mel above the corner


def mel_weights(
    num_mels: int,
    *,
    sample_rate: int,
    fft_length: int,
    min_frequency: float = 0.0,
    max_frequency: float | None = None,
    scale: str = "slaney",
    norm: str | None = "slaney",
) -> np.ndarray:
    """Return the matrix that maps the bins of a spectrum to mel bands.

    ```
    W[k, m] = a_m max(0, min((f_k - l_m) / (c_m - l_m), (r_m - f_k) / (r_m - c_m)))
    f_k = k sample_rate / fft_length
    ```

    The left edge `l`, centre `c` and right edge `r` of filter `m` are the entries `m`, `m + 1` and `m +
    2` of `num_mels + 2` frequencies that are evenly spaced in mel; `a_m` is `2 / (r_m - l_m)` for the
    norm "slaney", so that white noise has equal power in all bands, and 1 for `None`.

    Args:
        num_mels: number of bands.
        sample_rate: sample rate in Hz.
        fft_length: length of the transform in samples.
        min_frequency: left edge of the first filter, Hz.
        max_frequency: right edge of the last filter, Hz; `None`: half of the sample rate.
        scale: "slaney" (linear up to 1 kHz, as in librosa) or "htk" (`2595 log10(1 + f / 700)`,
            as in TensorFlow).
        norm: "slaney" or `None`.

    Returns:
        `(fft_length // 2 + 1, num_mels)` float32.

    Raises:
        ValueError: for an unknown scale or norm, frequencies out of order, or filters so narrow that they
            contain no bin.

    Example:

    >>> mel_weights(40, sample_rate=16000, fft_length=512).shape
    (257, 40)

    Reference:
        Slaney, Auditory Toolbox, 1998; Young et al., The HTK Book, 2006.
    """
    high = sample_rate / 2 if max_frequency is None else max_frequency
    _check(num_mels, min_frequency, high, sample_rate, scale, norm)
    to_mel, to_hertz = _SCALES[scale]
    edges = to_hertz(np.linspace(to_mel(min_frequency), to_mel(high), num_mels + 2))
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = np.arange(fft_length // 2 + 1)[:, None] * (sample_rate / fft_length)
    weights = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre)).clip(0)
    if not weights.any(axis=0).all():
        raise ValueError(
            "The bins of the transform must be closer than the mel bands. "
            f"Received: {num_mels} bands over {fft_length // 2 + 1} bins, which leave "
            f"{np.count_nonzero(~weights.any(axis=0))} of the bands empty. "
            "Use fewer bands or a longer transform."
        )
    return (weights * (2.0 / (right - left) if norm else 1.0)).astype("float32")


def _check(num_mels, low, high, sample_rate, scale, norm):
    if scale not in _SCALES or norm not in ("slaney", None):
        raise ValueError(
            f"The mel scale must be one of {sorted(_SCALES)}, and its norm must be 'slaney' or None. "
            f"Received: scale={scale!r}, norm={norm!r}"
        )
    if num_mels < 1 or not 0 <= low < high <= sample_rate / 2:
        raise ValueError(
            "num_mels must be at least 1, and the bands must lie between 0 and half of the sample rate. "
            f"Received: num_mels={num_mels}, bands from {low} to {high} Hz at {sample_rate} Hz"
        )


def _slaney_mel(frequency):
    frequency = np.asarray(frequency, "float64")
    octaves = np.log(np.maximum(frequency, _SLANEY_CORNER) / _SLANEY_CORNER)
    return np.minimum(frequency, _SLANEY_CORNER) / _SLANEY_STEP + octaves / _SLANEY_RATIO


def _slaney_hertz(mel):
    corner = _SLANEY_CORNER / _SLANEY_STEP
    return _SLANEY_STEP * np.minimum(mel, corner) * np.exp(_SLANEY_RATIO * np.maximum(mel - corner, 0.0))


def _htk_mel(frequency):
    return 2595.0 * np.log10(1.0 + np.asarray(frequency, "float64") / 700.0)


def _htk_hertz(mel):
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)


_SCALES = {"slaney": (_slaney_mel, _slaney_hertz), "htk": (_htk_mel, _htk_hertz)}


_UPDATES = 100  # number of updates of the magnitudes: the bands are reached within one or two percent


def mel_to_magnitudes(log_mel: np.ndarray, layer: keras.Layer) -> np.ndarray:
    """Return the magnitudes of a spectrum with these mel bands, by non-negative least squares.

    ```
    min_S |S W - mel|^2,   S >= 0
    ```

    There are fewer bands than bins, so that the solution is not unique: the estimate starts from the
    pseudo-inverse and is refined by multiplicative updates, which keep `S >= 0`.

    Args:
        log_mel: `(..., frames, num_mels)`, from `layer`; normalised frames must be denormalised first.
        layer: the `layers.LogMelSpectrogram` of these bands.

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


def mel_to_waveform(
    log_mel: np.ndarray, layer: keras.Layer, iterations: int = 32, samples: int | None = None
) -> np.ndarray:
    """Return a waveform for log-mel frames: `mel_to_magnitudes`, then `griffin_lim`.

    Log-mel frames contain neither phases nor fine structure: the result is intelligible, but sounds
    hollow. Compare a model's reconstruction with the same inversion of the original's frames, not with
    the recording.

    Args:
        log_mel: `(..., frames, num_mels)`, from `layer`.
        layer: the `layers.LogMelSpectrogram` that computed them, or one of the same settings.
        iterations: number of iterations of `griffin_lim`.
        samples: length of the waveform in samples; `None`: `(frames - 1) * hop`.

    Returns:
        `(..., samples)` float32, roughly in [-1, 1], at `layer.sample_rate`.

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


def mel_to_waveforms(
    log_mel: np.ndarray, layer: keras.Layer, lengths: np.ndarray | None = None, iterations: int = 32
) -> np.ndarray:
    """Return `mel_to_waveform` of each utterance of a padded batch separately; padding is silent.

    Args:
        log_mel: `(batch, frames, num_mels)`, from `layer`.
        layer: the `layers.LogMelSpectrogram` that computed them, or one of the same settings.
        lengths: `(batch,)`, number of real frames; `None`: all.
        iterations: number of iterations of `griffin_lim`.

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


_MOMENTUM = 0.99
_TINY = np.finfo("float32").tiny


def waveforms_of_frames(
    log_mel: tf.Tensor, lengths: tf.Tensor, layer: keras.Layer, iterations: int = 32
) -> tf.Tensor:
    """Return `mel_to_waveforms` as a function of tensors, for any number of frames.

    It has the same two steps: the magnitudes by non-negative least squares, the phases by the fast
    algorithm of Griffin and Lim. The initial phases are those of steady tones at the centres of the bins,
    so that an utterance alone and in any batch gives the same waveform.

    Args:
        log_mel: float32 `(batch, frames, num_mels)`, from `layer`.
        lengths: int32 `(batch,)`, number of real frames.
        layer: the `layers.LogMelSpectrogram` that computed them, or one of the same settings.
        iterations: number of iterations of Griffin-Lim.

    Returns:
        `(batch, (frames - 1) * hop)` float32, 0 past the end of an utterance.

    Reference:
        Perraudin et al., 2013, https://doi.org/10.1109/WASPAA.2013.6701851.
    """
    lengths, frames = tf.cast(lengths, tf.int32), tf.shape(log_mel)[1]
    real = tf.sequence_mask(lengths, frames, tf.float32)
    samples = tf.maximum(0, frames - 1) * layer.hop
    sounding = tf.sequence_mask(tf.maximum(0, lengths - 1) * layer.hop, samples, tf.float32)
    # `where`: padding may have any value, including NaN
    quiet = tf.where(real[..., None] > 0, log_mel, tf.zeros_like(log_mel))
    magnitudes = _magnitudes(quiet, layer) * real[..., None]
    transform = _Transform(layer, real, samples)

    def improve(step, spectrum, before):
        consistent = transform.forward(transform.inverse(spectrum) * sounding)
        ahead = consistent - _MOMENTUM / (1.0 + _MOMENTUM) * before
        unit = ahead / tf.cast(tf.abs(ahead) + _TINY, tf.complex64)
        return step + 1, tf.cast(magnitudes, tf.complex64) * unit, consistent

    spectrum = tf.cast(magnitudes, tf.complex64) * _steady_phases(frames, layer)
    start = (0, spectrum, tf.zeros_like(spectrum))
    _, spectrum, _ = tf.while_loop(lambda step, *_: step < iterations, improve, start)
    return transform.inverse(spectrum) * sounding


def _magnitudes(log_mel, layer):
    """Return magnitudes `(batch, frames, bins)`, as `mel_to_magnitudes`."""
    bands = tf.exp(log_mel / layer.log_scale)
    weights = tf.constant(layer.mel_weights)
    tiny = 1e-12 * tf.maximum(tf.reduce_max(bands, axis=(1, 2), keepdims=True), 1e-12)
    start = tf.maximum(bands @ np.linalg.pinv(layer.mel_weights.astype("float64")).astype("float32"), tiny)
    target = tf.linalg.matmul(bands, weights, transpose_b=True)

    def improve(step, spectrum):
        made = tf.linalg.matmul(spectrum @ weights, weights, transpose_b=True)
        return step + 1, spectrum * target / tf.maximum(made, tiny)

    _, spectrum = tf.while_loop(lambda step, _: step < _UPDATES, improve, (0, start))
    return spectrum ** (1.0 / layer.power)


def _steady_phases(frames, layer):
    """Return phases of steady tones `exp(2 pi i (k hop t / fft_length + phase_k))`, `(frames, bins)`."""
    bins = layer.fft_length // 2 + 1
    advance = tf.constant(np.arange(bins) * layer.hop % layer.fft_length, tf.int32)
    turns = tf.cast(tf.range(frames)[:, None] * advance % layer.fft_length, tf.float32) / layer.fft_length
    angles = 2.0 * np.pi * (turns + np.random.default_rng(0).random(bins, "float32"))
    return tf.complex(tf.cos(angles), tf.sin(angles))


class _Transform:
    """Short-time Fourier transform of `LogMelSpectrogram`, and its least-squares inverse.

    The inverse uses the real frames only: `real` `(batch, frames)` is 1 for a real frame.
    """

    def __init__(self, layer, real, samples):
        self.hop, self.length, self.samples = layer.hop, layer.fft_length, samples
        self.frames = tf.shape(real)[1]
        window = np.zeros(self.length, "float32")
        first = (self.length - layer.window_length) // 2
        turns = np.arange(layer.window_length) / layer.window_length
        window[first : first + layer.window_length] = 0.5 - 0.5 * np.cos(2.0 * np.pi * turns)
        self.window = tf.constant(window)
        weights = self._overlap_add(real[..., None] * self.window**2)
        self.weights = tf.where(weights > _TINY, weights, tf.ones_like(weights))  # 1 where no window reaches

    def forward(self, waveform):
        half = self.length // 2
        after = tf.maximum(0, (self.frames - 1) * self.hop + self.length - half - self.samples)
        padded = tf.pad(waveform, [[0, 0], [half, after]])
        windows = tf.signal.frame(padded, self.length, self.hop)[:, : self.frames]
        return tf.signal.rfft(windows * self.window)

    def inverse(self, spectrum):
        frames = tf.signal.irfft(spectrum, [self.length])
        return self._overlap_add(frames * self.window) / self.weights

    def _overlap_add(self, frames):
        half = self.length // 2
        whole = tf.signal.overlap_and_add(frames, self.hop)
        whole = tf.pad(whole[:, half:], [[0, 0], [0, self.samples]])
        return whole[:, : self.samples]


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
    """Return a waveform whose short-time spectrum has nearly these magnitudes, for listening.

    ```
    z_0     = A exp(i phase_0)
    r_n     = STFT(inverse STFT(z_n))                        the nearest spectrum that a waveform has
    z_{n+1} = A u / |u|,   u = r_n - momentum / (1 + momentum) r_{n-1}
    ```

    The transform is that of `layers.LogMelSpectrogram`: a periodic Hann window, frames centred at
    multiples of `hop`, zeros beyond the ends. Every iteration costs two transforms.

    Args:
        magnitudes: `A`, `(..., frames, fft_length // 2 + 1)`, at least 0.
        hop: number of samples between frames.
        window_length: length of the window in samples.
        fft_length: length of the transform in samples; `None`: `2 * (bins - 1)`.
        samples: length of the waveform in samples; `None`: `(frames - 1) * hop`.
        iterations: number of iterations; with more, the result sounds less hollow.
        momentum: 0 for the algorithm of Griffin and Lim; 0.99 for the fast one.
        seed: seed of the uniform initial phases; `None`: all phases 0.

    Returns:
        `(..., samples)` float32.

    Raises:
        InputError: for magnitudes that are negative, not finite, or of another number of bins.

    Example:

    >>> griffin_lim(np.ones((11, 257))).shape
    (1600,)

    Reference:
        Griffin and Lim, 1984, https://doi.org/10.1109/TASSP.1984.1164317; Perraudin et al., 2013,
        https://doi.org/10.1109/WASPAA.2013.6701851.
    """
    magnitudes = np.asarray(magnitudes, "float32")
    fft_length = 2 * (magnitudes.shape[-1] - 1) if fft_length is None else fft_length
    _check_magnitudes(magnitudes, fft_length)
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


def _check_magnitudes(magnitudes, fft_length):
    bins = fft_length // 2 + 1
    fine = magnitudes.ndim >= 2 and magnitudes.shape[-2] >= 1 and magnitudes.shape[-1] == bins
    if not fine or not np.isfinite(magnitudes).all() or (magnitudes < 0).any():
        raise InputError(
            f"magnitudes of griffin_lim must be finite, at least 0 and of shape (..., frames, {bins}) for "
            f"fft_length={fft_length}. Received: shape {magnitudes.shape}, smallest value "
            f"{magnitudes.min(initial=0.0)}"
        )


def _first_phases(shape, seed):
    """Return initial phases as complex numbers of size 1."""
    if seed is None:
        return np.ones(shape, "complex64")
    return np.exp(2j * np.pi * np.random.default_rng(seed).random(shape, "float32")).astype("complex64")


class _ShortTimeTransform:
    """Short-time Fourier transform of waveforms of one length, and its least-squares inverse."""

    def __init__(self, hop, window_length, fft_length, frames, samples):
        self.hop, self.fft_length, self.frames, self.samples = hop, fft_length, frames, samples
        self.window = np.zeros(fft_length, "float32")
        first = (fft_length - window_length) // 2
        turns = np.arange(window_length) / window_length
        self.window[first : first + window_length] = 0.5 - 0.5 * np.cos(2.0 * np.pi * turns)
        self.weights = self._overlap_add(np.tile(self.window**2, (frames, 1)))
        self.weights[self.weights <= _TINY] = 1.0  # no window reaches these samples

    def forward(self, waveform):
        """Return the spectrum, `(..., samples)` -> `(..., frames, bins)`."""
        half = self.fft_length // 2
        after = max(0, (self.frames - 1) * self.hop + self.fft_length - half - self.samples)
        padded = np.pad(waveform, [(0, 0)] * (waveform.ndim - 1) + [(half, after)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, self.fft_length, axis=-1)
        starts = windows[..., : (self.frames - 1) * self.hop + 1 : self.hop, :]
        return np.fft.rfft(starts * self.window, axis=-1).astype("complex64")

    def inverse(self, spectrum):
        """Return the waveform with the nearest spectrum, `(..., frames, bins)` -> `(..., samples)`."""
        frames = np.fft.irfft(spectrum, self.fft_length, axis=-1).astype("float32")
        return self._overlap_add(frames * self.window) / self.weights

    def _overlap_add(self, frames):
        """Add frames centred at multiples of the hop, `(..., frames, fft_length)` -> `(..., samples)`."""
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
