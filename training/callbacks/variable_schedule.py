"""A temperature or a weight moved by hand during training."""

import functools
import inspect

import keras
from keras import ops


class VariableSchedule(keras.callbacks.Callback):
    """Sets a variable of the model from a schedule: `variable <- schedule(t)`.

    `t` is the training step for a keras `LearningRateSchedule`, the epoch for any
    other callable; both count from 0. The value is logged under the variable's
    name. (The layers of keras_ae anneal by themselves when they are given a
    schedule; this callback is for control by hand.)

    Args:
        target: path of a variable from the model, such as `"bottleneck.temperature"`;
            its first part may be a layer's name. Or a function of the model that
            returns the variable.
        schedule: a `keras.optimizers.schedules.LearningRateSchedule`, or a function
            of the epoch.
        name: name in the logs; `None`: the last part of the path.

    Attributes:
        step: training steps taken so far.

    Raises:
        ValueError: when training begins, where the path leads nowhere or to something
            that is no variable.

    Example:

    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
    >>> model.compile("sgd", "mse")
    >>> anneal = VariableSchedule("head.bias", lambda epoch: [0.5**epoch])
    >>> history = model.fit(ops.ones((4, 2)), ops.ones((4, 1)), epochs=2, callbacks=[anneal], verbose=0)
    >>> history.history["bias"][-1] <= 0.6
    True
    """
