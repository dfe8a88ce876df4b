"""The softmax over words: logits and cross-entropies against numpy, and its sampled training."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import WordSoftmax
from keras_ae.losses import log_uniform_words

RNG = np.random.default_rng(0)
STATES = RNG.normal(size=(7, 4)).astype("float32")
WORDS = RNG.integers(0, 30, 7)


def made(**options):
    layer = WordSoftmax(30, **options)
    layer.build((None, 4))
    layer.set_weights([RNG.normal(size=(30, 4)), RNG.normal(size=30), *layer.get_weights()[2:]])
    return layer


def whole(layer):
    kernel, bias = (np.asarray(value) for value in (layer.kernel, layer.bias))
    logits = STATES @ kernel.T + bias
    return logits, np.log(np.exp(logits).sum(axis=1)) - logits[range(7), WORDS]


def test_logits_and_cross_entropy():
    layer = made()
    logits, nats = whole(layer)
    np.testing.assert_allclose(layer(STATES), logits, rtol=1e-5, atol=1e-5)
    for training in (False, True):
        np.testing.assert_allclose(layer.cross_entropy(STATES, WORDS, training), nats, rtol=1e-5)


def test_training_draws_words_evaluation_takes_all():
    layer = made(num_sampled=8, seed=3)
    _, nats = whole(layer)
    np.testing.assert_allclose(layer.cross_entropy(STATES, WORDS), nats, rtol=1e-5)
    drawn = np.asarray(log_uniform_words(8, 30, keras.random.SeedGenerator(3)))
    found = np.asarray(layer.cross_entropy(STATES, WORDS, training=True))
    logits, _ = whole(layer)
    q = np.log((np.arange(30) + 2) / (np.arange(30) + 1)) / np.log(31)
    for row, target in enumerate(WORDS):
        candidates = [np.exp(logits[row, k]) / q[k] for k in (target, *drawn)]
        np.testing.assert_allclose(found[row], -np.log(candidates[0] / sum(candidates)), rtol=1e-4)


def test_it_starts_from_zipfs_law():
    layer = WordSoftmax(30)
    found = np.asarray(tf.nn.softmax(layer(np.zeros((1, 4), "float32")))[0])
    zipf = np.log((np.arange(30) + 2) / (np.arange(30) + 1)) / np.log(31)
    np.testing.assert_allclose(found, zipf, rtol=1e-5)


def test_training_on_samples_finds_the_frequencies():
    """Of 60 words, 20 drawn at a time: the softmax becomes the shares of the words in the data."""
    words = np.repeat([17, 3, 9], (50, 30, 20))
    layer = WordSoftmax(60, num_sampled=20, seed=0)
    layer.build((None, 1))
    decay = keras.optimizers.schedules.PolynomialDecay(0.2, 300, 0.0)
    optimizer, states = keras.optimizers.Adam(decay), tf.zeros((100, 1))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(layer.cross_entropy(states, words, training=True))
        optimizer.apply([tf.convert_to_tensor(tape.gradient(loss, layer.bias.value))], [layer.bias])

    for _ in range(300):
        step()
    found = np.asarray(tf.nn.softmax(layer(states[:1]))[0])
    np.testing.assert_allclose(found[[17, 3, 9]], [0.5, 0.3, 0.2], atol=0.05)  # the draws are noise


def test_round_trip(check_round_trip, tmp_path):
    check_round_trip(WordSoftmax(9, num_sampled=3, seed=1), STATES, path=str(tmp_path / "model.keras"))


@pytest.mark.parametrize("options", [{"vocabulary_size": 0}, {"vocabulary_size": 5, "num_sampled": 0}])
def test_sizes_are_at_least_one(options):
    with pytest.raises(ValueError, match="at least 1"):
        WordSoftmax(**options)
