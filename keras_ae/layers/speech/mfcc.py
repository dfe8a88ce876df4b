"""Mel-frequency cepstral coefficients as a layer that can be exported."""

from typing import Any

import keras
from keras import ops

from keras_ae.layers.base import Float32Layer
from keras_ae.layers.speech.cepstral_coefficients import CepstralCoefficients
from keras_ae.layers.speech.log_mel_spectrogram import LogMelSpectrogram


@keras.saving.register_keras_serializable(package="keras_ae")
class MFCC(Float32Layer):
    """Mel-frequency cepstral coefficients of a waveform with derivatives; the pitch is mostly removed.

    ```
    c[t, k] = s_k sum_m cos(pi k (m + 1/2) / num_mels) mel[t, m]
    s_0     = sqrt(1 / num_mels), s_k = sqrt(2 / num_mels) beyond
    d[t]    = first derivative at t of the line through c[t - 4], ..., c[t + 4]
    dd[t]   = second derivative at t of the parabola through them
    ```

    `mel` is `LogMelSpectrogram` in decibels; lines and parabolas are least-squares fits. The first and
    the last 4 frames of an example take the derivatives of the nearest frame that has 4 neighbours on
    each side. This equals `librosa.feature.mfcc` and `librosa.feature.delta` up to rounding, also in a
    padded batch. An example of fewer than 9 frames, which librosa refuses, has one derivative, that of
    its middle frame, with the first and the last frame repeated.

    Args:
        num_coefficients: number of coefficients per frame, including the first one, the loudness.
        num_mels: number of mel bands.
        deltas: 0: coefficients only; 1: also `d`; 2: also `d` and `dd`.
        floor: least energy of a band.
        **kwargs: further arguments of `LogMelSpectrogram`, such as `sample_rate`, `window_length`, `hop`, and
            of `keras.layers.Layer`.

    Call arguments:
        waveform: `(batch, samples)`, in [-1, 1].
        mask: `(batch, samples)`, 1 = real; the padding is at the end.

    Output shape:
        `(batch, 1 + samples // hop, num_coefficients * (1 + deltas))`, in the compute dtype, with the mask
        of `LogMelSpectrogram`.

    Raises:
        ValueError: for settings out of range, or a waveform that is not `(batch, samples)`.

    Example:

    >>> MFCC()(ops.zeros((1, 1600))).shape
    TensorShape([1, 11, 39])

    Reference:
        Davis and Mermelstein, 1980, https://doi.org/10.1109/TASSP.1980.1163420; Furui, 1986,
        https://doi.org/10.1109/TASSP.1986.1164788.
    """

    def __init__(
        self,
        num_coefficients: int = 13,
        *,
        num_mels: int = 40,
        deltas: int = 2,
        floor: float = 1e-8,
        **kwargs: Any,
    ):
        own = {key: kwargs.pop(key) for key in ("name", "trainable", "dtype") if key in kwargs}
        super().__init__(**own)
        if not 1 <= num_coefficients <= num_mels or deltas not in (0, 1, 2):
            raise ValueError(
                "MFCC: num_coefficients must be from 1 to num_mels and deltas must be 0, 1 or 2. "
                f"Received: num_coefficients={num_coefficients}, num_mels={num_mels}, deltas={deltas}"
            )
        self.num_coefficients = num_coefficients
        self.num_mels = num_mels
        self.deltas = deltas
        self.floor = floor
        self.spectrogram_options = kwargs
        self.spectrogram = LogMelSpectrogram(num_mels, floor=floor, log="db", dtype="float32", **kwargs)
        self.cepstrum = CepstralCoefficients(num_coefficients, deltas=deltas, dtype="float32")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.spectrogram.build(input_shape)
        self.cepstrum.build((*input_shape, self.num_mels))

    def call(self, waveform: Any, mask: Any | None = None) -> Any:
        frames = self.spectrogram(waveform, mask=mask)
        frame_mask = self.spectrogram.compute_mask(waveform, mask)
        return ops.cast(self.cepstrum(frames, mask=frame_mask), self.compute_dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any | None = None) -> Any | None:
        return self.spectrogram.compute_mask(inputs, previous_mask)

    def frames_of(self, samples: Any) -> Any:
        """Return the number of frames for a number of samples: an integer, an array or a tensor."""
        return self.spectrogram.frames_of(samples)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        frames = self.spectrogram.compute_output_shape(input_shape)[:2]
        return *frames, self.num_coefficients * (1 + self.deltas)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_coefficients": self.num_coefficients,
            "num_mels": self.num_mels,
            "deltas": self.deltas,
            "floor": self.floor,
            **self.spectrogram_options,
        }
