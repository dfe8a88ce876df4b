import numpy as np
import pytest
from scipy import stats

from keras_ae.training.likelihood import logistic_nats, pixel_levels


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_probabilities_of_all_levels_sum_to_one(levels):
    x = np.arange(levels) / (levels - 1)
    for mean, scale in ((0.3, 0.05), (-0.2, 0.01), (1.1, 0.3)):
        assert np.exp(-logistic_nats(x, mean, scale, levels)).sum() == pytest.approx(1, abs=1e-9)


def test_equals_the_mass_of_the_logistic_distribution_between_two_borders():
    rng = np.random.default_rng(0)
    x, mean = rng.integers(1, 255, 100) / 255, rng.random(100)
    expected = stats.logistic.cdf((x + 0.5 / 255 - mean) / 0.1) - stats.logistic.cdf(
        (x - 0.5 / 255 - mean) / 0.1
    )
    np.testing.assert_allclose(logistic_nats(x, mean, 0.1, 256), -np.log(expected), rtol=1e-9)


def test_far_tails_are_finite():
    assert logistic_nats(1.0, 0.0, 1e-3, 256) == pytest.approx(998, abs=1)  # (1 - h - 0) / scale
    assert logistic_nats(0.5, 0.0, 1e-3, 256) == pytest.approx(498, abs=2)


def test_levels_are_those_that_occur():
    assert pixel_levels(np.array([0.0, 1.0])) == 2
    assert pixel_levels(np.arange(17) / 16) == 17
    assert pixel_levels(np.arange(256, dtype="float32") / 255) == 256
    assert pixel_levels(np.linspace(0, 1, 1000)) is None
