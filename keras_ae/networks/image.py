"""Convolutional encoders and decoders for images, plain Keras models."""

import math

import keras
from keras import layers

from keras_ae.layers.add_condition import AddCondition
from keras_ae.layers.spatial_broadcast import SpatialBroadcast
from keras_ae.networks._channels_last import Conv2D, Conv2DTranspose, Cropping2D, Flatten


def image_encoder(
    input_shape: tuple[int, int, int],
    output_dim: int,
    *,
    downsampling: int = 2,
    filters: int = 64,
    residual_blocks: int = 2,
    flatten: bool = False,
    noise: float = 0.0,
    num_labels: int | None = None,
    name: str = "encoder",
) -> keras.Model:
    """Return a convolutional image encoder.

    `(batch, height, width, channels)` -> `(batch, height / 2^n, width / 2^n, output_dim)`.

    `n = downsampling` convolutions of stride 2, residual blocks of a 3x3 and a 1x1 convolution, and a 1x1
    convolution to `output_dim` channels; with `flatten` a dense map to `(batch, output_dim)` instead.

    Args:
        input_shape: `(height, width, channels)`; odd sizes round up.
        output_dim: number of channels of the result.
        downsampling: number of times that the resolution is halved.
        filters: number of hidden channels.
        residual_blocks: number of residual blocks.
        flatten: whether to return one vector per image instead of a map.
        noise: standard deviation of Gaussian noise added to the image in training.
        num_labels: number of classes; the inputs are then `[x, labels (batch,)]`, and a learned vector of the
            label is added to the hidden channels. `None`: the image alone.
        name: name of the model.

    Reference:
        van den Oord et al., 2017, section 4.1, https://arxiv.org/abs/1711.00937.
    """
    inputs = keras.Input(input_shape, name="x")
    x = layers.GaussianNoise(noise)(inputs) if noise else inputs
    for level in range(downsampling):
        width = filters // 2 if level + 1 < downsampling else filters
        x = Conv2D(width, 4, strides=2, padding="same", activation="relu")(x)
    inputs, x = _given_labels(inputs, Conv2D(filters, 3, padding="same")(x), num_labels)
    x = _residual_stack(x, filters, residual_blocks)
    if flatten:
        x = Flatten()(Conv2D(max(filters // 4, 1), 1, activation="relu")(x))
        outputs = layers.Dense(output_dim)(x)
    else:
        outputs = Conv2D(output_dim, 1)(x)
    return keras.Model(inputs, outputs, name=name)


def image_decoder(
    output_shape: tuple[int, int, int],
    input_dim: int,
    *,
    downsampling: int = 2,
    filters: int = 64,
    residual_blocks: int = 2,
    flatten: bool = False,
    activation: str | None = None,
    num_labels: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """Return the mirror image of `image_encoder`, with transposed convolutions of stride 2.

    Args:
        output_shape: `(height, width, channels)` of the image; sizes that are not multiples of
            `2^downsampling` are cropped.
        input_dim: number of channels of the embedding.
        activation: activation of the output, such as `"sigmoid"` for pixels in [0, 1].
        num_labels: number of classes; the inputs are then `[embedding, labels (batch,)]`.
        name: name of the model.
        downsampling, filters, residual_blocks, flatten: as in `image_encoder`.
    """
    height, width, channels = output_shape
    rows, columns = math.ceil(height / 2**downsampling), math.ceil(width / 2**downsampling)
    if flatten:
        inputs = keras.Input((input_dim,), name="embedding")
        x = layers.Dense(rows * columns * filters, activation="relu")(inputs)
        x = layers.Reshape((rows, columns, filters))(x)
    else:
        inputs = x = keras.Input((rows, columns, input_dim), name="embedding")
    inputs, x = _given_labels(inputs, Conv2D(filters, 3, padding="same")(x), num_labels)
    x = _residual_stack(x, filters, residual_blocks)
    for level in range(downsampling):
        last = level + 1 == downsampling
        x = Conv2DTranspose(
            channels if last else filters // 2,
            4,
            strides=2,
            padding="same",
            activation=None if last else "relu",
        )(x)
    if not downsampling:
        x = Conv2D(channels, 3, padding="same")(x)
    spare = (rows * 2**downsampling - height, columns * 2**downsampling - width)
    if any(spare):
        x = Cropping2D(((0, spare[0]), (0, spare[1])))(x)
    outputs = layers.Activation(activation or "linear", dtype="float32", name="reconstruction")(x)
    return keras.Model(inputs, outputs, name=name)


def _given_labels(inputs, x, num_labels):
    """Return `([inputs, labels], x plus a learned vector of the label)`; unchanged without `num_labels`."""
    if num_labels is None:
        return inputs, x
    labels = keras.Input((), dtype="int32", name="labels")
    vector = layers.Embedding(num_labels, x.shape[-1], name="label_vectors")(labels)
    return [inputs, labels], AddCondition()(x, vector)


def _residual_stack(x, filters, blocks):
    for _ in range(blocks):
        inner = Conv2D(filters // 2, 3, padding="same", activation="relu")(layers.ReLU()(x))
        x = layers.Add()([x, Conv2D(filters, 1)(inner)])
    return layers.ReLU()(x)


def spatial_broadcast_decoder(
    output_shape: tuple[int, int, int],
    input_dim: int,
    *,
    filters: int = 32,
    depth: int = 2,
    activation: str | None = None,
    num_labels: int | None = None,
    name: str = "decoder",
) -> keras.Model:
    """Return a spatial broadcast decoder, which computes every pixel independently.

    `(batch, input_dim)` -> `(batch, height, width, channels)`.

    Args:
        output_shape: `(height, width, channels)` of the image.
        input_dim: size of the embedding.
        filters: number of hidden channels.
        depth: number of 1x1 convolutions between `SpatialBroadcast` and the output.
        activation: activation of the output, such as `"sigmoid"` for pixels in [0, 1].
        num_labels: number of classes; the inputs are then `[embedding, labels (batch,)]`.
        name: name of the model.

    Example:

    >>> spatial_broadcast_decoder((8, 6, 1), 3).output_shape
    (None, 8, 6, 1)

    Reference:
        Watters et al., 2019, https://arxiv.org/abs/1901.07017.
    """
    height, width, channels = output_shape
    inputs = keras.Input((input_dim,), name="embedding")
    inputs, x = _given_labels(inputs, SpatialBroadcast(filters, height, width)(inputs), num_labels)
    x = layers.ReLU()(x)
    for _ in range(depth):
        x = Conv2D(filters, 1, activation="relu")(x)
    x = Conv2D(channels, 1)(x)
    outputs = layers.Activation(activation or "linear", dtype="float32", name="reconstruction")(x)
    return keras.Model(inputs, outputs, name=name)
