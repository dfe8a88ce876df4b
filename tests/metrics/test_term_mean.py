import warnings

import numpy as np
import pytest
from keras import ops

from keras_ae.metrics import TermMean
from keras_ae.ops.terms import LossTerm, batch_term, mean_term, scalars, weighted_mean

VALUES = np.random.default_rng(0).normal(size=33).astype("float32") ** 2
WEIGHTS = np.random.default_rng(1).integers(0, 3, 33).astype("float32")
CUTS = {"whole": [33], "uneven": [32, 1], "small": [10, 10, 10, 3]}


def batches(array, sizes):
    return np.split(array, np.cumsum(sizes)[:-1])


@pytest.mark.parametrize("sizes", CUTS.values(), ids=CUTS)
def test_an_epoch_is_the_sum_over_the_sum_of_weights_for_every_cut(sizes):
    metric = TermMean()
    for values, weights in zip(batches(VALUES, sizes), batches(WEIGHTS, sizes), strict=True):
        metric.update_state(mean_term(values, weights))
    np.testing.assert_allclose(float(metric.result()), np.average(VALUES, weights=WEIGHTS), rtol=1e-6)


@pytest.mark.parametrize("sizes", CUTS.values(), ids=CUTS)
def test_a_sum_of_terms_keeps_the_weights_of_each(sizes):
    metric = TermMean()
    for values, weights in zip(batches(VALUES, sizes), batches(WEIGHTS, sizes), strict=True):
        error, kl = mean_term(values), mean_term(values**2, weights)
        metric.update_state(ops.convert_to_tensor(0.5) * kl + error - kl / 4 - -0.0)
    expected = VALUES.mean() + 0.25 * np.average(VALUES**2, weights=WEIGHTS)
    np.testing.assert_allclose(float(metric.result()), expected, rtol=1e-6)


def test_a_scalar_counts_by_the_examples_and_a_returned_tensor_by_its_own_weights():
    plain, own = TermMean(), TermMean()
    for values, weights in zip(batches(VALUES, [32, 1]), batches(WEIGHTS, [32, 1]), strict=True):
        plain.update_state(float(values.mean()), sample_weight=len(values))
        own.update_state(scalars({"term": mean_term(values, weights)})["term"], sample_weight=1e9)
    np.testing.assert_allclose(float(plain.result()), VALUES.mean(), rtol=1e-6)
    np.testing.assert_allclose(float(own.result()), np.average(VALUES, weights=WEIGHTS), rtol=1e-6)


def test_a_statistic_of_the_batch_counts_by_what_it_is_computed_from():
    metric = TermMean()
    for value, vectors in ((1.0, 30), (4.0, 10)):
        metric.update_state(batch_term(value, np.ones(vectors)))
    np.testing.assert_allclose(float(metric.result()), (30 + 40) / 40)


@pytest.mark.filterwarnings("ignore:A term must have at most:UserWarning")
def test_more_parts_than_a_metric_holds_count_by_the_last_weight():
    metric = TermMean()
    for value in (1.0, 3.0):
        metric.update_state(sum(LossTerm([(value, 2.0)]) for _ in range(100)))
    np.testing.assert_allclose(float(metric.result()), 200.0)


def test_millions_of_elements_are_counted_exactly():
    metric = TermMean()
    for _ in range(3):
        metric.update_state(LossTerm([(1.0, 2.0**24 + 1)]))
    assert float(ops.sum(metric.weights)) == 3 * (2**24 + 1)


def test_nothing_counted_is_zero_and_a_reset_forgets():
    metric = TermMean()
    metric.update_state(weighted_mean(VALUES, np.zeros(33)))
    assert float(metric.result()) == 0.0
    metric.update_state(5.0)
    metric.reset_state()
    assert float(metric.result()) == 0.0


def test_what_would_lose_the_weights_is_refused():
    with pytest.raises(TypeError, match="`term.value`"):
        ops.sqrt(mean_term(VALUES))


def test_parts_beyond_the_last_place_are_told_once():
    metric, term = TermMean(name="error"), LossTerm([(1.0, 2.0)] * 64)
    with pytest.warns(UserWarning, match="at most 63 parts .* Received: 64 in `error`"):
        metric.update_state(term)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric.update_state(term)
        TermMean().update_state(LossTerm([(1.0, 2.0)] * 63))
