"""LinearDependence against loops over pairs, and against what it stands for."""

import numpy as np
import pytest

from keras_ae.layers import LinearDependence


def expected(z, labels, weight, mean, covariance, shrinkage):
    size = z.shape[1]
    inverse = np.linalg.inv(covariance + (shrinkage * np.trace(covariance) / size + 1e-4) * np.eye(size))
    sums, weights = [0.0, 0.0], [0.0, 0.0]
    for i in range(len(z)):
        for j in range(len(z)):
            if i != j:
                kind = int(labels[i] != labels[j])
                sums[kind] += weight[i] * weight[j] * ((z[i] - mean) @ inverse @ (z[j] - mean))
                weights[kind] += weight[i] * weight[j]
    return sums[0] / weights[0] - sums[1] / weights[1]


def test_it_is_the_equation_with_the_statistics_of_the_batches():
    rng = np.random.default_rng(0)
    layer, mean, covariance = LinearDependence(momentum=0.5, shrinkage=0.2), np.zeros(4), np.eye(4)
    for weight in (np.ones(9), np.array([1, 1, 0, 1, 1, 2, 0, 1, 1.0])):
        z, labels = 2.0 + rng.standard_normal((9, 4)), rng.integers(0, 3, 9)
        found = layer(z.astype("float32"), labels, weight.astype("float32"), training=True)
        share = weight / weight.sum()
        mean = 0.5 * mean + 0.5 * share @ z
        covariance = 0.5 * covariance + 0.5 * (share[:, None] * (z - mean)).T @ (z - mean)
        np.testing.assert_allclose(found, expected(z, labels, weight, mean, covariance, 0.2), rtol=1e-4)
    again = layer(z.astype("float32"), labels, weight.astype("float32"), training=False)
    np.testing.assert_allclose(again, found, rtol=1e-6)


@pytest.mark.slow
def test_it_is_zero_on_average_where_nothing_is_told_and_fishers_criterion_where_something_is():
    rng = np.random.default_rng(0)
    labels = np.arange(32) % 4
    for told in (0.0, 1.0):
        layer, found = LinearDependence(shrinkage=1e-3), []
        for _ in range(150):
            z = rng.standard_normal((32, 8)) * np.arange(1.0, 9.0)  # the scale does not matter
            z[:, :4] += told * np.eye(4)[labels] * np.arange(1.0, 5.0)
            found.append(float(layer(z.astype("float32"), labels, training=True)))
        # the means differ in three directions, by 1/4 beside 1 within; pairs of two labels are below
        # the mean by a third of what pairs of one label are above it
        between = (1 + 1 / 3) * 3 * (1 / 4) / (1 + 1 / 4) if told else 0.0
        # the deviation of one batch is about 0.27, that of the mean of 100 about 0.03
        assert abs(np.mean(found[50:]) - between) < 0.1


@pytest.mark.parametrize("labels", [[0, 1, 2], [1, 1, 1]])
def test_a_batch_without_pairs_of_both_kinds_tells_nothing(labels):
    z = np.random.default_rng(0).standard_normal((3, 2)).astype("float32")
    assert float(LinearDependence()(z, np.array(labels), training=True)) == 0.0


@pytest.mark.parametrize("options", [{"momentum": 1.0}, {"shrinkage": 0.0}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="Received"):
        LinearDependence(**options)
