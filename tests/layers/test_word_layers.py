"""Distinct words, dropped words, bags of words."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import DistinctWords, WordDropout, WordPooling
from keras_ae.ops.core import exporting

IDS = np.array([[7, 5, 7, 9], [5, 0, 0, 0], [0, 0, 0, 0]], "int32")


def checked(words, places):
    real = IDS > 0
    np.testing.assert_array_equal(np.asarray(words)[np.asarray(places)[real]], IDS[real])
    assert (np.asarray(places)[~real] == -1).all()


def test_distinct_words_name_every_word():
    words, places = DistinctWords()(IDS)
    checked(words, places)
    assert sorted(words.numpy().tolist()) == [0, 5, 7, 9]


def test_distinct_words_where_shapes_are_fixed():
    with exporting():
        exported = DistinctWords()(IDS)
    layer = DistinctWords()
    for words, places in (exported, tf.function(lambda ids: layer(ids), jit_compile=True)(IDS)):
        checked(words, places)
        assert words.shape == (12,)


def test_dropped_words_become_the_unknown_word():
    ids = np.tile(np.arange(2, 102, dtype="int32"), (100, 1))
    ids[:, 90:] = 0
    dropped = WordDropout(0.3, seed=0)(ids, training=True).numpy()
    changed = dropped != ids
    assert set(dropped[changed]) == {1} and not changed[:, 90:].any()
    # 9,000 draws: a standard deviation of 0.005
    assert abs(changed[:, :90].mean() - 0.3) < 0.02
    np.testing.assert_array_equal(WordDropout(0.3)(ids, training=False), ids)


def test_dropout_is_another_one_each_time_and_the_same_for_a_seed():
    ids = np.full((4, 50), 3, "int32")
    first, second = WordDropout(0.5, seed=1), WordDropout(0.5, seed=1)
    draws = [layer(ids, training=True).numpy() for layer in (first, first, second)]
    assert (draws[0] != draws[1]).any()
    np.testing.assert_array_equal(draws[0], draws[2])


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rate_is_checked(rate):
    with pytest.raises(ValueError, match="rate must be at least 0 and below 1"):
        WordDropout(rate)


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("sum", [[3, -1], [2, -3], [0, 0]]),
        ("mean", [[1.5, -0.5], [2, -3], [0, 0]]),  # no words, no direction
        ("max", [[2, 2], [2, -3], [0, 0]]),
    ],
)
def test_pooling_counts_words_alone(pooling, expected):
    x = np.array([[[1, 2], [2, -3]], [[2, -3], [np.nan, 9]], [[np.nan, 9], [9, 9]]], "float32")
    mask = np.array([[1, 1], [1, 0], [0, 0]], bool)
    np.testing.assert_allclose(WordPooling(pooling)(x, mask=mask), expected)
    np.testing.assert_allclose(WordPooling(pooling)(x[:1]), expected[:1])


def test_pooling_is_checked():
    with pytest.raises(ValueError, match="'sum', 'mean', 'max'"):
        WordPooling("min")
