"""Spatial broadcast of a vector over an image, with coordinates."""

from typing import Any

import keras
import numpy as np
from keras import ops

COORDINATE_SCALE = (
    1.5  # standard deviation of the initial coordinate weights: the units vary across the whole image
)


@keras.saving.register_keras_serializable(package="keras_ae")
class SpatialBroadcast(keras.layers.Layer):
    """First decoder layer: a linear map of the embedding and of the coordinates at every pixel.

    ```
    h[row, column] = W z + V (x, y) + b,    x, y from -1 to 1 over the columns and rows
    ```

    This is a 1x1 convolution of the tiled embedding with two coordinate channels, computed without tiling.
    Followed by 1x1 convolutions, the decoder needs only the object's position in `z` to draw it there:
    positions become single latent dimensions far sooner than with transposed convolutions.

    Args:
        filters: number of channels of `h`.
        height, width: size of the image in pixels.

    Input shape:
        `(batch, dimensions)`.

    Output shape:
        `(batch, height, width, filters)`.

    Example:

    >>> SpatialBroadcast(8, 4, 6)(ops.ones((2, 3))).shape
    TensorShape([2, 4, 6, 8])

    Reference:
        Watters et al., 2019, https://arxiv.org/abs/1901.07017.
    """

    def __init__(self, filters: int, height: int, width: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.filters = filters
        self.height = height
        self.width = width
        axes = np.linspace(-1.0, 1.0, width), np.linspace(-1.0, 1.0, height)
        self.coordinates = np.stack(np.meshgrid(*axes), axis=-1).astype("float32")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if len(input_shape) != 2:
            raise ValueError(
                "The input of SpatialBroadcast must have the shape (batch, dim), a vector for each example. "
                f"Received: shape={tuple(input_shape)}"
            )
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.filters))
        spread = keras.initializers.RandomNormal(stddev=COORDINATE_SCALE)
        self.coordinate_kernel = self.add_weight(
            name="coordinate_kernel", shape=(2, self.filters), initializer=spread
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        of_embedding = ops.matmul(inputs, self.kernel) + self.bias
        coordinates = ops.cast(self.coordinates, self.compute_dtype)
        return of_embedding[:, None, None] + ops.matmul(coordinates, self.coordinate_kernel)[None]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (input_shape[0], self.height, self.width, self.filters)

    def get_config(self) -> dict[str, Any]:
        sizes = {"filters": self.filters, "height": self.height, "width": self.width}
        return {**super().get_config(), **sizes}
