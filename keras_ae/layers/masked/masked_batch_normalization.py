"""Batch normalisation over the real positions of the global batch."""

from typing import Any

import keras
from keras import ops

from keras_ae.layers.base import Float32Layer
from keras_ae.ops.core import Tensor, assign_finite, finite_padding, sum_over_replicas


@keras.saving.register_keras_serializable(package="keras_ae")
class MaskedBatchNormalization(Float32Layer):
    """Batch normalisation of each channel over the real positions of all examples.

    ```
    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
    mean_c     = sum_i w_i x_ic / sum_i w_i
    variance_c = sum_i w_i (x_ic - mean_c)^2 / sum_i w_i
    ```

    `i` runs over batch and positions, `w` is the mask. In training the statistics are those of the global
    batch: two replicas give the same result as one device, also with unequal shares
    (`keras.layers.BatchNormalization` takes no mask when synchronised). In inference, and if `trainable`
    is false, they are moving averages, which a batch that is not finite does not change. Float32 inside.

    Args:
        momentum: momentum of the moving averages.
        epsilon: constant added to the variance.
        affine: whether to learn gamma and beta, `(channels,)`.

    Call arguments:
        x: `(batch, ..., channels)`.
        mask: `(batch, ...)`, 1 = real; fractions weight a position. Missing trailing axes are added.
        training: whether to use the statistics of the batch.

    Output shape:
        as `x`, in the compute dtype. The values at padded positions are finite but undefined.

    Example:

    >>> layer = MaskedBatchNormalization()
    >>> y = layer(ops.array([[1.0], [3.0], [99.0]]), mask=ops.array([1, 1, 0]), training=True)
    >>> y[:2, 0].numpy().round(2).tolist()
    [-1.0, 1.0]

    Reference:
        Ioffe and Szegedy, 2015, https://arxiv.org/abs/1502.03167.
    """

    def __init__(self, *, momentum: float = 0.99, epsilon: float = 1e-3, affine: bool = True, **kwargs: Any):
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon
        self.affine = affine

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        options = {"shape": (input_shape[-1],), "dtype": "float32", "autocast": False}
        moving = {**options, "trainable": False, "aggregation": "mean"}
        if self.affine:
            self.gamma = self.add_weight(initializer="ones", name="gamma", **options)
            self.beta = self.add_weight(initializer="zeros", name="beta", **options)
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **moving)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **moving)

    def call(self, x: Tensor, mask: Tensor | None = None, training: bool | None = None) -> Tensor:
        x = finite_padding(ops.cast(x, "float32"), mask)
        mean, variance = ops.convert_to_tensor(self.moving_mean), ops.convert_to_tensor(self.moving_variance)
        if training and self.trainable:
            mean, variance = self._statistics(x, mask)
        scale = ops.rsqrt(variance + self.epsilon)
        y = (x - mean) * (scale * self.gamma) + self.beta if self.affine else (x - mean) * scale
        return ops.cast(y, self.compute_dtype)

    def _statistics(self, x, mask):
        """Return mean and variance of the global batch, and update the moving averages with them."""
        axes = tuple(range(len(x.shape) - 1))
        weights = ops.ones_like(x[..., :1]) if mask is None else ops.cast(mask, "float32")
        while len(weights.shape) < len(x.shape):
            weights = weights[..., None]
        weights = ops.broadcast_to(weights, ops.shape(x[..., :1]))
        total = sum_over_replicas(ops.sum(weights))
        mean = ops.divide_no_nan(sum_over_replicas(ops.sum(weights * x, axis=axes)), total)
        squares = weights * ops.square(x - mean)
        variance = ops.divide_no_nan(sum_over_replicas(ops.sum(squares, axis=axes)), total)
        step = (1.0 - self.momentum) * ops.cast(total > 0, "float32")
        averages = ((self.moving_mean, mean), (self.moving_variance, variance))
        assign_finite(*((moving, moving + step * (now - moving)) for moving, now in averages))
        return mean, variance

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {"momentum": self.momentum, "epsilon": self.epsilon, "affine": self.affine}
        return {**super().get_config(), **config}
