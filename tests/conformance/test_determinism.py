"""The same seed gives the same training, bit for bit on CPU."""

import sys

import numpy as np
import pytest


def state(model):
    """Return `{name: value}` of weights, statistics, random generators and optimizers."""
    variables = sys.modules["conformance_case"].variables_of(model)
    return {name: variable.numpy() for name, variable in variables.items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def test_same_seed_same_training_whatever_the_validation(case, trained):
    """The model of the fixture was validated after every epoch. Here it goes on from the start of another.

    Its steps are not traced again, which would take most of the time.
    """
    model, start = trained[case.name], case.start()
    validated, history = state(model), model.history
    for name, variable in sys.modules["conformance_case"].variables_of(model).items():
        # Keras' own models make the slots of an optimizer later: zeros
        variable.assign(start.get(name, np.zeros(variable.shape)))
    case.fitted(model, validate=False)
    assert_same(validated, state(model))
    model.history = history  # of the fixture: other tests read it


@pytest.mark.parametrize(
    "name", ["auto_encoder", "vae", "sequence_vq", "adversarial_voice_converter", "quick_thought"]
)
def test_several_steps_per_execution_train_the_same(name, trained):
    (case,) = (case for case in sys.modules["conformance_models"].CASES if case.name == name)
    assert_same(state(trained[name]), state(case.trained(validate=False, steps_per_execution=4)))
