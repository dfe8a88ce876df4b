"""Log-mel spectrogram as a layer that can be exported."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae.audio.mel import mel_weights
from keras_ae.layers.base import Float32Layer
from keras_ae.ops.sequences import zero_padding


@keras.saving.register_keras_serializable(package="keras_ae")
class LogMelSpectrogram(Float32Layer):
    """Log-mel spectrogram of a waveform, one frame every `hop` samples.

    ```
    X[t, k] = sum_n hann[n] x[t hop + n - window_length / 2] exp(-2 pi i k n / fft_length)
    y[t, m] = log max(sum_k W[k, m] |X[t, k]|^power, floor)
    ```

    Frame `t` is centred at sample `t hop`; beyond both ends of an example the waveform is 0, so that an
    example alone and in any batch gives the same frames. `W` are the triangular filters of
    `keras_ae.audio.mel_weights`. The transform is a convolution with cosines and sines: it converts to
    ONNX at any length and is about as fast on a CPU as an FFT of this size. The result equals the
    logarithm of `librosa.feature.melspectrogram(center=True, pad_mode="constant")`. Float32 under every
    dtype policy; nothing is trained.

    Args:
        num_mels: number of mel bands.
        sample_rate: sample rate of the waveforms, Hz.
        window_length: length of the periodic Hann window in samples: 400 are 25 ms at 16 kHz.
        hop: number of samples between frames: 160 are 10 ms at 16 kHz.
        fft_length: length of the transform in samples, even, at least `window_length`; zeros beyond the
            window.
        mel_scale: "slaney" or "htk".
        mel_norm: "slaney", bands of equal area, or `None`, of equal height.
        min_frequency: lower edge of the lowest band, Hz.
        max_frequency: upper edge of the highest band, Hz; `None`: half of the sample rate.
        power: 2.0 for energies, or 1.0 for magnitudes.
        floor: least value of a band; silence is `log(floor)`.
        log: "natural", or "db" for decibels: `10 log10` of energies, `20 log10` of magnitudes.

    Call arguments:
        waveform: `(batch, samples)`, in [-1, 1].
        mask: `(batch, samples)`, 1 = real; the padding is at the end.

    Output shape:
        `(batch, 1 + samples // hop, num_mels)`, in the compute dtype; its mask has `1 + length // hop`
        real frames for `length` real samples, and none for an example without real samples.

    Raises:
        ValueError: for settings that do not fit each other, or a waveform that is not `(batch, samples)`.

    Example:

    >>> layer = LogMelSpectrogram(40)
    >>> layer(ops.zeros((1, 1600))).shape
    TensorShape([1, 11, 40])

    Reference:
        Davis and Mermelstein, 1980, https://doi.org/10.1109/TASSP.1980.1163420.
    """

    def __init__(
        self,
        num_mels: int = 80,
        *,
        sample_rate: int = 16000,
        window_length: int = 400,
        hop: int = 160,
        fft_length: int = 512,
        mel_scale: str = "slaney",
        mel_norm: str | None = "slaney",
        min_frequency: float = 0.0,
        max_frequency: float | None = None,
        power: float = 2.0,
        floor: float = 1e-6,
        log: str = "natural",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.num_mels = num_mels
        self.sample_rate = sample_rate
        self.window_length = window_length
        self.hop = hop
        self.fft_length = fft_length
        self.mel_scale = mel_scale
        self.mel_norm = mel_norm
        self.min_frequency = min_frequency
        self.max_frequency = max_frequency
        self.power = power
        self.floor = floor
        self.log = log
        self._check()
        self.mel_weights = mel_weights(
            num_mels,
            sample_rate=sample_rate,
            fft_length=fft_length,
            min_frequency=min_frequency,
            max_frequency=max_frequency,
            scale=mel_scale,
            norm=mel_norm,
        )
        self._basis = _windowed_basis(window_length, fft_length)

    def _check(self):
        if self.hop < 1 or not 1 <= self.window_length <= self.fft_length or self.fft_length % 2:
            raise ValueError(
                "LogMelSpectrogram: hop must be at least 1, window_length must be from 1 to fft_length, and "
                f"fft_length must be even. Received: hop={self.hop}, "
                f"window_length={self.window_length}, fft_length={self.fft_length}"
            )
        if self.power not in (1.0, 2.0) or self.log not in ("natural", "db") or self.floor <= 0:
            raise ValueError(
                'LogMelSpectrogram: power must be 1.0 or 2.0, log must be "natural" or "db", and floor must '
                f"be positive. Received: power={self.power!r}, log={self.log!r}, floor={self.floor!r}"
            )

    @property
    def log_scale(self) -> float:
        """Factor of the natural logarithm."""
        return 1.0 if self.log == "natural" else 20.0 / (self.power * math.log(10.0))

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 2:
            raise ValueError(
                f"The input of LogMelSpectrogram '{self.name}' must be waveforms (batch, samples). "
                f"Received: shape {tuple(input_shape)}"
            )

    def call(self, waveform: Any, mask: Any | None = None) -> Any:
        x = zero_padding(ops.cast(waveform, "float32")[..., None], mask)
        bands = ops.matmul(self._spectrum(x), self.mel_weights)
        return ops.cast(self.log_scale * ops.log(ops.maximum(bands, self.floor)), self.compute_dtype)

    def _spectrum(self, x):
        """Return `|X|^power`, `(batch, frames, fft_length // 2 + 1)`, of `(batch, samples, 1)`."""
        before = self.fft_length // 2 - (self.fft_length - self.window_length) // 2
        x = ops.pad(x, ((0, 0), (before, self.window_length - before), (0, 0)))
        products = ops.conv(x, self._basis, strides=self.hop, padding="valid", data_format="channels_last")
        real, imaginary = ops.split(products, 2, axis=-1)
        energy = ops.square(real) + ops.square(imaginary)
        # the gradient of the square root at 0 is infinite
        return energy if self.power == 2.0 else ops.sqrt(ops.maximum(energy, 1e-20))

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        if previous_mask is None:
            return None
        # frame t is real if sample t hop - 1 is: the last frame is centred at the end or before it
        mask = ops.cast(previous_mask, "bool")
        return ops.concatenate([mask[:, :1], mask], axis=1)[:, :: self.hop]

    def frames_of(self, samples: Any) -> Any:
        """Return the number of frames for a number of samples: an integer, an array or a tensor."""
        return 1 + samples // self.hop

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        batch, samples = input_shape
        return batch, None if samples is None else self.frames_of(samples), self.num_mels

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_mels": self.num_mels,
            "sample_rate": self.sample_rate,
            "window_length": self.window_length,
            "hop": self.hop,
            "fft_length": self.fft_length,
            "mel_scale": self.mel_scale,
            "mel_norm": self.mel_norm,
            "min_frequency": self.min_frequency,
            "max_frequency": self.max_frequency,
            "power": self.power,
            "floor": self.floor,
            "log": self.log,
        }


def _windowed_basis(window_length, fft_length):
    """Return cosines, then sines, under a periodic Hann window: `(window_length, 1, 2 bins)` float32."""
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window_length) / window_length)
    turns = np.outer(np.arange(window_length), np.arange(fft_length // 2 + 1)) % fft_length / fft_length
    basis = np.concatenate([np.cos(2.0 * np.pi * turns), np.sin(2.0 * np.pi * turns)], axis=1)
    return (window[:, None] * basis)[:, None].astype("float32")
