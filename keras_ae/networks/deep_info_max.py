"""Encoder of Deep InfoMax for small images, and the mirrored decoder for an auto-encoder."""

import math

import keras
from keras import layers

from keras_ae.layers.masked.masked_batch_normalization import MaskedBatchNormalization
from keras_ae.networks._channels_last import Conv2D, Conv2DTranspose, Flatten

LEAST_ROWS = 5  # least number of rows of the local map
SMALL = 30  # smaller images get filters of 5x5, as the paper's 28x28 images do


def deep_info_max_encoder(
    input_shape: tuple[int, int, int],
    output_dim: int = 64,
    *,
    filters: tuple[int, ...] | None = None,
    kernel_size: int | None = None,
    units: int = 1024,
    local_level: int | None = None,
    noise: float = 0.0,
    name: str = "encoder",
) -> keras.Model:
    """Return the convolutional encoder of Deep InfoMax.

    `(batch, height, width, channels)` -> `(batch, output_dim)`.

    Convolutions of stride 2 without bias, each with batch normalisation and ReLU; a dense layer of
    `units` with the same; a linear map. The layer "local" is the output of the convolution `local_level`,
    "conv" that of the last convolution if it is another one, "fc" that of the dense layer.

    Args:
        input_shape: `(height, width, channels)`.
        output_dim: size of the embedding.
        filters: number of channels of each convolution; by default 64, 128, 256, for images below 30
            pixels 64, 128.
        kernel_size: size of the kernels in pixels; by default 4, for images below 30 pixels 5.
        units: number of units of the dense layer.
        local_level: index of the convolution whose output is the local map, from 0; by default the last
            one whose map has at least 5 rows and columns: the second, for the paper's images.
        noise: standard deviation of Gaussian noise added to the image in training.
        name: name of the model.

    Batch normalisation is `MaskedBatchNormalization`: over all replicas at once, and a batch that is not
    finite does not change its moving averages.

    Example:

    >>> deep_info_max_encoder((32, 32, 3)).get_layer("local").output.shape
    (None, 8, 8, 128)

    Reference:
        Hjelm et al., 2019, appendix A.1, https://arxiv.org/abs/1808.06670.
    """
    filters, kernel_size = _settings(input_shape, filters, kernel_size)
    if local_level is None:
        local_level = _local_level(input_shape, len(filters))
    inputs = keras.Input(input_shape, name="x")
    x = layers.GaussianNoise(noise)(inputs) if noise else inputs
    for level, width in enumerate(filters):
        x = Conv2D(width, kernel_size, strides=2, padding="same", use_bias=False)(x)
        x = _normalization()(x)
        x = layers.ReLU(name=_layer_name(level, local_level, len(filters)))(x)
    x = layers.Dense(units, use_bias=False)(Flatten()(x))
    x = layers.ReLU(name="fc")(_normalization()(x))
    return keras.Model(inputs, layers.Dense(output_dim, name="embedding")(x), name=name)


def deep_info_max_decoder(
    output_shape: tuple[int, int, int],
    input_dim: int = 64,
    *,
    filters: tuple[int, ...] | None = None,
    kernel_size: int | None = None,
    units: int = 1024,
    name: str = "decoder",
) -> keras.Model:
    """Return the mirror image of `deep_info_max_encoder`, for an auto-encoder on the same encoder.

    Args:
        output_shape: `(height, width, channels)`, multiples of `2^(number of filters)`.
        input_dim: size of the embedding.
        filters, kernel_size, units: as in the encoder, in the encoder's order.
        name: name of the model.

    Example:

    >>> deep_info_max_decoder((28, 28, 1)).output_shape
    (None, 28, 28, 1)
    """
    height, width, channels = output_shape
    filters, kernel_size = _settings(output_shape, filters, kernel_size)
    shrunk = 2 ** len(filters)
    if height % shrunk or width % shrunk:
        raise ValueError(
            f"The height and width of output_shape must be divisible by {shrunk}. "
            f"Received: output_shape={tuple(output_shape)}"
        )
    grid = (height // shrunk, width // shrunk, filters[-1])
    inputs = keras.Input((input_dim,), name="embedding")
    x = _dense(inputs, units)
    x = layers.Reshape(grid)(_dense(x, math.prod(grid)))
    for size in reversed(filters[:-1]):
        x = Conv2DTranspose(size, kernel_size, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(_normalization()(x))
    x = Conv2DTranspose(channels, kernel_size, strides=2, padding="same")(x)
    return keras.Model(inputs, layers.Activation("linear", dtype="float32")(x), name=name)


def _dense(x, units):
    x = layers.Dense(units, use_bias=False)(x)
    return layers.ReLU()(_normalization()(x))


def _normalization():
    return MaskedBatchNormalization(momentum=0.9, epsilon=1e-5)


def _settings(shape, filters, kernel_size):
    small = min(shape[:2]) < SMALL
    filters = ((64, 128) if small else (64, 128, 256)) if filters is None else tuple(filters)
    return filters, (5 if small else 4) if kernel_size is None else kernel_size


def _local_level(shape, levels):
    fine = [level for level in range(levels) if min(shape[:2]) / 2 ** (level + 1) >= LEAST_ROWS]
    return fine[-1] if fine else 0


def _layer_name(level, local_level, levels):
    if level == local_level:
        return "local"
    return "conv" if level + 1 == levels else None
