import numpy as np
import pytest
from scipy import stats

from keras_ae.training.recipes.images._likelihood import fitted_likelihood, logistic_nats, pixel_levels


@pytest.mark.parametrize("levels", [2, 17, 256])
def test_probabilities_of_all_levels_sum_to_one(levels):
    x = np.arange(levels) / (levels - 1)
    for mean, scale in ((0.3, 0.05), (-0.2, 0.01), (1.1, 0.3)):
        assert np.exp(-logistic_nats(x, mean, scale, levels=levels)).sum() == pytest.approx(1, abs=1e-9)


def test_equals_the_mass_of_the_logistic_distribution_between_two_borders():
    rng = np.random.default_rng(0)
    x, mean = rng.integers(1, 255, 100) / 255, rng.random(100)
    expected = stats.logistic.cdf((x + 0.5 / 255 - mean) / 0.1) - stats.logistic.cdf(
        (x - 0.5 / 255 - mean) / 0.1
    )
    np.testing.assert_allclose(logistic_nats(x, mean, 0.1, levels=256), -np.log(expected), rtol=1e-9)


def test_far_tails_are_finite():
    assert logistic_nats(1.0, 0.0, 1e-3, levels=256) == pytest.approx(998, abs=1)  # (1 - h - 0) / scale
    assert logistic_nats(0.5, 0.0, 1e-3, levels=256) == pytest.approx(498, abs=2)


class Noisy:
    """A model that makes clean images, and a split of the same, moved and with logistic noise."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.clean = rng.random((200, 8, 8, 1))
        self.noisy = np.round((0.1 + 0.8 * self.clean + rng.logistic(0, 0.02, self.clean.shape)) * 255) / 255

    def reconstruct(self, x):
        return self.clean

    def __len__(self):
        return 200

    def images(self, rows):
        return np.clip(self.noisy, 0, 1)[np.asarray(rows)]


def test_fit_finds_the_distribution_the_pixels_come_from():
    both = Noisy()  # of one batch
    fitted = fitted_likelihood(both, both, 256)
    # 12,800 pixels: the standard errors are about 1 % of the scale, 0.0006 of offset and 0.001 of slope
    assert fitted["scale"] == pytest.approx(0.02, rel=0.05)
    assert fitted["offset"] == pytest.approx(0.1, abs=0.003)
    assert fitted["slope"] == pytest.approx(0.8, abs=0.005)


def test_levels_are_those_that_occur():
    assert pixel_levels(np.array([0.0, 1.0])) == 2
    assert pixel_levels(np.arange(17) / 16) == 17
    assert pixel_levels(np.arange(256, dtype="float32") / 255) == 256
    assert pixel_levels(np.linspace(0, 1, 1000)) is None
