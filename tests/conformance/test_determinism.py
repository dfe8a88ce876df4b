"""The same seed gives the same training, bit for bit on CPU."""

import numpy as np


def test_same_seed_same_weights_whatever_the_steps_per_execution(case, trained):
    again = case.trained(steps_per_execution=4)
    for first, second in zip(trained[case.name].get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
