"""The search of the nearest code: exact wherever the data lie, by every way to run it."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.ops import exporting
from keras_ae.ops import search as own
from keras_ae.ops.search import export_candidates, nearest_code, sole_best


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def distances(x, codebook):
    """float64, with every difference written out."""
    x, codebook = x.astype("float64"), codebook.astype("float64")
    return np.stack([((codebook - row) ** 2).sum(axis=1) for row in x])


def nearest(x, codebook):
    return np.argmin(distances(x, codebook), axis=1)


def exported(x, codebook):
    with exporting():
        return nearest_code(tf.constant(x), tf.constant(codebook), export_candidates(codebook))


SEARCHES = {
    "eager": nearest_code,
    "graph": lambda x, c: tf.function(nearest_code)(tf.constant(x), tf.constant(c)),
    "exported": exported,
}


@pytest.fixture(params=SEARCHES)
def search(request):
    return SEARCHES[request.param]


def two_clusters(codes, dim):
    side = np.where(np.arange(codes) % 2, 1000.0, -1000.0)[:, None]
    return (side + 0.4 * normal((codes, dim))).astype("float32")


def one_far_code(codes, dim):
    table = normal((codes, dim))
    table[3] = 1e5
    return table


LAYOUTS = {
    "at the origin": normal,
    "at 100": lambda shape: normal(shape) + 100.0,
    "two clusters at +-1000": lambda shape: two_clusters(*shape),
    "one far code": lambda shape: one_far_code(*shape),
    "two scales": lambda shape: normal(shape) * np.geomspace(1e-4, 1e4, shape[0])[:, None].astype("float32"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("codes, dim", [(64, 16), (300, 5)])
def test_the_chosen_code_is_the_nearest_wherever_the_codes_lie(layout, codes, dim, search):
    codebook = LAYOUTS[layout]((codes, dim))
    generator = np.random.default_rng(1)
    x = codebook[generator.integers(0, codes, 400)]
    x = (x + 0.2 * np.abs(x - np.roll(x, 1, axis=0)).min() * generator.normal(size=x.shape)).astype("float32")
    x = np.concatenate([x, np.median(codebook, axis=0) + normal((100, dim))]).astype("float32")
    squared = distances(x, codebook)
    chosen = squared[np.arange(len(x)), np.asarray(search(x, codebook))]
    assert (chosen <= squared.min(axis=1) * (1 + 1e-6)).all()


def test_compiled_by_xla_the_nearest_code_is_found_too():
    codebook, x = two_clusters(64, 4), normal((50, 4))
    codebook[5, 1], x[3, 2] = np.nan, np.inf
    x[:40] += 1000.0
    expected = nearest(np.where(np.isfinite(x), x, 0.0), np.where(np.isfinite(codebook), codebook, 1e9))
    found = tf.function(nearest_code, jit_compile=True)(tf.constant(x), tf.constant(codebook))
    np.testing.assert_array_equal(found, expected)


def test_codes_that_are_not_finite_are_never_chosen_and_spoil_no_other(search):
    codebook, x = normal((70, 4)), normal((200, 4), seed=1)
    expected = nearest(x, codebook[3:]) + 3
    codebook[0, 1], codebook[1, 0], codebook[2] = np.nan, np.inf, 3e30
    np.testing.assert_array_equal(search(x, codebook), expected)


def test_entries_of_a_vector_that_are_not_finite_count_as_zero(search):
    codebook, x = normal((70, 4)), normal((6, 4), seed=1)
    x[0], x[1, 2], x[2, 0], x[3, 3] = np.nan, np.nan, np.inf, -np.inf
    expected = nearest(np.where(np.isfinite(x), x, 0.0), codebook)
    np.testing.assert_array_equal(search(x, codebook), expected)


def test_of_equal_codes_the_first_is_chosen(search):
    codebook = np.tile(normal((100, 3)), (3, 1))
    np.testing.assert_array_equal(search(codebook, codebook), np.tile(np.arange(100), 3))


def test_without_a_finite_code_the_first_is_chosen(search):
    np.testing.assert_array_equal(search(normal((3, 2)), np.full((5, 2), np.nan, "float32")), [0, 0, 0])


def test_a_single_code_is_everybodys(search):
    np.testing.assert_array_equal(search(normal((3, 2)), normal((1, 2))), [0, 0, 0])


def test_search_far_from_a_codebook_that_is_off_the_data(search):
    x, codebook = normal((200, 8)) + 50.0, normal((16, 8), seed=1)
    np.testing.assert_array_equal(search(x, codebook), nearest(x, codebook))


@pytest.mark.parametrize("total", [0, 1, 3, 4, 5, 7, 8, 9, 17])
def test_search_in_blocks_equals_the_search_at_once(total, monkeypatch):
    x, codebook = normal((total, 2)), normal((3, 2), seed=1)
    at_once = exported(x, codebook)
    monkeypatch.setattr(own, "BLOCK_SCORES", 12)  # four rows a block
    blocks = nearest_code(x, codebook)
    assert blocks.dtype == tf.int32
    assert blocks.shape == (total,)
    np.testing.assert_array_equal(blocks, at_once)
    if total:
        np.testing.assert_array_equal(blocks, nearest(x, codebook))


def test_a_codebook_larger_than_a_block_is_searched_row_by_row(monkeypatch):
    monkeypatch.setattr(own, "BLOCK_SCORES", 2)
    x, codebook = normal((5, 2)), normal((7, 2), seed=1)
    np.testing.assert_array_equal(nearest_code(x, codebook), nearest(x, codebook))


@pytest.mark.parametrize("codes", [256, 8192], ids=str)
def test_the_sole_best_score_of_a_row_by_groups(codes, monkeypatch):
    monkeypatch.setattr("keras_ae.ops.search.MOST_COLUMNS", 64)
    scores = normal((20, codes))
    best = scores.argmax(axis=1)
    np.testing.assert_array_equal(sole_best(tf.constant(scores), lambda largest: 0.0 * largest), best)
    scores[0, (best[0] + 1) % codes] = scores[0, best[0]]  # beside it
    scores[1, (best[1] + codes // 2) % codes] = scores[1, best[1]]  # in another group
    scores[2, 7] = np.nan
    found = sole_best(tf.constant(scores), lambda largest: 1e-9 * tf.abs(largest)).numpy()
    assert found[:2].tolist() == [-1, -1] and found[2] in (-1, best[2])
    np.testing.assert_array_equal(found[3:], best[3:])


def test_a_search_of_products_that_a_gpu_rounds_to_ten_bits_is_exact(monkeypatch):
    """TensorFloat-32: more rows are searched again in float64."""
    monkeypatch.setattr("keras_ae.ops.search._roundoff", lambda: 2.0**-11)
    product = tf.matmul

    def truncated(part):
        return tf.bitcast(tf.bitwise.bitwise_and(tf.bitcast(part, tf.int32), -(2**13)), tf.float32)

    def rounded(a, b, **options):
        wide = a.dtype != tf.float32
        return product(a, b, **options) if wide else product(truncated(a), truncated(b), **options)

    monkeypatch.setattr(tf, "matmul", rounded)
    x, codebook = normal((300, 8)), normal((40, 8), seed=1)
    np.testing.assert_array_equal(nearest_code(x, codebook), nearest(x, codebook))
