"""The packed GRU: states and gradients are those of Keras' GRU on the padded sequences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.text.packed_gru import Packing, packed_gru

RNG = np.random.default_rng(0)
LENGTHS = np.array([3, 0, 5, 3, 1], "int32")
UNITS, FEATURES = 4, 3
X = RNG.normal(size=(5, 6, FEATURES)).astype("float32")
FIRST = RNG.normal(size=(5, UNITS)).astype("float32")
WEIGHT = RNG.normal(size=(5, 6, UNITS)).astype("float32")  # of the states in the loss


def test_packing_says_where_values_lie():
    packing = Packing.of(tf.constant(LENGTHS))
    assert packing.order.numpy().tolist() == [2, 0, 3, 4, 1]
    assert packing.counts.numpy().tolist() == [4, 3, 3, 1, 1]
    assert packing.starts.numpy().tolist() == [0, 4, 7, 10, 11]
    packed = packing.pack(tf.constant(10 * np.arange(5)[:, None] + np.arange(6)))
    assert packed.numpy().tolist() == [20, 0, 30, 40, 21, 1, 31, 22, 2, 32, 23, 24]


@pytest.fixture(scope="module")
def gru():
    layer = keras.layers.GRU(UNITS, return_sequences=True)
    layer.build(X.shape)
    layer.set_weights([RNG.normal(size=weight.shape) for weight in layer.get_weights()])
    return layer


def padded(gru, x, first):
    mask = tf.sequence_mask(LENGTHS, 6)
    states = gru(x, initial_state=first)
    return tf.where(mask[..., None], states, 0.0)


def packed(gru, x, first):
    packing = Packing.of(tf.constant(LENGTHS))
    places = packing.pack(tf.reshape(tf.range(30), (5, 6)))
    kernel, recurrent, bias = (weight.value for weight in gru.weights)
    inputs = tf.gather(tf.reshape(x, (30, FEATURES)), places) @ kernel + bias[0]
    first = None if first is None else tf.gather(first, packing.order)
    states = packed_gru(inputs, recurrent, bias[1], packing, first)
    return tf.reshape(tf.scatter_nd(places[:, None], states, (30, UNITS)), (5, 6, UNITS))


@pytest.mark.parametrize("first", [None, FIRST], ids=["zeros", "states"])
def test_states_and_gradients_are_those_of_keras(gru, first):
    results = []
    for run in (padded, packed):
        x, start = tf.constant(X), None if first is None else tf.constant(first)
        sources = [x, *(weight.value for weight in gru.weights), *([] if first is None else [start])]
        with tf.GradientTape() as tape:
            tape.watch([part for part in (x, start) if part is not None])
            states = tf.function(run)(gru, x, start)
            loss = tf.reduce_sum(states * WEIGHT)
        gradients = tape.gradient(loss, sources)
        results.append([states, *(tf.convert_to_tensor(gradient) for gradient in gradients)])
    for ours, expected in zip(*reversed(results), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)  # float32 sums in another order


def test_the_last_states_in_the_order_of_the_batch(gru):
    packing = Packing.of(tf.constant(LENGTHS))
    places = packing.pack(tf.reshape(tf.range(30), (5, 6)))
    states = padded(gru, X, FIRST)
    last = packing.last(tf.gather(tf.reshape(states, (30, UNITS)), places)).numpy()
    for row, length in enumerate(LENGTHS):
        expected = states[row, length - 1] if length else np.zeros(UNITS)
        np.testing.assert_array_equal(last[row], expected)
