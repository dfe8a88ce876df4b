"""Whether the call of a layer is part of what an epoch reports."""

import sys

from keras_ae.ops import is_exporting

STEPS = ("train_step", "test_step")
LOOPS = ("fit", "evaluate", "predict", "predict_step")  # Keras' own, in whose modules they are searched


def is_recording() -> bool:
    """Whether the metrics of a layer count the current call.

    Calls of a training or evaluation step do, and calls outside of `fit`, `evaluate` and `predict`. Those
    that a callback makes while a `fit` is running do not: the epoch's figures are of the steps
    alone. Nor do those of `predict`, or of an export.

    Keras does not pass this to a layer: the innermost function on the call stack answers. In a compiled
    step the stack is that of the tracing.
    """
    if is_exporting():
        return False
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_name
        if name in STEPS:
            return True
        if name in LOOPS and frame.f_globals.get("__name__", "").startswith("keras."):
            return False
        frame = frame.f_back
    return True
