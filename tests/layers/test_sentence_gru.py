"""The last states of GRUs, against a loop in numpy and against Keras' own layers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import SentenceGRU
from keras_ae.networks import recurrent_context
from keras_ae.ops.core import exporting

RNG = np.random.default_rng(0)
PLACES = np.array([[0, 1, 0, 2], [3, -1, -1, -1], [-1, -1, -1, -1], [2, 2, 1, -1]], "int32")
WORDS = RNG.normal(size=(4, 3)).astype("float32")
UNITS = 5


@pytest.fixture(scope="module", params=[True, False], ids=["bidirectional", "forward"])
def layer(request):
    layer = SentenceGRU(UNITS, bidirectional=request.param)
    layer(WORDS, PLACES)
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def last_state(gru, words):
    """The state of one GRU after `words`, gate by gate."""
    kernel, recurrent, (bias, recurrent_bias) = (weight.astype("float64") for weight in gru.get_weights())
    state = np.zeros(UNITS)
    for word in words:
        x, h = word @ kernel + bias, state @ recurrent + recurrent_bias
        z, r = (1 / (1 + np.exp(-(x + h)[gate * UNITS :][:UNITS])) for gate in range(2))
        c = np.tanh(x[2 * UNITS :] + r * h[2 * UNITS :])
        state = z * state + (1 - z) * c
    return state


def test_states_are_those_of_a_loop_over_the_words(layer):
    expected = []
    for row in PLACES:
        words = WORDS[row[row >= 0]]
        readings = (words, words[::-1])  # the second GRU starts at the true last word
        states = zip(layer.directions, readings, strict=False)
        expected.append(np.concatenate([last_state(gru, reading) for gru, reading in states]))
    vectors = layer(WORDS, PLACES)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert not np.any(vectors[2])  # no words


def test_gradients_are_those_of_keras_layers(layer):
    target = tf.constant(RNG.normal(size=(4, UNITS * len(layer.directions))).astype("float32"))
    words = tf.Variable(WORDS)
    results = []
    for fixed_shapes in (False, True):
        with tf.GradientTape() as tape:
            if fixed_shapes:
                with exporting():  # there it calls the layers of Keras
                    vectors = layer(words, PLACES)
            else:
                vectors = layer(words, PLACES)
            loss = tf.reduce_sum(tf.sin(vectors) * target)
        results.append([vectors, *tape.gradient(loss, [words, *layer.trainable_variables])])
    for ours, expected in zip(*results, strict=True):
        # a word that stands at several places has the sum of their gradients
        np.testing.assert_allclose(*map(tf.convert_to_tensor, (ours, expected)), atol=2e-6)


def test_padding_and_batch_change_nothing(layer):
    vectors = layer(WORDS, PLACES)
    wider = np.pad(PLACES, ((0, 0), (0, 3)), constant_values=-1)
    np.testing.assert_array_equal(layer(WORDS, wider), vectors)
    for row in range(4):
        np.testing.assert_allclose(layer(WORDS, PLACES[row : row + 1])[0], vectors[row], atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (2, 3)], ids=["no sentences", "no columns", "no words"])
def test_nothing_to_read(layer, shape):
    vectors = layer(WORDS, np.full(shape, -1, "int32"))
    np.testing.assert_array_equal(vectors, np.zeros((shape[0], UNITS * len(layer.directions))))


def test_xla_gives_the_same():
    layer = SentenceGRU(UNITS, bidirectional=False)
    compiled = tf.function(lambda words, places: layer(words, places), jit_compile=True, autograph=False)
    np.testing.assert_allclose(compiled(WORDS, PLACES), layer(WORDS, PLACES), atol=1e-6)


def test_no_row_without_a_real_step_reaches_the_gru_of_cudnn(monkeypatch):
    """cuDNN refuses such rows; what Keras gives for them on a CPU are zeros."""
    context, own = recurrent_context(3, UNITS, depth=2), keras.layers.GRU(UNITS, return_sequences=True)
    x, mask = RNG.normal(size=(3, 4, 3)).astype("float32"), np.arange(4) < np.array([[4], [0], [2]])
    gru, read = context.layers[1], []
    own.build(x.shape)
    own.set_weights(gru.get_weights())
    expected, call = own(x, mask=mask), keras.layers.GRU.call

    def recorded(self, x, mask=None, **more):
        read.append(mask)
        return call(self, x, mask=mask, **more)

    monkeypatch.setattr(keras.layers.GRU, "call", recorded)
    np.testing.assert_allclose(gru(x, mask=mask), expected, atol=1e-6)
    assert np.asarray(read[0]).any(axis=1).all()


def test_half_precision():
    layer = SentenceGRU(UNITS, dtype="mixed_float16")
    vectors = layer(WORDS, PLACES)
    assert vectors.dtype == tf.float16
    exact = SentenceGRU(UNITS)
    exact.build(WORDS.shape, PLACES.shape)
    exact.set_weights(layer.get_weights())
    np.testing.assert_allclose(vectors, exact(WORDS, PLACES), atol=2e-3)


def test_reloads():
    layer = SentenceGRU(UNITS, bidirectional=False)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.units == UNITS and len(again.directions) == 1
