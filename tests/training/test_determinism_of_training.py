"""A training leaves the process as it found it."""

import keras
import pytest
from tensorflow.python.framework.config import is_op_determinism_enabled

from keras_ae.training.run import deterministic_ops


def test_determinism_ends_with_the_training():
    assert not is_op_determinism_enabled()
    with deterministic_ops():
        assert is_op_determinism_enabled()
        with deterministic_ops():  # a run inside of a run
            pass
        assert is_op_determinism_enabled()
    assert not is_op_determinism_enabled()


def test_determinism_ends_with_a_failed_training():
    with pytest.raises(ZeroDivisionError), deterministic_ops():
        raise ZeroDivisionError
    assert not is_op_determinism_enabled()


@pytest.mark.usefixtures("trained_run")
def test_xla_is_there_after_a_run():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(loss="mse", jit_compile=True)
    assert model.jit_compile
