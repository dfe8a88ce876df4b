import keras
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
    with pytest.raises(ValueError, match=f"bytes per code of {bits} bits. Received: 2 bytes per code"):
        BinaryBottleneck.unpack(np.zeros((3, 2), "uint8"), bits)


def test_an_unknown_number_of_bits_is_refused():
    with pytest.raises(ValueError, match="known number of bits.*Received"):
        BinaryBottleneck().build((None, None))


SAMPLES = 20_000
LOGITS = np.array([-2.0, -0.5, 0.0, 1.0], "float32")


def gradient_of(layer, x, weight):
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        embedding, codes = layer(inputs, training=True, return_codes=True)
        loss = tf.reduce_sum(weight * embedding)
    return embedding.numpy(), codes.numpy(), tape.gradient(loss, inputs).numpy()


@pytest.mark.parametrize("temperature", [0.5, 1.5])
def test_relaxed_bits_follow_the_relaxed_bernoulli_distribution(temperature):
    """`temperature logit(y) - logit` is logistic."""
    layer = BinaryBottleneck(estimator="gumbel", straight_through=False, temperature=temperature, seed=0)
    ours, codes = layer(np.tile(LOGITS, (SAMPLES, 1)), training=True, return_codes=True)
    np.testing.assert_array_equal(codes, np.asarray(ours) > 0.5)
    ours = np.clip(np.asarray(ours, "float64"), 1e-30, 1 - 1e-16)
    logistic = np.sort(temperature * (np.log(ours) - np.log1p(-ours)) - LOGITS, axis=0)
    places = (np.arange(SAMPLES)[:, None] + 0.5) / SAMPLES
    # float32 has few numbers near 1; Kolmogorov and Smirnov: 1.95 / sqrt(n) is passed once in a thousand
    distance = np.where(np.abs(logistic) < 6, np.abs(sigmoid(logistic) - places), 0).max(axis=0)
    assert (distance < 1.95 / np.sqrt(SAMPLES)).all()


@pytest.mark.parametrize("hard", [True, False])
def test_gradient_of_relaxed_bits(hard, monkeypatch):
    x, weight = normal((6, 5)), normal((6, 5), seed=1)
    uniform = np.random.default_rng(2).random((6, 5)).astype("float32")
    layer = BinaryBottleneck(estimator="gumbel", straight_through=hard, temperature=0.7)
    monkeypatch.setattr(layer, "uniform", lambda shape: tf.constant(uniform))
    embedding, codes, gradient = gradient_of(layer, x, weight)
    noisy = x + np.log(uniform) - np.log1p(-uniform)
    soft = sigmoid(noisy / 0.7)
    np.testing.assert_array_equal(codes, noisy > 0)
    np.testing.assert_allclose(embedding, codes if hard else soft, atol=1e-5)
    np.testing.assert_allclose(gradient, weight * soft * (1 - soft) / 0.7, rtol=1e-4, atol=1e-5)


def test_slope_of_the_gradient_is_annealed_by_a_schedule():
    schedule = keras.optimizers.schedules.ExponentialDecay(1.0, 1, 0.5)
    layer, x = BinaryBottleneck(stochastic=True, temperature=schedule, seed=0), normal((6, 5))
    for temperature in (1.0, 0.5, 0.25):
        _, _, gradient = gradient_of(layer, x, 1.0)
        p = sigmoid(x / temperature)
        np.testing.assert_allclose(gradient, p * (1 - p) / temperature, rtol=1e-4, atol=1e-6)
    assert int(layer.annealing.step) == 3


def test_semantic_hashing_mixes_hard_and_saturated_bits_of_noisy_logits():
    layer, x = BinaryBottleneck(estimator="semantic_hashing", seed=0), np.tile(LOGITS, (SAMPLES, 1))
    embedding, codes, gradient = gradient_of(layer, x, 1.0)
    whole = np.isin(embedding.round(6), (0, 1)).all(axis=1)
    soft = embedding[~whole]
    # a fair coin for each position; a saturated sigmoid is 0 or 1 in all four bits now and then
    assert 0.49 < whole.mean() < 0.53
    np.testing.assert_array_equal(codes[~whole], soft > 0.5)
    np.testing.assert_array_equal(codes[whole], embedding[whole].round())
    # noise of variance 1: P(bit) = Phi(logit)
    normal_cdf = [0.02275, 0.30854, 0.5, 0.84134]
    np.testing.assert_allclose(codes.mean(axis=0), normal_cdf, atol=4.5 * 0.5 / np.sqrt(SAMPLES))
    inside = (soft > 0) & (soft < 1)
    y = (soft + 0.1) / 1.2  # the sigmoid itself
    np.testing.assert_allclose(gradient[~whole], np.where(inside, 1.2 * y * (1 - y), 0), atol=1e-3)
    assert np.abs(gradient[whole]).max() > 0.2  # the hard ones pass the same gradient
    np.testing.assert_array_equal(layer(x), x > 0)


@pytest.mark.slow
def test_a_learned_prior_finds_the_frequencies_of_the_bits():
    x = np.tile(LOGITS, (8, 1))
    layer = BinaryBottleneck(prior="learned", kl_weight=1.0)
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(150):
        with tf.GradientTape() as tape:
            layer(x, training=True)
            loss = tf.add_n(layer.losses)
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
    np.testing.assert_allclose(layer.prior_logits, LOGITS, atol=0.05)
    np.testing.assert_allclose(layer.draw_prior((SAMPLES,)).numpy().mean(axis=0), sigmoid(LOGITS), atol=0.03)


def test_probabilities_of_codes_are_those_of_independent_bits(tfd):
    layer, x = BinaryBottleneck(seed=0), normal((3, 4))
    codes = layer.encode(normal((3, 4), seed=1))
    expected = tfd.Bernoulli(logits=x).log_prob(codes).numpy().sum(axis=-1)
    np.testing.assert_allclose(layer.log_prob(x, codes), expected, rtol=1e-5)
    np.testing.assert_allclose(layer.prior_log_prob(codes), [-4 * np.log(2)] * 3, rtol=1e-5)


def test_free_bits_balance_and_decorrelation_are_added():
    x, mask = 2 * normal((3, 5, 4)), np.random.default_rng(1).random((3, 5)) < 0.6
    options = {"balance_weight": 0.3, "decorrelation_weight": 0.2, "kl_weight": 0.1, "free_bits": 1.5}
    layer = BinaryBottleneck(**options)
    layer(x, mask=mask)
    p = sigmoid(x[mask])
    divergence = np.log(2) + p * np.log(p) + (1 - p) * np.log(1 - p)
    excess = np.maximum(divergence.sum(axis=-1) - 1.5 * np.log(2), 0).mean()
    covariance = np.cov((2 * p - 1).T, ddof=0)[~np.eye(4, dtype=bool)]
    expected = 0.1 * excess + 0.3 * np.mean((2 * p - 1).mean(axis=0) ** 2) + 0.2 * np.mean(covariance**2)
    np.testing.assert_allclose(layer.losses, [expected], rtol=1e-4)
    assert measured(layer)["kl_loss"] == pytest.approx(divergence.sum(axis=-1).mean(), rel=1e-4)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"estimator": "softmax"}, "estimator must be one of"),
        ({"straight_through": False}, "straight_through=False, because the others have no soft samples"),
        ({"temperature": 0.0}, "temperature must be a positive number"),
    ],
    ids=str,
)
def test_impossible_settings_are_named(options, message):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        BinaryBottleneck(**options)
