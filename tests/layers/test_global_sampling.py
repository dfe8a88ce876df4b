import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.global_sampling import GlobalRows

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


def test_draws_fall_alike_on_all_real_rows(rows_and_real):
    rows, real, _ = rows_and_real
    uniforms = (np.arange(10 * len(real)) / (10 * len(real))).astype("float32")
    numbers = rows.draw(tf.constant(uniforms)).numpy()
    counts = np.bincount(numbers, minlength=len(real))
    assert len(counts) == len(real)
    assert np.abs(counts - 10).max() <= 1  # a float32 uniform may round down to the row before
    assert int(rows.draw(tf.constant([np.nextafter(np.float32(1), np.float32(0))]))[0]) == len(real) - 1


def test_a_batch_without_real_rows_gives_zeros():
    rows = GlobalRows(tf.constant(X), tf.zeros(12))
    numbers, filled = rows.spread(4, tf.constant(0.5))
    assert (int(rows.total), float(rows.weight), int(filled)) == (0, 0.0, 0)
    np.testing.assert_array_equal(rows.gather(numbers), np.zeros((4, 2, 3)))
    np.testing.assert_array_equal(rows.gather(rows.draw(tf.constant([0.0, 0.9]))), np.zeros((2, 2, 3)))
