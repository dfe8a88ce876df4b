"""The same seed gives the same training, bit for bit on CPU."""

import numpy as np


def test_same_seed_same_weights(case, trained):
    again = case.compiled()
    again.fit(**case.fit_arguments(case.data()), batch_size=5, epochs=2, verbose=0)
    for first, second in zip(trained[case.name].get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
