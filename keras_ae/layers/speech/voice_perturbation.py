"""Perturbation of waveforms in training: as from a different vocal tract and microphone."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae.layers.speech.spectral_perturbation import POLYNOMIALS, legendre_polynomials
from keras_ae.ops.core import Tensor, uniform_noise

FLOOR = 1e-4  # least magnitude: 120 dB below those of a full-scale tone


@keras.saving.register_keras_serializable(package="keras_ae")
class VoicePerturbation(keras.layers.Layer):
    """Augmentation that shifts formants and tilts spectra of waveforms in training, and keeps the timing.

    ```
    log |Y[t, f]| = log |X[t, f]| + E[t, a f] - E[t, f] + sum_k c_k P_k(2 f - 1),   k = 1, 2, 3
    E[t, f] = sum_{n < order} q[t, n] cos(pi n f)                      the envelope, q the cepstrum
    a ~ uniform [1 - warp, 1 + warp],   c_k ~ uniform [-tilt, tilt],   P_k Legendre polynomials
    ```

    `X` is the short-time spectrum, `f` ranges from 0 to 1 at half of the sample rate, `a f` is at most 1;
    the phase of `Y` is that of `X`, so that the pitch is kept too. One draw holds for the whole example,
    and the level is restored to that of `x`. What is constant in an utterance, the length of the vocal
    tract and the timbre of voice and channel, changes; the content does not. Inference changes nothing.

    Args:
        warp: largest relative change of the formants, below 1; 0.15 is 15 %.
        tilt: largest change that each polynomial adds at the highest frequency, in nepers: 1.0 is 8.7 dB.
        window: length of a spectrum's window in samples, even: 32 ms resolve the lowest pitch of speech.
            Four windows overlap.
        order: number of cepstral coefficients of the envelope; at most `window / 2`.
        seed: seed of the noise; replicas draw different noise.

    Call arguments:
        x: `(batch, samples)`.
        mask: `(batch, samples)`, 1 = real; the padding is at the end and is 0 in the output.
        training: whether to change the waveform.

    Output shape:
        as `x`, with its mask.

    Raises:
        ValueError: if `warp` is outside of [0, 1), `tilt` is negative, `window` is not a multiple of 4,
            or `order` is out of range.

    Example:

    >>> layer = VoicePerturbation(window=64, order=8, seed=0)
    >>> x = ops.sin(ops.arange(200, dtype="float32"))[None]
    >>> bool(ops.all(layer(x) == x)), bool(ops.any(layer(x, training=True) != x))
    (True, True)

    Reference:
        Jaitly and Hinton, 2013, Vocal tract length perturbation improves speech recognition; for
        disentangling: Choi et al., 2021, https://arxiv.org/abs/2110.14513.
    """

    def __init__(
        self,
        warp: float = 0.15,
        tilt: float = 1.0,
        *,
        window: int = 512,
        order: int = 24,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not 0.0 <= warp < 1.0 or not tilt >= 0.0:
            raise ValueError(
                "VoicePerturbation: warp must be in [0, 1) and tilt must be at least 0. "
                f"Received: warp={warp!r}, tilt={tilt!r}"
            )
        if window < 4 or window % 4 or not 1 <= order <= window // 2:
            raise ValueError(
                "VoicePerturbation: window must be a positive multiple of 4, and order must be from 1 to "
                f"half of it. Received: window={window!r}, order={order!r}"
            )
        self.supports_masking = True
        self.warp = warp
        self.tilt = tilt
        self.window = window
        self.order = order
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self._frequencies = np.linspace(0.0, 1.0, window // 2 + 1, dtype="float32")
        self._polynomials = legendre_polynomials(2.0 * self._frequencies - 1.0)
        # rows of the inverse cosine transform: the ends have weight 1/2; all rows but the mean are doubled
        self._analysis = self._cosines(self._frequencies).T * 2.0 / (window // 2)
        self._analysis[[0, -1]] /= 2.0
        self._analysis[:, 0] /= 2.0

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        if not training:
            return x
        x = ops.cast(x, "float32")
        if mask is not None:
            x = ops.where(mask, x, ops.zeros_like(x))
        y = self._perturbed(x)
        if mask is not None:
            y = ops.where(mask, y, ops.zeros_like(y))
        power_x, power_y = (ops.sum(ops.square(part), axis=1, keepdims=True) for part in (x, y))
        return ops.cast(y * ops.sqrt(power_x / ops.maximum(power_y, 1e-12)), self.compute_dtype)

    def _perturbed(self, x):
        # zeros at both ends, so that the first and the last samples lie under four windows too
        samples = ops.shape(x)[1]
        padded = ops.pad(x, [[0, 0], [self.window, 2 * self.window]])
        real, imaginary = self._spectrum(padded)
        gain = ops.exp(self._log_gain(ops.sqrt(ops.square(real) + ops.square(imaginary))))
        y = ops.istft(
            (real * gain, imaginary * gain), self.window, self.window // 4, self.window, center=False
        )
        return y[:, self.window : self.window + samples]

    def _spectrum(self, x):
        return ops.stft(x, self.window, self.window // 4, self.window, center=False)

    def _log_gain(self, magnitude):
        """Return the log gain of the new envelope and the tilt, `(batch, frames, frequencies)`."""
        noise = 2.0 * uniform_noise((ops.shape(magnitude)[0], 1 + POLYNOMIALS), self.seed_generator) - 1.0
        stretch, bend = 1.0 + self.warp * noise[:, :1], self.tilt * noise[:, 1:]
        cepstrum = ops.matmul(ops.log(magnitude + FLOOR), self._analysis)
        moved = ops.minimum(stretch * self._frequencies, 1.0)
        change = self._cosines(moved) - self._cosines(self._frequencies)
        return ops.matmul(cepstrum, change) + ops.matmul(bend, self._polynomials)[:, None]

    def _cosines(self, frequencies):
        """Return `cos(pi n f)`, with the axis of `n` before that of `frequencies`."""
        n = np.pi * np.arange(self.order, dtype="float32")[:, None]
        angles = n * frequencies[..., None, :]
        return np.cos(angles) if isinstance(angles, np.ndarray) else ops.cos(angles)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Tensor | None:
        return previous_mask

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "warp": self.warp,
            "tilt": self.tilt,
            "window": self.window,
            "order": self.order,
            "seed": self.seed,
        }
