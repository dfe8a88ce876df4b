"""Conditioning of a sequence on a vector, such as a speaker embedding."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class AddCondition(keras.layers.Layer):
    """Conditioning layer: adds a linear map of one vector per example to every position.

    ```
    y[t] = x[t] + W condition + b
    ```

    Before a convolution this is equivalent, except at the edges, to giving the convolution the condition as
    further channels of every frame, and it is cheaper. The padding of `x` stays padding.

    Call arguments:
        x: `(batch, ..., channels)`.
        condition: `(batch, condition_dim)`.

    Output shape:
        as `x`, with its mask.

    Raises:
        ValueError: if `condition` is not one vector per example, or if sizes are unknown.

    Example:

    >>> AddCondition()(ops.ones((2, 7, 4)), ops.ones((2, 3))).shape
    TensorShape([2, 7, 4])

    Reference:
        Chou et al., 2018, https://arxiv.org/abs/1804.02812: a speaker embedding before every layer.
    """

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, x_shape: tuple[int | None, ...], condition_shape: tuple[int | None, ...]) -> None:
        if len(condition_shape) != 2 or condition_shape[-1] is None or x_shape[-1] is None:
            raise ValueError(
                f"The inputs of AddCondition '{self.name}' must be x (batch, ..., channels) and condition "
                "(batch, condition_dim), with last axes of known size. "
                f"Received: x of shape {tuple(x_shape)}, condition of shape {tuple(condition_shape)}"
            )
        self.kernel = self.add_weight(shape=(condition_shape[-1], x_shape[-1]), name="kernel")
        self.bias = self.add_weight(shape=(x_shape[-1],), initializer="zeros", name="bias")

    def call(self, x: Any, condition: Any) -> Any:
        added = ops.matmul(condition, self.kernel) + self.bias
        return x + ops.reshape(added, (-1, *[1] * (len(x.shape) - 2), x.shape[-1]))

    def compute_output_shape(
        self, x_shape: tuple[int | None, ...], condition_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return x_shape
