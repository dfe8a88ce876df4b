"""Adaptive instance normalisation: mean and deviation are set by a style vector."""

from typing import Any

import keras
from keras import ops

from keras_ae.layers.masked.instance_normalization import checked_channels, instance_normalize


@keras.saving.register_keras_serializable(package="keras_ae")
class AdaIN(keras.layers.Layer):
    """Adaptive instance normalisation: replaces the channel statistics of the content by those of a style.

    ```
    y = gamma(style) * IN(content) + beta(style)
    [gamma, beta] = style @ kernel + bias
    IN(x) = (x - mean(x)) / sqrt(variance(x) + epsilon)
    ```

    Mean and variance are those of each example and channel over its real positions, as
    in `InstanceNormalization`. The arithmetic is float32 under every dtype policy.

    Initially gamma is near 1 and beta near 0: the bias has these values and the kernel is small. A usual
    initialisation would draw gamma around 0, so that each layer of a stack flips half of the channels and
    silences others, and the content is lost before the decoder learns anything. The kernel is not 0,
    because the style encoder would otherwise get no gradient at first.

    Args:
        epsilon: constant added to the variance.

    Call arguments:
        content: `(batch, ..., channels)`.
        style: `(batch, style_dim)`.
        content_mask: `(batch, ...)`, 1 = real; fractions weight a position.

    Output shape:
        as `content`, in the compute dtype, with its mask. The values at padded positions are finite but
        undefined.

    Raises:
        ValueError: if `content` has no axis between batch and channels, `style` is not one vector per
            example, sizes are unknown, or the mask has another rank.

    Example:

    >>> layer = AdaIN()
    >>> layer(ops.ones((2, 7, 4)), ops.ones((2, 3))).shape
    TensorShape([2, 7, 4])

    Reference:
        Huang & Belongie, 2017, https://arxiv.org/abs/1703.06868; for speech, with the
        linear map: Chou et al., 2019, https://arxiv.org/abs/1904.05742.
    """

    def __init__(self, *, epsilon: float = 1e-5, **kwargs: Any):
        super().__init__(**{**kwargs, "autocast": False})
        self.supports_masking = True
        self.epsilon = epsilon

    def build(self, content_shape: tuple[int | None, ...], style_shape: tuple[int | None, ...]) -> None:
        channels = checked_channels(self, content_shape)
        if len(style_shape) != 2 or style_shape[-1] is None:
            raise ValueError(
                f"The style of AdaIN '{self.name}' must have the shape (batch, style_dim) with a known "
                f"style_dim. Received: style of shape {tuple(style_shape)}"
            )
        # scale 0.01: a style of unit variance changes gamma and beta by 0.1
        small = keras.initializers.VarianceScaling(0.01, mode="fan_in", distribution="normal")
        # autocast=False: the mixed precision of a layer that only uses `call` must not round the weights
        self.kernel = self.add_weight(
            shape=(style_shape[-1], 2 * channels), initializer=small, autocast=False, name="kernel"
        )
        self.bias = self.add_weight(
            shape=(2 * channels,), initializer=_ones_then_zeros, autocast=False, name="bias"
        )

    def call(self, content: Any, style: Any, content_mask: Any | None = None) -> Any:
        gamma, beta = self._affine(style, rank=len(content.shape))
        y = gamma * instance_normalize(content, content_mask, self.epsilon) + beta
        y = ops.cast(y, self.compute_dtype)
        if content_mask is not None:
            # Keras passes on an attached mask, but not one passed by name to a layer of several inputs
            y._keras_mask = content_mask
        return y

    def _affine(self, style, rank):
        """Return gamma and beta, each `(batch, 1, ..., channels)` float32."""
        kernel, bias = ops.cast(self.kernel, "float32"), ops.cast(self.bias, "float32")
        affine = ops.matmul(ops.cast(style, "float32"), kernel) + bias
        affine = ops.reshape(affine, (-1, *(1,) * (rank - 2), bias.shape[0]))
        return ops.split(affine, 2, axis=-1)

    def compute_output_shape(
        self, content_shape: tuple[int | None, ...], style_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return content_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


def _ones_then_zeros(shape, dtype=None):
    """Return the initial bias: gamma = 1 in the first half, beta = 0 in the second."""
    half = (shape[0] // 2,)
    return ops.concatenate([ops.ones(half, dtype), ops.zeros(half, dtype)])
