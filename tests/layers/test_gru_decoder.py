"""The decoder's GRU: against a loop in numpy, against Keras' own, step by step as at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import GRUDecoder, GRUStep

RNG = np.random.default_rng(0)
WORDS = RNG.normal(size=(3, 6, 5)).astype("float32")
VECTOR = RNG.normal(size=(3, 4)).astype("float32")
OPTIONS = [("state", 4), ("state", 7), ("every_step", 4), ("every_step", 7)]


def made(conditioning, units):
    layer = GRUDecoder(units, conditioning=conditioning)
    layer.build(WORDS.shape, VECTOR.shape)
    layer.set_weights([RNG.normal(size=weight.shape) / 2 for weight in layer.get_weights()])
    return layer


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(layer, words, vector):
    """One example, word by word, each gate by itself; the equations of the released code."""
    units = layer.units
    w_z, w_r, w_h = np.split(np.asarray(layer.kernel), 3, axis=1)
    u_z, u_r, u_h = np.split(np.asarray(layer.cell.recurrent_kernel), 3, axis=1)
    b_z, b_r, b_h = np.split(np.asarray(layer.bias), 3)
    c_z = c_r = c_h = np.zeros((4, units))
    if layer.conditioning == "every_step":
        c_z, c_r, c_h = np.split(np.asarray(layer.condition), 3, axis=1)
        h = np.zeros(units)
    elif units == len(vector):
        h = vector
    else:
        kernel, bias = layer.projection.get_weights()
        h = np.tanh(vector @ kernel + bias)
    states = []
    for x in words:
        z = sigmoid(x @ w_z + h @ u_z + vector @ c_z + b_z)
        r = sigmoid(x @ w_r + h @ u_r + vector @ c_r + b_r)
        candidate = np.tanh(x @ w_h + r * (h @ u_h) + vector @ c_h + b_h)
        h = z * h + (1 - z) * candidate
        states.append(h)
    return np.array(states)


@pytest.mark.parametrize("conditioning, units", OPTIONS)
def test_it_is_the_loop_written_out(conditioning, units):
    layer = made(conditioning, units)
    states = np.asarray(layer(WORDS, VECTOR))
    assert states.shape == layer.compute_output_shape(WORDS.shape, VECTOR.shape)
    for words, vector, found in zip(WORDS, VECTOR, states, strict=True):
        np.testing.assert_allclose(found, by_hand(layer, words, vector), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("conditioning, units", OPTIONS)
def test_one_word_at_a_time_is_all_at_once(conditioning, units):
    layer = made(conditioning, units)
    state, given = layer.start(VECTOR)
    for t, expected in enumerate(np.moveaxis(np.asarray(layer(WORDS, VECTOR)), 1, 0)):
        state = layer.step(WORDS[:, t], state, given)
        np.testing.assert_allclose(state, expected, atol=1e-6)


@pytest.mark.parametrize("conditioning, units", OPTIONS)
def test_lengths_leave_steps_out_and_change_no_other(conditioning, units):
    layer, lengths = made(conditioning, units), np.array([6, 1, 4], "int32")
    mask = tf.sequence_mask(lengths, 6)[..., None]
    runs = (
        lambda words, vector: layer(words, vector, lengths),
        lambda words, vector: tf.where(mask, layer(words, vector), 0.0),
    )
    sides = []
    for run in runs:
        words, vector = tf.constant(WORDS), tf.constant(VECTOR)
        with tf.GradientTape() as tape:
            tape.watch([words, vector])
            states = run(words, vector)
            loss = tf.reduce_sum(states * tf.cos(tf.range(6.0))[None, :, None])
        gradients = tape.gradient(loss, [words, vector, *layer.trainable_variables])
        sides.append([states, *(tf.convert_to_tensor(gradient) for gradient in gradients)])
    for ours, expected in zip(*sides, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)  # sums in another order


def test_it_is_the_gru_of_keras():
    layer = made("state", 4)
    keras_gru = keras.layers.GRU(4, return_sequences=True, reset_after=True)
    keras_gru.build(WORDS.shape)
    kernel, bias, recurrent = (np.asarray(w) for w in (layer.kernel, layer.bias, layer.cell.recurrent_kernel))
    keras_gru.set_weights([kernel, recurrent, np.stack([bias, np.zeros_like(bias)])])
    expected = keras_gru(WORDS, initial_state=VECTOR)
    np.testing.assert_allclose(layer(WORDS, VECTOR), expected, atol=1e-6)


def test_a_state_knows_no_later_word():
    layer = made("every_step", 4)
    other = WORDS.copy()
    other[:, 3:] = 9
    np.testing.assert_array_equal(layer(other, VECTOR)[:, :3], layer(WORDS, VECTOR)[:, :3])


def test_told_at_every_step_it_starts_deaf_to_the_vector_and_learns_to_hear_it():
    layer = GRUDecoder(4, conditioning="every_step")
    with tf.GradientTape() as tape:
        states = layer(WORDS, VECTOR)
        loss = tf.reduce_sum(states * tf.cos(tf.range(6.0))[None, :, None])
    np.testing.assert_array_equal(layer(WORDS, 9 * VECTOR), states)
    assert np.all(np.asarray(tape.gradient(loss, layer.condition)) != 0)


def test_recurrent_matrices_start_orthogonal():
    cell = GRUStep(5)
    cell.build((None, 15))
    for matrix in np.split(np.asarray(cell.recurrent_kernel), 3, axis=1):
        np.testing.assert_allclose(matrix.T @ matrix, np.eye(5), atol=1e-5)


@pytest.mark.parametrize("conditioning, units", OPTIONS)
def test_round_trip(conditioning, units, check_round_trip, tmp_path):
    layer = GRUDecoder(units, conditioning=conditioning)
    check_round_trip(layer, WORDS, VECTOR, path=str(tmp_path / "model.keras"))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"units": 0}, "at least 1"),
        ({"units": 4, "conditioning": "all"}, "every_step"),
    ],
)
def test_impossible_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        GRUDecoder(**options)
