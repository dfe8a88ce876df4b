"""A number that is constant, set by hand, or follows a schedule of the training steps."""

import keras
import tensorflow as tf
from keras import ops


class ScheduledVariable(keras.layers.Layer):
    """Holds `variable`, a scalar, and the saved counter `step` of a schedule.

    Args:
        value: float, or a `keras.optimizers.schedules.LearningRateSchedule`.
        positive: refuse a float that is not above 0.
    """

    def __init__(self, value, *, positive=False, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})
        scheduled = isinstance(value, keras.optimizers.schedules.LearningRateSchedule)
        if not scheduled and (not isinstance(value, (int, float)) or (positive and value <= 0)):
            raise ValueError(
                f"{self.name} is a {'positive ' if positive else ''}number or a keras.optimizers.schedules "
                f"schedule. Received: {value!r}"
            )
        self.schedule = value if scheduled else None
        self.start = float(value(0)) if scheduled else float(value)
        self.build(None)

    def build(self, input_shape):
        constant = keras.initializers.Constant(self.start)
        self.variable = self._scalar("value", constant, "float32")
        self.step = self._scalar("step", "zeros", "int32")
        self.built = True

    def _scalar(self, name, initializer, dtype):
        return self.add_weight(
            shape=(),
            initializer=initializer,
            dtype=dtype,
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name=name,
        )

    def next(self, advance=True):
        """The value of this training step; counts the step unless `advance` is false."""
        if self.schedule is None or not advance:
            return tf.convert_to_tensor(self.variable.value)  # keras.ops returns a variable unchanged
        value = ops.cast(self.schedule(self.step), "float32")
        self.variable.assign(value)
        self.step.assign_add(1)
        return value

    def get_value_config(self):
        """The constructor's value, serialised."""
        return self.start if self.schedule is None else keras.saving.serialize_keras_object(self.schedule)

    @staticmethod
    def value_from_config(config):
        """The opposite of `get_value_config`."""
        return keras.saving.deserialize_keras_object(config) if isinstance(config, dict) else config
