"""The parts of the KL against loops in numpy."""

from itertools import permutations

import numpy as np
import pytest
from keras import ops
from scipy.stats import norm

from keras_ae.losses import gaussian_log_density, kl_decomposition

RNG = np.random.default_rng(0)
M, D, N = 5, 3, 40  # examples of the batch, dimensions, examples of the data set
MEAN, LOG_VARIANCE = RNG.normal(size=(M, D)), RNG.normal(size=(M, D))
Z = MEAN + np.exp(LOG_VARIANCE / 2) * RNG.normal(size=(M, D))


def density(i, j, d):
    return norm.pdf(Z[i, d], MEAN[j, d], np.exp(LOG_VARIANCE[j, d] / 2))


def mixture(i, dims, share):
    """`q(z_i)` of the dimensions `dims`: the posteriors of all j, each with its share."""
    return sum(share(i, j) * np.prod([density(i, j, d) for d in dims]) for j in range(M))


def by_hand(share, weights=None):
    parts = []
    for i in range(M):
        conditional = np.log(np.prod([density(i, i, d) for d in range(D)]))
        joint = np.log(mixture(i, range(D), share))
        marginals = sum(np.log(mixture(i, [d], share)) for d in range(D))
        prior = norm.logpdf(Z[i]).sum()
        parts.append((conditional - joint, joint - marginals, marginals - prior))
    return np.average(parts, axis=0, weights=weights)


def stratified(i, j):
    return 1 / N if i == j else (N - 1) / N / (M - 1)


def weighted(i, j):
    return 1 / M


@pytest.mark.parametrize("share", [stratified, weighted], ids=lambda share: share.__name__)
def test_the_three_parts_are_those_of_the_mixture(share):
    parts = kl_decomposition(Z, MEAN, LOG_VARIANCE, N, sampling=share.__name__)
    np.testing.assert_allclose(parts, by_hand(share), rtol=2e-5)  # float32


def test_their_sum_is_the_sample_of_the_whole_kl():
    parts = kl_decomposition(Z, MEAN, LOG_VARIANCE)
    expected = (norm.logpdf(Z, MEAN, np.exp(LOG_VARIANCE / 2)) - norm.logpdf(Z)).sum(axis=1).mean()
    assert float(sum(parts)) == pytest.approx(expected, rel=1e-5)


def test_where_the_batch_is_the_data_set_every_example_counts_alike():
    parts = kl_decomposition(Z, MEAN, LOG_VARIANCE, M, sampling="stratified")
    np.testing.assert_allclose(parts, by_hand(lambda i, j: 1 / M), rtol=2e-5)


def test_stratified_is_the_paper_s_sampling_averaged_over_the_order_of_the_batch():
    """Appendix C.2: `q(z|n*) / N + sum of K - 1 others / K + (N - K) / (N K) * the last`, `K = M - 1`."""
    others = M - 1
    last = (N - others) / (N * others)
    for j in range(others):
        mean = np.mean([last if order[-1] == j else 1 / others for order in permutations(range(others))])
        assert mean == pytest.approx(stratified(M - 1, j), rel=1e-12)


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_an_example_of_weight_0_is_not_there(sampling):
    weights = np.array([1, 1, 0, 1, 1], "float32")
    keep = weights > 0
    parts = kl_decomposition(Z, MEAN, LOG_VARIANCE, N, sample_weight=weights, sampling=sampling)
    without = kl_decomposition(Z[keep], MEAN[keep], LOG_VARIANCE[keep], N, sampling=sampling)
    np.testing.assert_allclose(parts, without, rtol=1e-5)


def test_weights_count_in_the_mixture_as_copies_would():
    weights = np.array([2, 1, 1, 1, 1], "float32")

    def share(i, j):
        return 1 / N if i == j else (N - 1) / N * weights[j] / (weights.sum() - weights[i])

    parts = kl_decomposition(Z, MEAN, LOG_VARIANCE, N, sample_weight=weights, sampling="stratified")
    np.testing.assert_allclose(parts, by_hand(share, weights), rtol=2e-5)


def test_dimensions_that_repeat_each_other_have_a_large_total_correlation():
    rng = np.random.default_rng(1)
    mean = np.repeat(rng.normal(size=(1000, 1)), 2, axis=1)
    apart = rng.normal(size=(1000, 2))
    log_variance = np.full((1000, 2), -2.0)
    noise = np.exp(-1.0) * rng.normal(size=(1000, 2))
    together = kl_decomposition(mean + noise, mean, log_variance).total_correlation
    independent = kl_decomposition(apart + noise, apart, log_variance).total_correlation
    # two Gaussians of correlation 1 / (1 + exp(-2)): -log(1 - rho^2) / 2; 1000 draws leave some hundredths
    rho = 1 / (1 + np.exp(-2.0))
    assert float(together) == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.1)
    assert abs(float(independent)) < 0.1


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_a_batch_of_one_is_finite(sampling):
    assert np.isfinite(kl_decomposition(Z[:1], MEAN[:1], LOG_VARIANCE[:1], N, sampling=sampling)).all()


def test_log_density_is_that_of_scipy():
    ours = gaussian_log_density(ops.array(Z), ops.array(MEAN), ops.array(LOG_VARIANCE))
    np.testing.assert_allclose(ours, norm.logpdf(Z, MEAN, np.exp(LOG_VARIANCE / 2)), rtol=1e-5)


@pytest.mark.parametrize(
    "options, received",
    [({"sampling": "all"}, "sampling='all'"), ({"sampling": "stratified"}, "dataset_size=None")],
    ids=str,
)
def test_what_cannot_be_is_refused(options, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        kl_decomposition(Z, MEAN, LOG_VARIANCE, **options)
