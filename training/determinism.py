"""Deterministic kernels for as long as a training lasts."""

from contextlib import contextmanager

import tensorflow as tf
from tensorflow.python.framework import config  # TensorFlow has no public way back


@contextmanager
def deterministic_ops():
    """TensorFlow's deterministic kernels inside of the `with`, then what was set before.

    Without the way back a process that has trained a run would be slower for ever after, and
    Keras would train without the `jit_compile=True` it is asked for.
    """
    before = config.is_op_determinism_enabled()
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        if not before:
            config.disable_op_determinism()
