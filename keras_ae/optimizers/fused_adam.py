"""Adam with one pass over each variable."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam, with one operation per step that reads and writes each variable once.

    ```
    m <- m + (1 - beta_1) (g - m)
    v <- v + (1 - beta_2) (g^2 - v)
    w <- w - learning_rate sqrt(1 - beta_2^t) / (1 - beta_1^t)  m / (sqrt(v) + epsilon)
    ```

    The result equals that of `keras.optimizers.Adam` up to rounding; if a batch reads a row of a table
    more than once, its gradients are summed before they are squared. Where a step is limited by memory
    access, as with the word vectors of a large vocabulary, it takes a fraction of the time on a CPU. With
    `weight_decay` it is AdamW, as in Keras.

    Args:
        learning_rate, beta_1, beta_2, epsilon, kwargs: as in `keras.optimizers.Adam`.

    Raises:
        ValueError: if `amsgrad` is set, which the operation does not support.

    Example:

    >>> weight = keras.Variable([1.0, 2.0])
    >>> FusedAdam(0.1).apply([ops.array([4.0, -3.0])], [weight])
    >>> [round(float(one), 3) for one in weight.numpy()]
    [0.9, 2.1]

    Reference:
        Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980.
    """

    def __init__(
        self,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        name: str = "adam",
        **kwargs: Any,
    ):
        if kwargs.get("amsgrad"):
            raise ValueError(
                "amsgrad must be False in FusedAdam. Received: amsgrad=True. Use "
                "keras.optimizers.Adam(amsgrad=True)."
            )
        super().__init__(learning_rate, beta_1, beta_2, epsilon, name=name, **kwargs)

    def update_step(
        self, gradient: tf.Tensor | tf.IndexedSlices, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        dtype = variable.dtype
        index = self._get_variable_index(variable)
        step = ops.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[index].handle,
            v=self._velocities[index].handle,
            beta1_power=ops.power(ops.cast(self.beta_1, dtype), step),
            beta2_power=ops.power(ops.cast(self.beta_2, dtype), step),
            lr=ops.cast(learning_rate, dtype),
            beta1=ops.cast(self.beta_1, dtype),
            beta2=ops.cast(self.beta_2, dtype),
            epsilon=ops.cast(self.epsilon, dtype),
            grad=ops.cast(tf.convert_to_tensor(gradient), dtype),
        )
