"""A decoder that draws an image point by point."""

import keras
from keras import layers

from keras_ae.layers.spatial_broadcast import SpatialBroadcast
from keras_ae.networks.channels_last import Conv2D


def spatial_broadcast_decoder(
    output_shape: tuple[int, int, int],
    input_dim: int,
    *,
    filters: int = 32,
    depth: int = 2,
    activation: str | None = None,
    name: str = "decoder",
) -> keras.Model:
    """`(batch, input_dim)` -> `(batch, height, width, channels)`, every pixel by itself.

    Args:
        output_shape: `(height, width, channels)` of the image.
        input_dim: size of the embedding.
        filters: channels inside.
        depth: 1x1 convolutions between `SpatialBroadcast` and the output.
        activation: of the output, such as `"sigmoid"` for pixels in [0, 1].
        name: of the model.

    Example:

    >>> spatial_broadcast_decoder((8, 6, 1), 3).output_shape
    (None, 8, 6, 1)

    Reference:
        Watters et al., 2019, https://arxiv.org/abs/1901.07017.
    """
    height, width, channels = output_shape
    inputs = keras.Input((input_dim,), name="embedding")
    x = layers.ReLU()(SpatialBroadcast(filters, height, width)(inputs))
    for _ in range(depth):
        x = Conv2D(filters, 1, activation="relu")(x)
    x = Conv2D(channels, 1)(x)
    outputs = layers.Activation(activation or "linear", dtype="float32", name="reconstruction")(x)
    return keras.Model(inputs, outputs, name=name)
