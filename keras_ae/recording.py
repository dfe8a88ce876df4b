"""Decision whether the metrics of a layer count a call."""

import sys

from keras_ae.ops import is_exporting

STEPS = ("train_step", "test_step")
# only as functions of Keras' modules: other functions may have these names, and overrides call Keras' own
LOOPS = ("fit", "evaluate", "predict", "predict_step")


def is_recording() -> bool:
    """Return whether the metrics of a layer count the current call.

    | call | counts |
    |---|---|
    | in a training or evaluation step | yes |
    | by a callback during `fit` or `evaluate` | no: the results of an epoch are those of its steps |
    | in `predict`, or in an export | no |
    | outside of all of them | yes |

    Keras does not pass this information to a layer, so the innermost of these functions on the call stack
    decides. In a compiled step the stack is that of the tracing, which fixes the answer for the graph.
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
