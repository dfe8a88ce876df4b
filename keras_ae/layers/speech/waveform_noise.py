"""Additive noise on waveforms in training."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.layers.base import Float32Layer
from keras_ae.ops.core import Tensor, uniform_noise

_LEAST_POWER = 1e-10  # power of silence, whose noise is also silence


@keras.saving.register_keras_serializable(package="keras_ae")
class WaveformNoise(Float32Layer):
    """Augmentation that adds white noise or babble (sums of other examples) to some examples in training.

    ```
    y = x + 10^(-s / 20) rms(x) / rms(n) n,   s ~ uniform [least, most] decibels
    n = white noise,   or   sum_j a_j x_j / rms(x_j) over `talkers` others, a_j ~ uniform [0, 1]
    ```

    An example stays unchanged with probability `1 - probability`; each of the others gets one kind of
    noise, chosen with equal probability. An encoder after this layer, whose decoder is trained on clean
    frames, learns to discard the noise. Inference changes nothing; padding stays 0.

    Args:
        probability: probability that an example gets noise.
        least, most: range of the signal-to-noise ratio, in decibels.
        talkers: number of other examples in babble; all others if the batch has fewer. A batch of one
            example gets only white noise.
        seed: seed of the noise; replicas draw different noise.

    Call arguments:
        waveform: `(batch, samples)`.
        mask: `(batch, samples)`, 1 = real; padding does not count in energies.
        training: whether to change the waveform.

    Output shape:
        as `waveform`, with its mask.

    Raises:
        ValueError: if `probability` is outside of [0, 1], `least` is above `most`, or there are fewer
            than one talker.

    Example:

    >>> layer = WaveformNoise(1.0, least=10.0, most=10.0, seed=0)
    >>> x = keras.random.normal((2, 8000), seed=0)
    >>> noise = layer(x, training=True) - x
    >>> [round(float(r), 1) for r in 10 * ops.log10(ops.mean(x**2, axis=1) / ops.mean(noise**2, axis=1))]
    [10.0, 10.0]

    Reference:
        Mixing at random ratios: Snyder et al., 2018, X-vectors,
        https://doi.org/10.1109/ICASSP.2018.8461375; with speech of the batch: Chen et al., 2022, WavLM,
        https://arxiv.org/abs/2110.13900.
    """

    def __init__(
        self,
        probability: float = 0.5,
        *,
        least: float = 5.0,
        most: float = 20.0,
        talkers: int = 8,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not 0.0 <= probability <= 1.0 or not least <= most or talkers < 1:
            raise ValueError(
                "WaveformNoise: probability must be in [0, 1], least must not exceed most, and talkers must "
                f"be at least 1. Received: probability={probability!r}, least={least!r}, most={most!r}, "
                f"talkers={talkers!r}"
            )
        self.probability = probability
        self.least = least
        self.most = most
        self.talkers = talkers
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, waveform: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        if not training or not self.probability:
            return ops.cast(waveform, self.compute_dtype)
        x = ops.cast(waveform, "float32")
        real = ops.ones_like(x) if mask is None else ops.cast(mask, "float32")
        x = ops.where(real > 0, x, 0.0)  # a product would keep the NaN of padding
        draws = uniform_noise((3, ops.shape(x)[0], 1), self.seed_generator)
        chance, kind, place = (draws[i] for i in range(3))
        white = (2.0 * uniform_noise(ops.shape(x), self.seed_generator) - 1.0) * real
        babble = self._babble(x, real) * real
        several = ops.logical_and(kind < 0.5, ops.shape(x)[0] > 1)
        noise = ops.where(several, babble, white)
        decibels = self.least + (self.most - self.least) * place
        scale = _rms(x, real) / _rms(noise, real) * ops.power(10.0, -decibels / 20.0)
        y = x + ops.where(chance < self.probability, scale * noise, 0.0)
        return ops.cast(y, self.compute_dtype)

    def _babble(self, x, real):
        """Return the sum of some other examples, each normalised in energy and then scaled at random."""
        batch = ops.shape(x)[0]
        draws = uniform_noise((2, batch, batch), self.seed_generator)
        order, level = draws[0], draws[1]
        order = ops.where(ops.eye(batch, dtype="bool"), -1.0, order)  # the example itself is sorted last
        # ops.top_k requires a number that is known when tracing
        least = tf.math.top_k(order, ops.minimum(self.talkers, ops.maximum(batch - 1, 1))).values[:, -1:]
        return ops.matmul(ops.where(order >= least, level, 0.0), x / _rms(x, real))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        names = ("probability", "least", "most", "talkers", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _rms(x, real):
    """Return the root mean square over real samples, `(batch, 1)`."""
    power = ops.sum(ops.square(x), axis=1, keepdims=True) / ops.maximum(
        ops.sum(real, axis=1, keepdims=True), 1.0
    )
    return ops.sqrt(ops.maximum(power, _LEAST_POWER))
