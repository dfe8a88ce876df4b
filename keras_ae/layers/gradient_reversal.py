"""Identity whose gradient points the other way."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class GradientReversal(keras.layers.Layer):
    """Passes its input on unchanged and the gradient back times `-weight`.

    ```
    y = x,    dL/dx = -weight * dL/dy
    ```

    Between an encoder and a classifier it makes one `fit` train both against each
    other: the classifier learns to read an attribute, the encoder to hide it.

    Args:
        weight: strength lambda of the reversal; 0 stops the gradient, a negative one
            lets it through. It lives in a saved non-trainable variable: a callback may
            ramp it with `layer.weight = 0.3` while training goes on. The paper takes
            `2 / (1 + exp(-10 p)) - 1` where p runs from 0 to 1 over the training.

    Call arguments:
        x: any shape.
        mask: handed on.

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

    def __init__(self, weight: float = 1.0, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self._initial_weight = float(weight)
        # here and not in build: it may be assigned before the first call
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
    def weight(self):
        """The variable that holds the current weight."""
        return self._weight

    @weight.setter
    def weight(self, value):
        self._weight.assign(value)

    def call(self, x, mask=None):
        return _reverse(x, ops.convert_to_tensor(self._weight))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "weight": self._initial_weight}


@ops.custom_gradient
def _reverse(x, weight):
    def gradient(upstream):
        return -ops.cast(weight, upstream.dtype) * upstream, None

    return x, gradient
