"""From log-mel frames to waveforms inside of a TensorFlow graph, for models that are served.

Raw TensorFlow: `keras.ops` has no overlap-add of a free length, and Fourier transforms do not convert
to ONNX anyway.
"""

import numpy as np
import tensorflow as tf

_UPDATES = 100  # of the magnitudes, as in `mel_to_magnitudes`
_MOMENTUM = 0.99
_TINY = np.finfo("float32").tiny


def waveforms_of_frames(log_mel, lengths, layer, iterations: int = 32):
    """`mel_to_waveforms` as a function of tensors, at any number of frames.

    The same two steps: the magnitudes by non-negative least squares, their phases by the fast algorithm
    of Griffin and Lim. The phases start as those of steady tones at the centres of the bins, so that an
    utterance alone and in any batch gives the same waveform.

    Args:
        log_mel: float32 `(batch, frames, num_mels)`, of `layer`.
        lengths: int32 `(batch,)`, real frames.
        layer: the `layers.LogMelSpectrogram` that made them, or one of the same settings.
        iterations: of Griffin-Lim.

    Returns:
        `(batch, (frames - 1) * hop)` float32, 0 past the end of an utterance.

    Reference:
        Perraudin et al., 2013, https://doi.org/10.1109/WASPAA.2013.6701851.
    """
    lengths, frames = tf.cast(lengths, tf.int32), tf.shape(log_mel)[1]
    real = tf.sequence_mask(lengths, frames, tf.float32)
    samples = tf.maximum(0, frames - 1) * layer.hop
    sounding = tf.sequence_mask(tf.maximum(0, lengths - 1) * layer.hop, samples, tf.float32)
    # `where`: what is padded may be anything, NaN included
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
    """`(batch, frames, bins)`: `mel_to_magnitudes`."""
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
    """`exp(2 pi i (k hop t / fft_length + phase_k))`, `(frames, bins)`."""
    bins = layer.fft_length // 2 + 1
    advance = tf.constant(np.arange(bins) * layer.hop % layer.fft_length, tf.int32)
    turns = tf.cast(tf.range(frames)[:, None] * advance % layer.fft_length, tf.float32) / layer.fft_length
    angles = 2.0 * np.pi * (turns + np.random.default_rng(0).random(bins, "float32"))
    return tf.complex(tf.cos(angles), tf.sin(angles))


class _Transform:
    """The short-time Fourier transform of `LogMelSpectrogram`, and its inverse of least squares.

    The inverse is that of the real frames: `real` is 1 where a frame is one, `(batch, frames)`.
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
        self.weights = tf.where(weights > _TINY, weights, tf.ones_like(weights))  # no window reaches there

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
