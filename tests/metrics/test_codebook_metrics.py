import keras
import numpy as np
import pytest

from keras_ae.metrics import CodebookPerplexity, CodebookUsage

CODES = np.random.default_rng(0).integers(0, 6, (4, 10))
CODES[CODES == 5] = 0  # one code of eight is never drawn, two more do not exist in the data


def perplexity(codes, size, weights=None):
    share = np.bincount(codes.ravel(), weights, minlength=size).astype(float)
    share = share[share > 0] / share.sum()
    return np.exp(-(share * np.log(share)).sum())


def test_perplexity_is_that_of_all_batches_together():
    metric = CodebookPerplexity(8)
    for batch in CODES:
        metric.update_state(batch)
    np.testing.assert_allclose(metric.result(), perplexity(CODES, 8), rtol=1e-5)
    alone = np.mean([perplexity(batch, 8) for batch in CODES])
    assert float(metric.result()) > alone + 0.1  # a mean over batches would be too small


def test_usage_counts_a_code_once():
    metric = CodebookUsage(8)
    for batch in CODES:
        metric.update_state(batch)
    assert float(metric.result()) == len(np.unique(CODES)) / 8


def test_bounds():
    metric, usage = CodebookPerplexity(8), CodebookUsage(8)
    for codes, expected, used in (([3] * 20, 1.0, 1 / 8), (range(8), 8.0, 1.0)):
        for each in (metric, usage):
            each.reset_state()
            each.update_state(list(codes))
        np.testing.assert_allclose(metric.result(), expected, rtol=1e-6)
        assert float(usage.result()) == used


def test_weights_count_fractions_and_zero_leaves_out():
    weights = np.random.default_rng(1).choice([0.0, 0.5, 3.0], CODES.shape)
    metric, usage = CodebookPerplexity(8), CodebookUsage(8)
    metric.update_state(CODES, weights)
    usage.update_state(CODES, weights)
    np.testing.assert_allclose(metric.result(), perplexity(CODES, 8, weights.ravel()), rtol=1e-5)
    assert float(usage.result()) == len(np.unique(CODES[weights > 0])) / 8


def test_heads_are_counted_apart():
    codes = np.array([[0, 3], [1, 3], [0, 3], [1, 3]])
    metric, usage = CodebookPerplexity(4, num_heads=2), CodebookUsage(4, num_heads=2)
    metric.update_state(codes, np.ones(4))
    usage.update_state(codes)
    np.testing.assert_allclose(metric.result(), (2.0 + 1.0) / 2, rtol=1e-6)
    assert float(usage.result()) == 3 / 8


@pytest.mark.parametrize("kind, name", [(CodebookPerplexity, "perplexity"), (CodebookUsage, "usage")])
def test_nothing_seen_and_reset_and_config(kind, name):
    metric = kind(4, num_heads=2)
    assert metric.name == name
    empty = float(metric.result())
    assert empty == (1.0 if kind is CodebookPerplexity else 0.0)
    metric.update_state([[0, 1], [2, 3]])
    assert float(metric.result()) != empty
    metric.reset_state()
    assert float(metric.result()) == empty
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert copy.get_config() == metric.get_config()
    assert (copy.num_embeddings, copy.num_heads) == (4, 2)
