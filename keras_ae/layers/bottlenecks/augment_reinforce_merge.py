"""Gradient of an expectation over bits, estimated from two antithetic samples (ARM)."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class AugmentReinforceMerge(keras.layers.Layer):
    """ARM gradient estimator: unbiased, without a baseline, with two evaluations of the loss.

    ```
    u ~ U(0, 1),   b_1 = 1[u > sigmoid(-l)],   b_2 = 1[u < sigmoid(l)]
    d/dl E_b[f(b)] = E_u[ (f(b_1) - f(b_2)) (u - 1/2) ],   b ~ Bernoulli(sigmoid(l))
    ```

    Each of `b_1` and `b_2` has the distribution of `b`; where both are equal for this `u`, the bit adds no
    noise.

    `codes, uniform = layer.draw(logits)` draws the pair. With the losses of both, `layer(losses, logits,
    uniform)` is a surrogate: its value is the mean of the two losses, its gradient that of both losses
    with respect to their own parameters and the estimate above with respect to the logits.

    Args:
        rao_blackwell: replace `u - 1/2` by its mean given the two codes, `(b_1 - b_2) sigmoid(|l|) / 2`
            (DisARM): still unbiased, with lower variance.
        seed: seed of the noise.

    Call arguments:
        losses: `(2, batch)`; with several pairs per example `(2, samples, batch)`.
        logits: `(batch, ...)`, or `(samples, batch, ...)`.
        uniform: noise returned by `draw`, of the shape of the logits.

    Output shape:
        that of `losses` without its first axis, float32.

    Example:

    >>> layer = AugmentReinforceMerge(seed=0)
    >>> codes, uniform = layer.draw(ops.zeros((4, 3)))
    >>> codes.shape, layer(ops.sum(ops.cast(codes, "float32"), axis=-1), ops.zeros((4, 3)), uniform).shape
    (TensorShape([2, 4, 3]), TensorShape([4]))

    Reference:
        Yin and Zhou, 2019, https://arxiv.org/abs/1807.11143; Dong et al., 2020 (DisARM),
        https://arxiv.org/abs/2006.10680.
    """

    def __init__(self, *, rao_blackwell: bool = False, seed: int | None = None, **kwargs: Any):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.rao_blackwell = rao_blackwell
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(
        self,
        losses_shape: tuple[int | None, ...],
        logits_shape: tuple[int | None, ...] | None = None,
        uniform_shape: tuple[int | None, ...] | None = None,
    ) -> None:
        self.built = True

    def draw(self, logits: Any) -> tuple[Any, Any]:
        """Draw a pair of codes; return `(codes (2, *logits.shape) int32, uniform)`."""
        logits = ops.cast(logits, "float32")
        uniform = keras.random.uniform(ops.shape(logits), dtype="float32", seed=self.seed_generator)
        return ops.cast(ops.stack(_pair(logits, uniform)), "int32"), uniform

    def call(self, losses: Any, logits: Any, uniform: Any) -> Any:
        losses, logits = ops.cast(losses, "float32"), ops.cast(logits, "float32")
        difference = ops.stop_gradient(losses[0] - losses[1])
        weights = ops.cast(uniform, "float32") - 0.5
        if self.rao_blackwell:
            first, second = (ops.cast(one, "float32") for one in _pair(logits, uniform))
            weights = (first - second) * ops.sigmoid(ops.abs(logits)) / 2
        moved = ops.stop_gradient(weights) * (logits - ops.stop_gradient(logits))
        rank = len(difference.shape)
        directions = ops.sum(moved, axis=tuple(range(rank, len(moved.shape))))
        return ops.mean(losses, axis=0) + difference * directions

    def compute_output_shape(
        self,
        losses_shape: tuple[int | None, ...],
        logits_shape: tuple[int | None, ...] | None = None,
        uniform_shape: tuple[int | None, ...] | None = None,
    ) -> tuple[int | None, ...]:
        return losses_shape[1:]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rao_blackwell": self.rao_blackwell, "seed": self.seed}


def _pair(logits, uniform):
    return uniform > ops.sigmoid(-logits), uniform < ops.sigmoid(logits)
