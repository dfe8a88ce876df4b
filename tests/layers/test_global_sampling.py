import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.bottlenecks._codebook_start import GlobalRows

X = np.random.default_rng(0).normal(size=(12, 2, 3)).astype("float32")
WEIGHTS = np.array([0, 1, 1, 0, 0.5, 2, 0, 0, 1, 1, 1, 0], "float32")


@pytest.fixture(params=["all", "weighted"])
def rows_and_real(request):
    if request.param == "all":
        return GlobalRows(tf.constant(X), None), X, 12.0
    return GlobalRows(tf.constant(X), tf.constant(WEIGHTS)), X[WEIGHTS > 0], WEIGHTS.sum()


def test_numbers_name_the_real_rows_in_order(rows_and_real):
    rows, real, weight = rows_and_real
    assert int(rows.total) == len(real)
    assert float(rows.weight) == weight
    np.testing.assert_array_equal(rows.gather(tf.range(len(real))), real)
    np.testing.assert_array_equal(rows.gather([2, 0, 2]), real[[2, 0, 2]])


def test_past_the_end_there_are_zeros(rows_and_real):
    rows, real, _ = rows_and_real
    np.testing.assert_array_equal(rows.gather([len(real), len(real) + 5]), np.zeros((2, 2, 3)))


@pytest.mark.parametrize("uniform", [0.0, 0.3, 1.0 - 2.0**-24])
@pytest.mark.parametrize("count", [1, 3, 5, 6, 7])
def test_spread_takes_distinct_rows_at_equal_steps(rows_and_real, count, uniform):
    rows, real, _ = rows_and_real
    numbers, filled = rows.spread(count, tf.constant(uniform))
    assert int(filled) == min(count, len(real))
    if count <= len(real):
        expected = [int((i + np.float32(uniform).astype(float)) * len(real) / count) for i in range(count)]
        np.testing.assert_array_equal(numbers, expected)
    numbers = numbers.numpy()[: int(filled)]
    assert len(set(numbers)) == len(numbers)
    assert numbers.max() < len(real)


def test_a_batch_smaller_than_the_count_gives_its_rows_then_zeros(rows_and_real):
    rows, real, _ = rows_and_real
    numbers, filled = rows.spread(15, tf.constant(0.7))
    assert int(filled) == len(real)
    gathered = rows.gather(numbers).numpy()
    np.testing.assert_array_equal(gathered[: len(real)], real)
    np.testing.assert_array_equal(gathered[len(real) :], 0)


def test_far_draws_are_halfway_to_vectors_in_proportion_to_weight_and_squared_distance(rows_and_real):
    rows, _, _ = rows_and_real
    weights = WEIGHTS.astype("float64") if rows.is_weighted else np.ones(12)
    quantized = np.random.default_rng(1).normal(size=X.shape).astype("float32")
    squared = ((X - quantized).astype("float64") ** 2).sum(axis=-1)
    uniforms = np.random.default_rng(2).random((2, 50)).astype("float32")
    places = rows.draw_far(tf.constant(quantized), tf.constant(squared, tf.float32), tf.constant(uniforms))
    for head in range(2):
        cumulative = np.cumsum(weights * squared[:, head])
        row = np.searchsorted(cumulative, uniforms[head] * cumulative[-1], side="right")
        assert (weights[row] > 0).all() and len(set(row)) > 4
        expected = 0.5 * (X[row, head] + quantized[row, head])
        np.testing.assert_allclose(places[head], expected, rtol=1e-5, atol=1e-6)


def test_far_draws_where_every_vector_is_its_code_are_real_rows():
    rows = GlobalRows(tf.constant(X), tf.constant(WEIGHTS))
    uniforms = tf.constant([[0.0, 0.3, 1.0 - 2.0**-24]] * 2)
    places = rows.draw_far(tf.constant(X), tf.zeros((12, 2)), uniforms).numpy()
    for head in range(2):
        assert all((place == X[WEIGHTS > 0, head]).all(axis=1).any() for place in places[head])


def test_a_replica_whose_share_is_empty_gives_zeros():
    """TensorFlow hands a replica no row where the last batch is smaller than the replicas are many."""
    rows = GlobalRows(tf.zeros((0, 2, 3)), None)
    np.testing.assert_array_equal(rows.gather(tf.range(4)), np.zeros((4, 2, 3)))
    places = rows.draw_far(tf.zeros((0, 2, 3)), tf.zeros((0, 2)), tf.constant([[0.0, 0.9]] * 2))
    np.testing.assert_array_equal(places, np.zeros((2, 2, 3)))


def test_a_batch_without_real_rows_gives_zeros():
    rows = GlobalRows(tf.constant(X), tf.zeros(12))
    numbers, filled = rows.spread(4, tf.constant(0.5))
    assert (int(rows.total), float(rows.weight), int(filled)) == (0, 0.0, 0)
    np.testing.assert_array_equal(rows.gather(numbers), np.zeros((4, 2, 3)))
    places = rows.draw_far(tf.constant(X), tf.ones((12, 2)), tf.constant([[0.0, 0.9]] * 2))
    assert places.shape == (2, 2, 3) and np.isfinite(places).all()
