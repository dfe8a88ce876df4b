import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import BinaryBottleneck


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype("float64")))


def measured(layer):
    return {metric.name: float(metric.result()) for metric in layer.metrics}


def test_bits_are_one_above_a_probability_of_a_half():
    layer = BinaryBottleneck()
    x = np.array([[-5.0, -1e-6, 0.0, 1e-6, 5.0]], "float32")
    expected = [[0, 0, 0, 1, 1]]
    np.testing.assert_array_equal(layer.encode(x), expected)
    for training in (True, False):
        embedding, codes = layer(x, training=training, return_codes=True)
        np.testing.assert_array_equal(codes, expected)
        np.testing.assert_allclose(embedding, expected, atol=1e-6)  # the straight-through sum rounds
    np.testing.assert_array_equal(layer(x), expected)


@pytest.mark.parametrize("stochastic", [True, False])
def test_gradient_is_that_of_the_sigmoid(stochastic):
    layer, x, weight = BinaryBottleneck(stochastic=stochastic, seed=0), normal((6, 5)), normal((6, 5), seed=1)
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(weight * layer(inputs, training=True))
    expected = weight * sigmoid(x) * (1 - sigmoid(x))
    np.testing.assert_allclose(tape.gradient(loss, inputs), expected, rtol=1e-5, atol=1e-7)


def test_drawn_bits_have_the_frequencies_of_the_bernoulli_distribution_and_are_independent():
    samples, logits = 20_000, np.array([-2.0, -0.5, 0.0, 1.0], "float32")
    layer = BinaryBottleneck(stochastic=True, seed=0)
    embedding, codes = layer(np.tile(logits, (samples, 1)), training=True, return_codes=True)
    codes = np.asarray(codes, "float64")
    np.testing.assert_allclose(embedding, codes, atol=1e-6)
    # 4.5 standard errors, a bit of 0.5 having the largest
    np.testing.assert_allclose(codes.mean(axis=0), sigmoid(logits), atol=4.5 * 0.5 / np.sqrt(samples))
    correlation = np.corrcoef(codes.T) - np.eye(4)
    np.testing.assert_allclose(correlation, 0, atol=4.5 / np.sqrt(samples))


def test_inference_of_a_stochastic_layer_thresholds():
    layer, x = BinaryBottleneck(stochastic=True, seed=0), normal((50, 4))
    for _ in range(2):
        np.testing.assert_array_equal(layer(x, training=False), x > 0)


@pytest.mark.parametrize("training", [True, False])
def test_losses_are_divergence_and_entropy_of_the_bernoulli_distributions(training, tfd):
    layer, x = (
        BinaryBottleneck(kl_weight=0.3, entropy_weight=0.2, stochastic=True, seed=0),
        2 * normal((3, 5, 4)),
    )
    layer(x, training=training)
    bits = tfd.Bernoulli(logits=x)
    divergence = tfd.kl_divergence(bits, tfd.Bernoulli(probs=0.5)).numpy().sum(axis=-1).mean()
    entropy = bits.entropy().numpy().sum(axis=-1).mean()
    assert measured(layer)["kl_loss"] == pytest.approx(divergence, rel=1e-5)
    np.testing.assert_allclose(layer.losses, [0.3 * divergence + 0.2 * entropy], rtol=1e-5)


def test_without_weights_nothing_is_trained():
    layer = BinaryBottleneck()
    layer(normal((3, 4)), training=True)
    assert layer.losses == []
    assert measured(layer)["kl_loss"] > 0


def test_usage_counts_pairs_of_bit_and_value_and_perplexity_values_per_bit():
    x = np.array([[1, 1, -1], [1, -1, -1], [1, 1, -1], [1, -1, -1]], "float32")  # constant, fair, constant
    layer = BinaryBottleneck()
    layer(x)
    assert measured(layer)["usage"] == pytest.approx(4 / 6)
    assert measured(layer)["perplexity"] == pytest.approx((1 + 2 + 1) / 3, rel=1e-5)


@pytest.mark.parametrize("bits", [1, 7, 8, 9, 16, 20])
def test_bytes_hold_the_bits(bits):
    codes = np.random.default_rng(bits).integers(0, 2, (3, 4, bits)).astype("int32")
    packed = BinaryBottleneck.pack(codes)
    assert packed.dtype == np.uint8
    assert packed.shape == (3, 4, -(-bits // 8))
    # the first bit is the highest of its byte
    padded = np.concatenate([codes, np.zeros((3, 4, -bits % 8), "int32")], axis=-1).reshape(3, 4, -1, 8)
    np.testing.assert_array_equal(packed, padded @ (2 ** np.arange(7, -1, -1)))
    unpacked = BinaryBottleneck.unpack(packed, bits)
    assert unpacked.dtype == np.int32
    np.testing.assert_array_equal(unpacked, codes)


def test_pack_takes_the_codes_of_the_layer():
    layer, x = BinaryBottleneck(), normal((5, 12))
    codes = layer.encode(x)
    unpacked = layer.unpack(layer.pack(codes), 12)
    np.testing.assert_array_equal(layer.decode(unpacked), layer(x))


@pytest.mark.parametrize("bits", [0, 8, 17])
def test_bits_that_do_not_fill_the_bytes_are_refused(bits):
    with pytest.raises(ValueError, match=f"{bits} bits take .* Received: 2 bytes a code"):
        BinaryBottleneck.unpack(np.zeros((3, 2), "uint8"), bits)


def test_an_unknown_number_of_bits_is_refused():
    with pytest.raises(ValueError, match="known number of bits.*Received"):
        BinaryBottleneck().build((None, None))
