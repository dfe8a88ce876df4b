"""Global variance of generated frames, rescaled to the variance of recorded speech."""

from typing import Any

import keras
from keras import ops

from keras_ae.layers.base import Float32Layer
from keras_ae.ops.core import Tensor, assign_finite, sum_over_replicas, where_counted
from keras_ae.ops.sequences import zero_padding

EPSILON = 1e-6  # added to variances, so that their ratio is finite


@keras.saving.register_keras_serializable(package="keras_ae")
class GlobalVariance(Float32Layer):
    """Postfilter that scales each band of an utterance around its mean to the variance of recordings.

    ```
    y_tm   = mean_t x_tm + gain_m (x_tm - mean_t x_tm)                        over real frames
    gain_m = sqrt(recorded_m / generated_m)
    recorded_m, generated_m:  means over utterances of the variance of band m over time
    ```

    A network that minimises an error outputs the mean of all possible frames: its frames vary less than
    those of speech, and sound muffled. In training, `observe` tracks both variances as moving averages;
    nothing is learned by gradient. Before the first update the gain is 1. A batch that is not finite
    changes neither. Float32 inside.

    Args:
        momentum: momentum of the moving averages.
        largest: upper limit of a gain; its inverse is the lower limit.

    Call arguments:
        x: frames `(batch, frames, mels)`.
        mask: `(batch, frames)`, 1 = real.

    Output shape:
        as `x`; 0 where there is padding.

    Raises:
        ValueError: if `momentum` is outside of [0, 1), or `largest` is below 1.

    Example:

    >>> layer = GlobalVariance(momentum=0.0)
    >>> recorded, generated = ops.array([[[0.0], [4.0]]]), ops.array([[[1.0], [3.0]]])
    >>> layer.observe(recorded, generated)
    >>> layer(generated)[0, :, 0].numpy().round(3).tolist()
    [0.0, 4.0]

    Reference:
        Toda et al., 2007, https://doi.org/10.1109/TASL.2007.907344; as a filter: Silen et al., 2012, Ways to
        implement global variance in statistical speech synthesis.
    """

    def __init__(self, *, momentum: float = 0.99, largest: float = 2.0, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0.0 <= momentum < 1.0 or not largest >= 1.0:
            raise ValueError(
                "GlobalVariance: momentum must be in [0, 1) and largest must be at least 1. "
                f"Received: momentum={momentum!r}, largest={largest!r}"
            )
        self.momentum = momentum
        self.largest = largest

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        moving = {"shape": (input_shape[-1],), "dtype": "float32", "autocast": False}
        moving |= {"initializer": "zeros", "trainable": False, "aggregation": "mean"}
        self.recorded = self.add_weight(name="recorded", **moving)
        self.generated = self.add_weight(name="generated", **moving)

    @property
    def gain(self) -> Tensor:
        """Gain of each band, `(mels,)`; 1 before the first `observe`."""
        ratio = (ops.convert_to_tensor(self.recorded) + EPSILON) / (
            ops.convert_to_tensor(self.generated) + EPSILON
        )
        return ops.clip(ops.sqrt(ratio), 1.0 / self.largest, self.largest)

    def observe(
        self,
        recorded: Tensor,
        generated: Tensor,
        mask: Tensor | None = None,
        sample_weight: Tensor | None = None,
    ) -> None:
        """Update the variances with `(batch, frames, mels)`; `sample_weight` `(batch,)` is per utterance."""
        if not self.built:
            self.build(recorded.shape)
        shown = ops.ones_like(recorded[:, :, 0]) if mask is None else ops.cast(mask, "float32")
        count = ops.cast(ops.any(shown > 0, axis=1), "float32")
        if sample_weight is not None:
            count = count * ops.cast(sample_weight, "float32")
        total = sum_over_replicas(ops.sum(count))
        step = (1.0 - self.momentum) * ops.cast(total > 0, "float32")
        updates = []
        for moving, frames in ((self.recorded, recorded), (self.generated, generated)):
            _, variance = band_moments(frames, mask)
            variance = count[:, None] * where_counted(variance, count)
            mean = ops.divide_no_nan(sum_over_replicas(ops.sum(variance, axis=0)), total)
            updates.append((moving, moving + step * (mean - moving)))
        assign_finite(*updates)

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = zero_padding(ops.cast(x, "float32"), mask)
        mean, _ = band_moments(x, mask)
        widened = mean[:, None] + self.gain * (x - mean[:, None])
        return ops.cast(zero_padding(widened, mask), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "momentum": self.momentum, "largest": self.largest}


def band_moments(frames: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return `(mean, variance)` of each band over the real frames, float32 `(batch, mels)` each.

    Example:

    >>> mean, variance = band_moments(ops.array([[[1.0], [3.0], [9.0]]]), ops.array([[1, 1, 0]]))
    >>> mean.numpy().tolist(), variance.numpy().tolist()
    ([[2.0]], [[1.0]])
    """
    frames = zero_padding(ops.cast(frames, "float32"), mask)
    weights = ops.ones_like(frames[:, :, :1]) if mask is None else ops.cast(mask, "float32")[:, :, None]
    total = ops.sum(weights, axis=1)
    mean = ops.divide_no_nan(ops.sum(weights * frames, axis=1), total)
    squares = weights * ops.square(frames - mean[:, None])
    return mean, ops.divide_no_nan(ops.sum(squares, axis=1), total)
