"""Importance-weighted bound, maximum mean discrepancy and free bits against loops and integrals in numpy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.losses import free_bits_kl, importance_weighted_bound, maximum_mean_discrepancy
from keras_ae.ops.terms import LossTerm, TermMean

RNG = np.random.default_rng(0)
D = 2
Z = RNG.normal(size=(5, D)) + 0.4
WEIGHTS = np.array([1, 2, 0.5, 1, 3])
VARIANCES = np.array([0.25, 0.5, 1.0, 2.0, 4.0]) * D
# Gauss-Hermite quadrature of an expectation over N(0, 1): exact for these smooth functions
NODES, SHARES = np.polynomial.hermite_e.hermegauss(60)
SHARES = SHARES / SHARES.sum()


def kernel(difference):
    return np.mean([np.exp(-(difference**2).sum() / (2 * v)) for v in VARIANCES])


def expected_kernel(points, scale=1.0):
    """`mean over v of E k(point, scale * e)`: the integral over each dimension by quadrature."""
    per_dimension = [
        [sum(SHARES * np.exp(-((p - scale * NODES) ** 2) / (2 * v))) for p in points] for v in VARIANCES
    ]
    return np.mean(np.prod(per_dimension, axis=1))


def by_hand(z, weights):
    pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
    shares = [weights[i] * weights[j] for i, j in pairs]
    within = np.average([kernel(z[i] - z[j]) for i, j in pairs], weights=shares)
    across = np.average([expected_kernel(point) for point in z], weights=weights)
    # the difference of two independent normal vectors has twice the variance
    return within - 2 * across + expected_kernel(np.zeros(D), np.sqrt(2))


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_the_discrepancy_is_that_of_all_pairs_and_of_the_integrals_over_the_prior(weights):
    found = maximum_mean_discrepancy(Z, weights)
    expected = by_hand(Z, np.ones(len(Z)) if weights is None else weights)
    assert float(found) == pytest.approx(expected, abs=1e-6)  # float32


def test_the_estimate_of_small_batches_is_unbiased():
    """Of `z ~ N(m, s^2 I)` the value is an integral over Gaussians, known in closed form."""
    mean, scale, batches = np.array([0.5, -0.2]), 0.6, 1000

    def gaussian(variance, shift):  # E exp(-|u|^2 / (2 v)) of u ~ N(shift, variance I)
        factors = [(v / (v + variance)) ** (D / 2) for v in VARIANCES]
        return np.mean(factors * np.exp(-(shift**2).sum() / (2 * (VARIANCES + variance))))

    exact = gaussian(2 * scale**2, 0 * mean) - 2 * gaussian(1 + scale**2, mean) + gaussian(2, 0 * mean)
    z = tf.constant(mean + scale * np.random.default_rng(1).normal(size=(batches, 3, D)), tf.float32)
    values = tf.function(lambda z: tf.map_fn(maximum_mean_discrepancy, z))(z).numpy()
    assert values.mean() == pytest.approx(exact, abs=4.5 * values.std() / np.sqrt(batches))


def test_an_example_of_weight_0_is_not_there_and_a_single_one_has_no_pair():
    garbage = np.concatenate([Z, np.full((1, D), np.nan)]).astype("float32")
    z = tf.Variable(garbage)
    with tf.GradientTape() as tape:
        found = maximum_mean_discrepancy(z, np.append(WEIGHTS, 0))
    assert float(found) == pytest.approx(by_hand(Z, WEIGHTS), abs=1e-6)
    gradient = tape.gradient(found, z).numpy()
    assert np.isfinite(gradient).all() and not gradient[-1].any() and np.abs(gradient[:-1]).min() > 1e-5
    metric = TermMean()
    for batch in (Z, Z[:1]):
        metric.update_state(LossTerm.of(maximum_mean_discrepancy(batch)))
    assert float(maximum_mean_discrepancy(Z[:1])) == 0
    assert float(metric.result()) == pytest.approx(by_hand(Z, np.ones(5)), abs=1e-6)


@pytest.mark.parametrize("samples", [1, 4])
def test_the_bound_is_the_logarithm_of_the_mean_weight(samples):
    log_weights = RNG.normal(size=(samples, 3)) * 3 - 800  # whose exponentials float32 cannot represent
    expected = np.log(np.exp(log_weights + 800).mean(axis=0)) - 800
    found = importance_weighted_bound(ops.cast(log_weights, "float32"))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_free_bits_floor_the_mean_of_each_dimension_and_stop_its_gradient():
    kl = tf.Variable([[0.1, 3.0, 0.9], [0.3, 0.0, 0.0], [5.0, np.nan, np.nan]])
    weights = np.array([1.0, 3.0, 0.0])
    with tf.GradientTape() as tape:
        cost = free_bits_kl(kl, 0.5, weights)
    # means of the batch: (0.1 + 0.9) / 4, 3 / 4, 0.9 / 4. An example of 0.9 alone would be above the floor.
    assert float(cost) == pytest.approx(0.5 + 0.75 + 0.5)
    np.testing.assert_allclose(tape.gradient(cost, kl), [[0, 0.25, 0], [0, 0.75, 0], [0, 0, 0]], atol=1e-7)
    ((_, count),) = LossTerm.of(cost).parts
    assert float(count) == 4
    assert float(free_bits_kl(keras.ops.ones((2, 3)), 0.0)) == 3
