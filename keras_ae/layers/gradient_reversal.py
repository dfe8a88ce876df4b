"""Gradient reversal for adversarial training."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class GradientReversal(keras.layers.Layer):
    """Identity that multiplies the gradient by `-weight`.

    ```
    y = x,    dL/dx = -weight * dL/dy
    ```

    Between an encoder and a classifier, it lets one `fit` train both against each other: the classifier
    learns to predict an attribute, the encoder to hide it.

    Args:
        weight: strength lambda of the reversal; 0 stops the gradient, a negative value passes it on with its
            sign unchanged. It is stored in a saved non-trainable variable: a callback may ramp it during
            training with `layer.weight = 0.3`. The paper uses `2 / (1 + exp(-10 p)) - 1`, where p increases
            from 0 to 1 over the training.

    Call arguments:
        x: any shape.
        mask: passed on.

    Output shape:
        as `x`.

    Example:

    >>> import tensorflow as tf
    >>> layer = GradientReversal(weight=0.5)
    >>> x = tf.Variable(3.0)
    >>> with tf.GradientTape() as tape:
    ...     y = layer(x)
    >>> y.numpy().item(), tape.gradient(y, x).numpy().item()
    (3.0, -0.5)

    Reference:
        Ganin & Lempitsky, 2015, https://arxiv.org/abs/1409.7495.
    """

    def __init__(self, weight: float = 1.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.supports_masking = True
        self._initial_weight = float(weight)
        # here and not in build: the weight may be assigned before the first call
        self._weight = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self._initial_weight),
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name="weight",
        )

    @property
    def weight(self) -> keras.Variable:
        """Variable that holds the current weight."""
        return self._weight

    @weight.setter
    def weight(self, value: float) -> None:
        self._weight.assign(value)

    def call(self, x: Any, mask: Any | None = None) -> Any:
        return _reverse(x, ops.convert_to_tensor(self._weight))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "weight": self._initial_weight}


@ops.custom_gradient
def _reverse(x, weight):
    def gradient(upstream):
        return -ops.cast(weight, upstream.dtype) * upstream, None

    return x, gradient
