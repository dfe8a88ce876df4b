"""Instance normalisation whose statistics exclude padding."""

from typing import Any

import keras
from keras import ops

from keras_ae.ops.sequences import zero_padding


@keras.saving.register_keras_serializable(package="keras_ae")
class InstanceNormalization(keras.layers.Layer):
    """Instance normalisation: each channel of each example over its real positions.

    ```
    y = gamma * (x - mean) / sqrt(variance + epsilon) + beta
    mean_c     = sum_t mask_t x_tc / sum_t mask_t
    variance_c = sum_t mask_t (x_tc - mean_c)^2 / sum_t mask_t
    ```

    `t` runs over all axes between batch and channels. An example alone and the same example padded in a
    batch give the same outputs (`keras.layers.GroupNormalization` includes the padding). The arithmetic
    is float32 under every dtype policy. Training and inference give the same result.

    Args:
        epsilon: constant added to the variance.
        center: whether to learn beta, `(channels,)`.
        scale: whether to learn gamma, `(channels,)`.

    Call arguments:
        x: `(batch, ..., channels)`.
        mask: `(batch, ...)`, 1 = real; fractions weight a position.

    Output shape:
        as `x`, in the compute dtype. The values at padded positions are finite but undefined; an example
        of one position, or of padding alone, becomes beta.

    Raises:
        ValueError: if `x` has no axis between batch and channels or an unknown number of channels, or the
            mask has another rank.

    Example:

    >>> layer = InstanceNormalization()
    >>> x = ops.array([[[1.0], [3.0], [99.0]]])
    >>> layer(x, mask=ops.array([[1, 1, 0]]))[0, :2, 0].numpy().round(3).tolist()
    [-1.0, 1.0]

    Reference:
        Ulyanov et al., 2016, https://arxiv.org/abs/1607.08022.
    """

    def __init__(self, *, epsilon: float = 1e-5, center: bool = True, scale: bool = True, **kwargs: Any):
        super().__init__(**{**kwargs, "autocast": False})
        self.supports_masking = True
        self.epsilon = epsilon
        self.center = center
        self.scale = scale

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        checked_channels(self, input_shape)
        shape = (input_shape[-1],)
        self.gamma = self.beta = None
        # autocast=False: the mixed precision of a layer that only uses `call` must not round the weights
        if self.scale:
            self.gamma = self.add_weight(shape=shape, initializer="ones", autocast=False, name="gamma")
        if self.center:
            self.beta = self.add_weight(shape=shape, initializer="zeros", autocast=False, name="beta")

    def call(self, x: Any, mask: Any | None = None) -> Any:
        y = instance_normalize(x, mask, self.epsilon)
        if self.scale:
            y = y * ops.cast(self.gamma, "float32")
        if self.center:
            y = y + ops.cast(self.beta, "float32")
        return ops.cast(y, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        config = {"epsilon": self.epsilon, "center": self.center, "scale": self.scale}
        return {**super().get_config(), **config}


def instance_normalize(x: Any, mask: Any | None = None, epsilon: float = 1e-5) -> Any:
    """Return `(x - mean) / sqrt(variance + epsilon)` over the real positions, float32.

    Args:
        x: `(batch, ..., channels)`, any float dtype.
        mask: `(batch, ...)`, 1 = real; fractions weight a position; `None`: all real.
        epsilon: constant added to the variance.

    Returns:
        `(batch, ..., channels)` float32.
    """
    x = ops.cast(zero_padding(x, mask), "float32")
    weights = None if mask is None else ops.expand_dims(ops.cast(mask, "float32"), -1)
    centred = x - _mean_over_positions(x, weights)
    variance = _mean_over_positions(ops.square(centred), weights)
    return centred * ops.rsqrt(variance + epsilon)


def checked_channels(layer: keras.Layer, shape: tuple[int | None, ...]) -> int:
    """Return the channels of `(batch, ..., channels)`, or raise a `ValueError` for any other `shape`."""
    if len(shape) < 3 or shape[-1] is None:
        raise ValueError(
            f"The input of {type(layer).__name__} '{layer.name}' must have the shape (batch, ..., channels), "
            "with at least one axis to normalise over and a known number of channels. "
            f"Received: shape {tuple(shape)}"
        )
    return shape[-1]


def _mean_over_positions(x, weights):
    """Return the weighted mean over the axes between batch and channels, kept as 1; 0 if nothing is real."""
    axes = tuple(range(1, len(x.shape) - 1))
    if weights is None:
        return ops.mean(x, axis=axes, keepdims=True)
    total = ops.sum(x * weights, axis=axes, keepdims=True)
    return ops.divide_no_nan(total, ops.sum(weights, axis=axes, keepdims=True))
