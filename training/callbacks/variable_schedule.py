"""Callback that changes a temperature or a weight during training."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf  # a user's layer may contain a plain tf.Variable
from keras import ops


class VariableSchedule(keras.callbacks.Callback):
    """Callback that sets a variable of the model from a schedule: `variable <- schedule(t)`.

    `t` is the training step for a Keras `LearningRateSchedule`, the epoch for any
    other callable; both count from 0. A scalar is logged under the variable's name.
    (The layers of keras_ae accept schedules as arguments and do not need this callback; it is for
    other variables.)

    Args:
        target: path of a variable from the model, such as `"bottleneck.temperature"`,
            whose first part may be a layer's name; or a function of the model that
            returns the variable.
        schedule: a `keras.optimizers.schedules.LearningRateSchedule`, or a function
            of the epoch.
        name: name in the logs; `None`: the last part of the path, or the variable's name.

    Attributes:
        step: training steps taken so far.

    Raises:
        ValueError: when training begins, if the target is not a variable.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
    >>> model.compile(keras.optimizers.SGD(0.0), "mse")
    >>> anneal = VariableSchedule("head.bias", lambda epoch: [0.5**epoch])
    >>> history = model.fit(np.ones((4, 2)), np.ones((4, 1)), epochs=3, callbacks=[anneal], verbose=0)
    >>> model.get_layer("head").bias.numpy().tolist()
    [0.25]
    """

    def __init__(self, target: str | Callable, schedule: Callable, *, name: str | None = None):
        super().__init__()
        self.target = target
        self.schedule = schedule
        self.name = name
        self.step = 0
        self._first_step = 0
        self._per_step = isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule)

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._variable()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        if not self._per_step:
            self._variable().assign(self.schedule(epoch))

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._first_step = batch
        if self._per_step:
            self._variable().assign(self.schedule(self.step))

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        # one call may cover several steps, the last of an epoch fewer (steps_per_execution)
        last = min(batch, (self.params.get("steps") or np.inf) - 1)
        self.step += int(last) - self._first_step + 1

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        variable = self._variable()
        if logs is not None and not tuple(variable.shape):
            logs.setdefault(self._log_name(variable), float(ops.convert_to_numpy(variable)))

    def _log_name(self, variable):
        if self.name is not None:
            return self.name
        return self.target.rpartition(".")[2] if isinstance(self.target, str) else variable.name

    def _variable(self):
        variable = self._follow(self.target) if isinstance(self.target, str) else self.target(self.model)
        if not isinstance(variable, (keras.Variable, tf.Variable)):
            raise ValueError(
                f"The target of VariableSchedule, {self.target!r}, must be a variable. "
                f"Received: {variable!r}. "
                "A plain number is a constant of the compiled training step: store it in a keras.Variable."
            )
        return variable

    def _follow(self, path):
        first, *rest = path.split(".")
        try:
            found = getattr(self.model, first) if hasattr(self.model, first) else self.model.get_layer(first)
            for part in rest:
                found = getattr(found, part)
        except (AttributeError, ValueError) as error:
            raise ValueError(
                "The target of VariableSchedule must be a path from the model to a variable. "
                f"Received: {path!r} ({error})"
            ) from error
        return found
