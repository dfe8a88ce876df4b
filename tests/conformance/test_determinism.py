"""The same seed gives the same training, bit for bit on CPU."""

import numpy as np


def state(model):
    """Return `(path, value)` of weights, statistics and states of random generators."""
    return [(variable.path, variable.numpy()) for variable in model.variables]


def test_same_seed_same_weights_whatever_the_validation_and_the_steps_per_execution(case, trained):
    """The model of the fixture was validated after every epoch, the other one never."""
    again = case.trained(validate=False, steps_per_execution=4)
    for (path, first), (_, second) in zip(state(trained[case.name]), state(again), strict=True):
        np.testing.assert_array_equal(first, second, err_msg=path)
