"""Perturbation of log-mel frames in training: as from a different vocal tract and microphone."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae.ops.core import Tensor, uniform_noise

POLYNOMIALS = 3  # Legendre polynomials of degree 1 to 3: slope, bow and twist of a spectrum


def legendre_polynomials(places: np.ndarray) -> np.ndarray:
    """Return the values of the polynomials at `places` in [-1, 1], float32 `(POLYNOMIALS, places)`.

    Example:

    >>> legendre_polynomials(np.array([-1.0, 1.0])).tolist()
    [[-1.0, 1.0], [1.0, 1.0], [-1.0, 1.0]]
    """
    return np.polynomial.legendre.legvander(places, POLYNOMIALS)[:, 1:].T.astype("float32")


@keras.saving.register_keras_serializable(package="keras_ae")
class SpectralPerturbation(keras.layers.Layer):
    """Augmentation that stretches the frequency axis of each example and tilts its spectrum in training.

    ```
    y[t, m] = x[t, min(a m, M - 1)] + sum_k c_k P_k(2 m / (M - 1) - 1),   k = 1, 2, 3
    a ~ uniform [1 - warp, 1 + warp],   c_k ~ uniform [-tilt, tilt],   P_k Legendre polynomials
    ```

    `x` is interpolated between bands. One draw holds for all frames of an example: what is constant in an
    utterance, the length of the vocal tract and the timbre of voice and channel, changes; the content
    does not. An encoder after this layer learns to ignore the speaker. Inference changes nothing.

    Args:
        warp: largest relative change of the frequencies, below 1.
        tilt: largest change that each polynomial adds at the highest band, in units of the frames: 1.0 is
            4.3 dB for natural logarithms of energies.
        seed: seed of the noise; replicas draw different noise.

    Call arguments:
        x: `(batch, frames, mels)`, logarithms.
        training: whether to change the frames.

    Output shape:
        as `x`, with its mask.

    Raises:
        ValueError: if `warp` is outside of [0, 1), `tilt` is negative, or there are fewer than two mels.

    Example:

    >>> layer = SpectralPerturbation(seed=0)
    >>> x = ops.ones((1, 5, 8))
    >>> bool(ops.all(layer(x) == x)), bool(ops.any(layer(x, training=True) != x))
    (True, True)

    Reference:
        Jaitly and Hinton, 2013, Vocal tract length perturbation improves speech recognition; for
        disentangling: Choi et al., 2021, https://arxiv.org/abs/2110.14513.
    """

    def __init__(self, warp: float = 0.15, tilt: float = 1.0, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0.0 <= warp < 1.0 or not tilt >= 0.0:
            raise ValueError(
                "SpectralPerturbation: warp must be in [0, 1) and tilt must be at least 0. "
                f"Received: warp={warp!r}, tilt={tilt!r}"
            )
        self.supports_masking = True
        self.warp = warp
        self.tilt = tilt
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        mels = input_shape[-1]
        if mels is None or mels < 2:
            raise ValueError(
                f"The input of SpectralPerturbation '{self.name}' must have at least two mels. "
                f"Received: shape {tuple(input_shape)}"
            )
        self.bands = np.arange(mels, dtype="float32")
        self.polynomials = legendre_polynomials(np.linspace(-1.0, 1.0, mels))

    def call(self, x: Tensor, training: bool | None = None) -> Tensor:
        if not training:
            return x
        noise = 2.0 * uniform_noise((ops.shape(x)[0], 1 + POLYNOMIALS), self.seed_generator) - 1.0
        stretch, bend = 1.0 + self.warp * noise[:, :1], self.tilt * noise[:, 1:]
        y = ops.matmul(ops.cast(x, "float32"), self._interpolation(stretch))
        return ops.cast(y + ops.matmul(bend, self.polynomials)[:, None], self.compute_dtype)

    def _interpolation(self, stretch):
        """Return weights `(batch, mels, mels)` from the bands of `x` to those of `y`."""
        places = ops.minimum(stretch * self.bands, self.bands[-1])
        return ops.relu(1.0 - ops.abs(places[:, None, :] - self.bands[:, None]))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "warp": self.warp, "tilt": self.tilt, "seed": self.seed}
