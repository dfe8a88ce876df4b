"""Encoders of sentences: what they start from, what they train, what they leave alone."""

import keras
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.networks import bag_of_words_encoder, recurrent_sentence_encoder

IDS = np.array([[2, 3, 4], [5, 0, 0], [0, 0, 0]], "int32")
TABLE = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


def recurrent(**kwargs):
    return recurrent_sentence_encoder(6, 8, **{"embedding_dim": 3, **kwargs})


def bag(**kwargs):
    return bag_of_words_encoder(6, **kwargs)


def test_bag_of_words_is_the_sum_the_mean_or_the_maximum():
    expected = np.stack([TABLE[2:5].sum(axis=0), TABLE[5], np.zeros(4)])
    np.testing.assert_allclose(bag(word_vectors=TABLE)(IDS), expected, atol=1e-6)
    expected[0] /= 3
    np.testing.assert_allclose(bag(word_vectors=TABLE, pooling="mean")(IDS), expected, atol=1e-6)
    expected[0] = TABLE[2:5].max(axis=0)
    np.testing.assert_allclose(bag(word_vectors=TABLE, pooling="max")(IDS), expected, atol=1e-6)


@pytest.mark.parametrize("make", [recurrent, bag])
def test_given_word_vectors_are_the_start(make):
    encoder = make(word_vectors=TABLE)
    np.testing.assert_array_equal(encoder.get_layer("words").get_weights()[0], TABLE)
    assert len(str(encoder.get_config())) < 10_000  # their numbers are weights, no settings


@pytest.mark.parametrize("make", [recurrent, bag])
def test_word_vectors_that_stand_still(make):
    encoder = make(word_vectors=TABLE, trainable_words=False)
    assert all(weight.shape != TABLE.shape for weight in encoder.trainable_weights)
    assert encoder.get_layer("words").weights


@pytest.mark.parametrize("make", [recurrent, bag])
def test_words_are_dropped_in_training_alone(make):
    encoder = make(word_dropout=0.9, seed=0)
    ids = np.full((50, 5), 4, "int32")
    quiet, noisy = encoder(ids, training=False).numpy(), encoder(ids, training=True).numpy()
    assert np.ptp(quiet, axis=0).max() < 1e-6 < 1e-3 < np.ptp(noisy, axis=0).max()
    # most sentences are of unknown words alone
    unknown = encoder(np.ones((1, 5), "int32"), training=False)
    assert 0.4 < np.isclose(noisy, unknown, atol=1e-6).all(axis=1).mean() < 0.8  # 0.9 ** 5 = 0.59


@pytest.mark.parametrize("make", [recurrent, bag])
def test_reloads(make, tmp_path):
    encoder = make(word_dropout=0.5)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(IDS), encoder(IDS))


def test_one_direction_has_one_gru():
    encoder = recurrent(bidirectional=False)
    assert encoder.output_shape == (None, 8)
    assert encoder.count_params() == 6 * 3 + 3 * 8 * (3 + 8 + 2)


def test_impossible_encoders():
    with pytest.raises(ValueError, match="even"):
        recurrent_sentence_encoder(6, 7)
    with pytest.raises(InputError, match=r"word_vectors must have the shape \(7, dim\)"):
        bag_of_words_encoder(7, word_vectors=TABLE)
    with pytest.raises(ValueError, match="pooling"):
        bag(pooling="min")
    with pytest.raises(ValueError, match="rate"):
        bag(word_dropout=1.5)
