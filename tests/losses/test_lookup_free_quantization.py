import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.losses import mean_sign_kl_to_uniform, sign_entropy
from keras_ae.losses.quantization import _groups


def normal(shape, seed=0, size=1.5):
    return (size * np.random.default_rng(seed).normal(size=shape)).astype("float32")


def softmax_over_all_codes(logits):
    """`(..., bits)` -> `(..., 2^bits)` by the definition, in float64."""
    codes = np.array(list(itertools.product([-1, 1], repeat=logits.shape[-1])))
    scores = logits.astype("float64") @ codes.T / 2
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def entropy(q):
    return -np.sum(q * np.log(np.maximum(q, 1e-300)), axis=-1)


@pytest.mark.parametrize("bits", range(1, 11))
def test_entropy_of_a_vector_is_that_of_the_softmax_over_all_codes(bits):
    logits = normal((20, 2, bits), seed=bits)
    expected = entropy(softmax_over_all_codes(logits))
    np.testing.assert_allclose(sign_entropy(logits), expected, rtol=1e-5)  # a float32 sum of <= 10 terms


@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 40, dtype="float32")], ids=["plain", "weighted"])
@pytest.mark.parametrize("bits", range(1, 11))
def test_divergence_of_the_batch_is_that_of_the_mean_softmax_over_all_codes(bits, weights):
    logits = normal((40, 2, bits), seed=bits)
    mean = np.average(softmax_over_all_codes(logits), axis=0, weights=weights)
    expected = (bits * np.log(2) - entropy(mean)).mean()
    # float32: the entropy of size bits log 2 is subtracted from a number of its size
    np.testing.assert_allclose(mean_sign_kl_to_uniform(logits, weights, bits), expected, atol=1e-5)


def test_gradients_are_those_of_the_definitions():
    bits, step = 5, 1e-4
    logits = normal((7, 1, bits))
    weights = np.linspace(0.5, 2, 7).astype("float32")

    def expected_values(x):
        q = softmax_over_all_codes(x)
        return entropy(q).sum(), -entropy(np.average(q, axis=0, weights=weights)).sum()

    with tf.GradientTape(persistent=True) as tape:
        inputs = tf.constant(logits)
        tape.watch(inputs)
        values = tf.reduce_sum(sign_entropy(inputs)), mean_sign_kl_to_uniform(inputs, weights)
    for index, value in enumerate(values):
        expected = np.zeros(logits.shape)
        for place in np.ndindex(logits.shape):
            moved = np.zeros(logits.shape)
            moved[place] = step
            high, low = (expected_values(logits + sign * moved)[index] for sign in (1, -1))
            expected[place] = (high - low) / (2 * step)
        np.testing.assert_allclose(tape.gradient(value, inputs), expected, rtol=1e-3, atol=1e-5)


def test_the_divergences_of_groups_are_added():
    logits = normal((30, 1, 7))
    halves = [mean_sign_kl_to_uniform(logits[..., part], None, 7) for part in (slice(4), slice(4, 7))]
    np.testing.assert_allclose(mean_sign_kl_to_uniform(logits, None, 4), sum(halves), rtol=1e-5)
    assert mean_sign_kl_to_uniform(logits, None, 1) < sum(halves) < mean_sign_kl_to_uniform(logits, None, 7)


@pytest.mark.parametrize(
    "bits, group_bits, sizes",
    [
        (6, 6, [6]),
        (6, 13, [6]),
        (18, 13, [9, 9]),
        (7, 3, [2, 3, 2]),
        (31, 13, [10, 11, 10]),
        (3, 1, [1, 1, 1]),
    ],
)
def test_groups_are_as_few_as_possible_and_of_nearly_equal_size(bits, group_bits, sizes):
    groups = _groups(bits, group_bits)
    assert [stop - start for start, stop in groups] == sizes
    assert [start for start, _ in groups] == [0, *(stop for _, stop in groups[:-1])]
    assert groups[-1][1] == bits


def test_both_are_at_their_best_where_sure_vectors_use_all_codes_alike():
    codes = 20.0 * np.array(list(itertools.product([-1, 1], repeat=3)), "float32")[:, None]
    np.testing.assert_allclose(sign_entropy(codes), np.zeros((8, 1)), atol=1e-5)
    np.testing.assert_allclose(mean_sign_kl_to_uniform(codes), 0, atol=1e-5)
    # all the same code: sure, but the batch could not be farther from uniform
    np.testing.assert_allclose(mean_sign_kl_to_uniform(codes[:1]), 3 * np.log(2), rtol=1e-5)
    # all undecided: uniform at once, but not sure
    np.testing.assert_allclose(sign_entropy(0 * codes), np.full((8, 1), 3 * np.log(2)), rtol=1e-5)
    np.testing.assert_allclose(mean_sign_kl_to_uniform(0 * codes), 0, atol=1e-6)


@pytest.mark.parametrize("size", [1e2, 1e6, 1e30])
def test_saturated_logits_have_finite_values_and_gradients(size):
    inputs = tf.constant(normal((9, 2, 6), size=size))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        values = tf.reduce_sum(sign_entropy(inputs)), mean_sign_kl_to_uniform(inputs)
    for value in values:
        assert np.isfinite(value)
        assert np.isfinite(tape.gradient(value, inputs)).all()


def test_where_nothing_is_real_the_divergence_is_zero():
    inputs = tf.constant(normal((5, 1, 4)))
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        value = mean_sign_kl_to_uniform(inputs, np.zeros(5, "float32"))
    assert value == 0
    np.testing.assert_array_equal(tape.gradient(value, inputs), np.zeros((5, 1, 4)))


def test_many_bits_take_no_table_of_the_codes():
    value = mean_sign_kl_to_uniform(normal((50, 1, 31)))
    assert 0 < value < 31 * np.log(2)
