"""The same seed gives the same training, bit for bit on CPU."""

import numpy as np


def test_same_seed_same_weights(case, trained):
    again = case.trained()
    for first, second in zip(trained[case.name].get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
