"""Time jitter of frames: a regulariser of sequences of codes."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_ae.ops.core import Tensor, uniform_noise


@keras.saving.register_keras_serializable(package="keras_ae")
class TimeJitter(keras.layers.Layer):
    """Augmentation that replaces random frames by their left or right neighbour in training.

    ```
    y[t] = x[t + j_t],   P(j_t = -1) = P(j_t = 1) = probability, else j_t = 0
    ```

    independently, but never three equal frames in a row: in `j = (1, 0, -1)`, which would show frame `t`
    three times, one of the two outer replacements is undone, each with equal probability. So an inner
    frame is replaced from each side with probability `p - p^2 (1 - 2 p) / 2`, 0.1145 at `p` = 0.12. The
    first and the last real frame have one neighbour; no frame crosses the end of the real frames, and
    padded frames stay. Codes that their neighbours may replace represent what lasts, such as the phone.
    Inference changes nothing.

    Args:
        probability: probability of each of the two neighbours, at most 0.5.
        seed: seed of the noise; replicas draw different noise.

    Call arguments:
        x: `(batch, frames, channels)`.
        mask: `(batch, frames)`, 1 = real; the padding is at the end.
        training: whether to replace frames.

    Output shape:
        as `x`, with its mask.

    Raises:
        ValueError: for a probability out of range.

    Example:

    >>> layer = TimeJitter(0.5, seed=0)
    >>> x = ops.reshape(ops.arange(5.0), (1, 5, 1))
    >>> bool(ops.all(ops.abs(layer(x, training=True) - x) <= 1)), bool(ops.all(layer(x) == x))
    (True, True)

    Reference:
        Chorowski et al., 2019, https://arxiv.org/abs/1901.08810, section III.
    """

    def __init__(self, probability: float = 0.12, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        if not 0.0 <= probability <= 0.5:
            raise ValueError(
                f"TimeJitter: probability must be in [0, 0.5]. Received: probability={probability!r}"
            )
        self.supports_masking = True
        self.probability = probability
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        if not training or not self.probability:
            return x
        batch, frames = ops.shape(x)[0], ops.shape(x)[1]
        places = ops.broadcast_to(ops.arange(frames, dtype="int32")[None], (batch, frames))
        last = ops.full((batch, 1), frames - 1, dtype="int32")
        if mask is not None:
            last = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True) - 1
        sources = ops.maximum(ops.minimum(places + self._jumps((batch, frames)), last), 0)
        # gathers whole frames: ops.take_along_axis would need an index for every channel
        return tf.gather(x, ops.where(places <= last, sources, places), batch_dims=1)

    def _jumps(self, shape):
        """Return -1, 0 or 1 for every frame, never 1, 0, -1 in a row; int32."""
        noise = uniform_noise((2, *shape), self.seed_generator)
        moves, choice = noise[0], noise[1]
        left = moves < self.probability
        right = moves >= 1.0 - self.probability
        stays = ops.logical_not(ops.logical_or(left, right))
        triple = ops.logical_and(_before(right), ops.logical_and(stays, _after(left)))  # marked at its middle
        keep_left = ops.logical_and(triple, choice < 0.5)
        keep_right = ops.logical_and(triple, choice >= 0.5)
        left = ops.logical_and(left, ops.logical_not(_before(keep_left)))
        right = ops.logical_and(right, ops.logical_not(_after(keep_right)))
        return ops.cast(right, "int32") - ops.cast(left, "int32")

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None = None) -> Tensor | None:
        return previous_mask

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "probability": self.probability, "seed": self.seed}


def _before(flags):
    """Return the flag of the frame before each; false before the first."""
    return ops.pad(flags, ((0, 0), (1, 0)), constant_values=False)[:, :-1]


def _after(flags):
    """Return the flag of the frame after each; false after the last."""
    return ops.pad(flags, ((0, 0), (0, 1)), constant_values=False)[:, 1:]
