"""A vector at every position of an image, with the position."""

import keras
import numpy as np
from keras import ops

COORDINATE_SCALE = (
    1.5  # of the first weights of coordinates: lines cross the image at many places from the start
)


@keras.saving.register_keras_serializable(package="keras_ae")
class SpatialBroadcast(keras.layers.Layer):
    """Tells every position of an image the embedding and where it is.

    ```
    h[row, column] = W z + V (x, y) + b,    x, y from -1 to 1 over the columns and rows
    ```

    This is a 1x1 convolution of the tiled embedding with two channels of coordinates, computed
    without tiling. A decoder that goes on with 1x1 convolutions draws what `z` names where
    `z` says: positions become single dimensions far sooner than behind transposed convolutions.

    Args:
        filters: channels of `h`.
        height, width: of the image.

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

    def __init__(self, filters: int, height: int, width: int, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.height = height
        self.width = width
        axes = np.linspace(-1.0, 1.0, width), np.linspace(-1.0, 1.0, height)
        self.coordinates = np.stack(np.meshgrid(*axes), axis=-1).astype("float32")

    def build(self, input_shape):
        if len(input_shape) != 2:
            raise ValueError(
                f"SpatialBroadcast expects a vector for each example. Received: shape={tuple(input_shape)}"
            )
        self.kernel = self.add_weight(name="kernel", shape=(input_shape[-1], self.filters))
        spread = keras.initializers.RandomNormal(stddev=COORDINATE_SCALE)
        self.coordinate_kernel = self.add_weight(
            name="coordinate_kernel", shape=(2, self.filters), initializer=spread
        )
        self.bias = self.add_weight(name="bias", shape=(self.filters,), initializer="zeros")

    def call(self, inputs):
        of_embedding = ops.matmul(inputs, self.kernel) + self.bias
        coordinates = ops.cast(self.coordinates, self.compute_dtype)
        return of_embedding[:, None, None] + ops.matmul(coordinates, self.coordinate_kernel)[None]

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.height, self.width, self.filters)

    def get_config(self):
        sizes = {"filters": self.filters, "height": self.height, "width": self.width}
        return {**super().get_config(), **sizes}
