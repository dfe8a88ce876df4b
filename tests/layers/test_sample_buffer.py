import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.bottlenecks._codebook_start import SampleBuffer

ROWS = np.random.default_rng(0).normal(size=(5, 4, 2, 3)).astype("float32")  # five batches of four


def buffer(capacity=10):
    layer = SampleBuffer(capacity, batch_rows=4)
    layer.build((None, 2, 3))
    return layer


def held(layer):
    return layer.rows.numpy()[: int(layer.count)]


def test_appends_the_real_rows_of_each_batch_until_it_is_full():
    layer, expected = buffer(), np.zeros((0, 2, 3), "float32")
    for rows, real in zip(ROWS, [4, 0, 3, 1, 4], strict=True):
        expected = np.concatenate([expected, rows[:real]])[:10]
        assert int(layer.add(tf.constant(rows), real)) == len(expected)
        np.testing.assert_array_equal(held(layer), expected)
    assert int(layer.count) == 10


def test_what_comes_once_it_is_full_changes_nothing():
    layer = buffer(capacity=4)
    layer.add(tf.constant(ROWS[0]), 4)
    for rows in ROWS[1:]:
        layer.add(tf.constant(rows), 4)
    np.testing.assert_array_equal(held(layer), ROWS[0])


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_a_buffer_half_full_comes_back_and_fills_on(batches):
    layer, copy, store = buffer(), buffer(), {}
    for rows in ROWS[:batches]:
        layer.add(tf.constant(rows), 4)
    layer.save_own_variables(store)
    assert store["rows"].shape == (4 * batches, 2, 3)
    copy.load_own_variables(store)
    for each in (layer, copy):
        each.add(tf.constant(ROWS[2]), 2)
    assert int(copy.count) == 4 * batches + 2
    np.testing.assert_array_equal(held(copy), held(layer))


def test_a_full_buffer_is_saved_as_nothing_and_comes_back_empty():
    layer, copy, store = buffer(capacity=4), buffer(capacity=4), {}
    layer.add(tf.constant(ROWS[0]), 4)
    layer.save_own_variables(store)
    assert store["rows"].shape == (0, 2, 3)
    copy.load_own_variables(store)
    assert int(copy.count) == 0


@pytest.mark.parametrize("capacity, expected", [(5, 0), (8, 0), (9, 8), (30, 8)])
def test_saved_rows_that_do_not_fit_leave_the_buffer_empty(capacity, expected):
    layer, copy, store = buffer(capacity=10), buffer(capacity=capacity), {}
    for rows in ROWS[:2]:
        layer.add(tf.constant(rows), 4)
    layer.save_own_variables(store)
    copy.load_own_variables(store)
    assert int(copy.count) == expected
    copy.add(tf.constant(ROWS[2]), 4)
    np.testing.assert_array_equal(held(copy), np.concatenate([*ROWS[:2], ROWS[2]])[8 - expected :][:capacity])
