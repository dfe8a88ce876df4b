"""Networks of a two-level auto-encoder of images, plain Keras models."""

import math
from typing import Any

import keras

from keras_ae.networks._channels_last import Conv2D
from keras_ae.networks.image import image_decoder, image_encoder


def two_level_networks(
    image_shape: tuple[int, int, int],
    embedding_dim: int,
    *,
    downsampling: int = 2,
    filters: int = 64,
    residual_blocks: int = 2,
    noise: float = 0.0,
    activation: str | None = None,
) -> dict[str, keras.Model]:
    """Return the networks of a `models.TwoLevelAutoEncoder`, by the names of its arguments.

    The bottom grid has `1 / 2^downsampling` of the resolution of the image, the top grid half of that.

    Args:
        image_shape: `(height, width, channels)`; odd sizes round up.
        embedding_dim: number of channels of both embeddings.
        downsampling: number of times that the bottom encoder halves the resolution.
        filters, residual_blocks: settings of each network, as in `image_encoder`.
        noise: standard deviation of Gaussian noise added to the image in training.
        activation: activation of the reconstruction.

    Example:

    >>> networks = two_level_networks((32, 32, 3), 16)
    >>> {name: network.output_shape for name, network in networks.items()}["merge"]
    (None, 8, 8, 16)
    """
    height, width, _ = image_shape
    rows, columns = math.ceil(height / 2**downsampling), math.ceil(width / 2**downsampling)
    inside: dict[str, Any] = {"filters": filters, "residual_blocks": residual_blocks}
    features, embedding = (rows, columns, filters), (rows, columns, embedding_dim)
    return {
        "bottom_encoder": image_encoder(
            image_shape, filters, downsampling=downsampling, noise=noise, name="bottom_encoder", **inside
        ),
        "top_encoder": image_encoder(features, embedding_dim, downsampling=1, name="top_encoder", **inside),
        "top_decoder": image_decoder(features, embedding_dim, downsampling=1, name="top_decoder", **inside),
        "merge": _merge(features, embedding_dim),
        "decoder": _decoder(image_shape, embedding, downsampling, activation, inside),
    }


def _merge(features, embedding_dim):
    """Return a model that maps bottom features and the decoded top to the bottom embedding, by a 1x1 conv."""
    inputs = [keras.Input(features, name="bottom"), keras.Input(features, name="top")]
    joint = keras.layers.Concatenate()(inputs)
    return keras.Model(inputs, Conv2D(embedding_dim, 1)(joint), name="merge")


def _decoder(image_shape, embedding, downsampling, activation, inside):
    """Return a decoder of both embeddings, the top one upsampled to the size of the bottom one."""
    rows, columns, dim = embedding
    top = keras.Input((math.ceil(rows / 2), math.ceil(columns / 2), dim), name="top")
    bottom = keras.Input(embedding, name="bottom")
    enlarge = {**inside, "residual_blocks": 0}
    enlarged = image_decoder(embedding, dim, downsampling=1, name="enlarge", **enlarge)(top)
    decoder = image_decoder(
        image_shape, 2 * dim, downsampling=downsampling, activation=activation, name="decoder", **inside
    )
    outputs = decoder(keras.layers.Concatenate()([enlarged, bottom]))
    return keras.Model([top, bottom], outputs, name="two_level_decoder")
