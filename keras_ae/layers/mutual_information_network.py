"""Network that embeds vectors and map locations for mutual-information scores."""

from typing import Any

import keras
from keras import ops

from keras_ae.layers.base import QuantizableLayer
from keras_ae.layers.masked.masked_batch_normalization import MaskedBatchNormalization


@keras.saving.register_keras_serializable(package="keras_ae")
class MutualInformationNetwork(QuantizableLayer):
    """Two dense layers with a linear shortcut and layer normalisation; scores are dot products of outputs.

    ```
    h(x) = LayerNorm(W_2 relu(BatchNorm(W_1 x)) + b + S x)
    ```

    On a map it acts as a 1x1 convolution. `S` starts as the identity (plus noise in [-0.01, 0.01]) where
    `units` is at least the number of input channels. The layer normalisation keeps the scores from growing
    with the size of the embedding.

    Args:
        units: number of hidden and output channels.

    Call arguments:
        x: `(batch, ..., channels)`.
        mask: `(batch, ...)`, 1 = real; fractions weight a position in the batch statistics.
        training: whether to normalise by the statistics of the batch.

    Output shape:
        `(batch, ..., units)`.

    Example:

    >>> MutualInformationNetwork(16)(ops.ones((2, 5, 8))).shape
    TensorShape([2, 5, 16])

    Reference:
        Hjelm et al., 2019, appendix A.2, https://arxiv.org/abs/1808.06670.
    """

    def __init__(self, units: int = 256, **kwargs: Any):
        super().__init__(**kwargs)
        if units < 1:
            raise ValueError(f"units must be at least 1. Received: units={units!r}")
        self.supports_masking = True
        self.units = units
        own = {"dtype": self.dtype_policy}
        self.hidden = keras.layers.Dense(units, use_bias=False, name="hidden", **own)
        # 0.9, as in the reference: validation uses averages that follow the training closely
        self.normalization = MaskedBatchNormalization(momentum=0.9, name="normalization", **own)
        self.output_map = keras.layers.Dense(units, name="output_map", **own)
        self.shortcut = keras.layers.Dense(units, kernel_initializer=_near_identity, name="shortcut", **own)
        self.layer_norm = keras.layers.LayerNormalization(epsilon=1e-5, name="layer_norm", **own)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        inside = (*input_shape[:-1], self.units)
        for layer, shape in (
            (self.hidden, input_shape),
            (self.normalization, inside),
            (self.output_map, inside),
            (self.shortcut, input_shape),
            (self.layer_norm, inside),
        ):
            layer.build(shape)

    def call(self, x: Any, mask: Any | None = None, training: bool | None = None) -> Any:
        hidden = self.normalization(self.hidden(x), mask=mask, training=training)
        return self.layer_norm(self.output_map(ops.relu(hidden)) + self.shortcut(x))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def _near_identity(shape, dtype=None):
    """Return the identity plus noise; a Glorot initialisation where there are fewer outputs than inputs."""
    if shape[0] > shape[1]:
        return keras.initializers.GlorotUniform()(shape, dtype)
    noise = keras.initializers.RandomUniform(-0.01, 0.01)(shape, dtype)
    identity = ops.eye(*shape, dtype=noise.dtype)
    return noise * (1.0 - identity) + identity
