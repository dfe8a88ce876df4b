import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import LookupFreeQuantizer


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def measured(layer):
    return {metric.name: float(metric.result()) for metric in layer.metrics}


def expected_terms(x, bits, scale, inverse_temperature, weights=None):
    """Of `(vectors, bits)` by the softmax over all codes in float64: entropy, divergence, commitment."""
    codes = scale * np.array(list(itertools.product([-1, 1], repeat=bits)))
    x = x.astype("float64")
    distances = ((x[:, None] - codes) ** 2).sum(axis=-1)
    scores = -inverse_temperature * distances
    q = np.exp(scores - scores.max(axis=-1, keepdims=True))
    q /= q.sum(axis=-1, keepdims=True)
    mean = np.average(q, axis=0, weights=weights)

    def entropy(q):
        return -np.sum(q * np.log(np.maximum(q, 1e-300)), axis=-1)

    squared = ((x - codes[distances.argmin(axis=-1)]) ** 2).mean(axis=-1)
    return {
        "entropy_loss": np.average(entropy(q), weights=weights),
        "diversity_loss": bits * np.log(2) - entropy(mean),
        "commitment_loss": np.average(squared, weights=weights),
    }


def test_codes_are_the_signs_with_the_first_channel_lowest():
    layer, x = LookupFreeQuantizer(9), normal((40, 9))
    codes = layer.encode(x)
    np.testing.assert_array_equal(codes, (x > 0) @ (2 ** np.arange(9)))
    np.testing.assert_array_equal(layer.decode(codes), np.where(x > 0, 1.0, -1.0))
    np.testing.assert_array_equal(layer(x), np.sign(x))
    np.testing.assert_array_equal(layer.encode(layer.decode(np.arange(2**9))), np.arange(2**9))


def test_zero_is_the_lower_sign():
    np.testing.assert_array_equal(LookupFreeQuantizer(2)(np.array([[0.0, -0.0]])), [[-1, -1]])


@pytest.mark.parametrize("bits", [1, 5, 10])
@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_terms_are_those_of_the_softmax_over_all_codes(bits, spherical, training):
    layer = LookupFreeQuantizer(
        bits,
        entropy_weight=0.3,
        diversity_weight=0.7,
        commitment_cost=0.2,
        inverse_temperature=0.8,
        spherical=spherical,
    )
    x = normal((3, 9, bits))
    layer(x, training=training)
    rows = x.reshape(-1, bits)
    if spherical:
        rows = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    terms = expected_terms(rows, bits, bits**-0.5 if spherical else 1.0, 0.8)
    for name, value in terms.items():
        assert measured(layer)[name] == pytest.approx(value, rel=1e-4, abs=1e-5)
    total = 0.3 * terms["entropy_loss"] + 0.7 * terms["diversity_loss"] + 0.2 * terms["commitment_loss"]
    np.testing.assert_allclose(layer.losses, [total], rtol=1e-4, atol=1e-5)


def test_terms_of_heads_are_averaged_and_codes_are_apart():
    layer, x = LookupFreeQuantizer(3, num_heads=2, inverse_temperature=1.0), normal((20, 6))
    codes = layer.encode(x)
    assert codes.shape == (20, 2)
    layer(x)
    parts = [expected_terms(x[:, part], 3, 1.0, 1.0) for part in (slice(3), slice(3, 6))]
    for name in parts[0]:
        assert measured(layer)[name] == pytest.approx((parts[0][name] + parts[1][name]) / 2, rel=1e-4)
    for head in range(2):
        np.testing.assert_array_equal(
            codes[:, head], LookupFreeQuantizer(3).encode(x[:, 3 * head : 3 * head + 3])
        )


def test_weights_reach_every_term():
    layer, x = LookupFreeQuantizer(4, inverse_temperature=1.0), normal((12, 4))
    weights = np.linspace(0, 1, 12).astype("float32")
    layer(x, sample_weight=weights, training=True)
    for name, value in expected_terms(x, 4, 1.0, 1.0, weights).items():
        assert measured(layer)[name] == pytest.approx(value, rel=1e-4)


def test_gradient_of_the_embedding_is_handed_on_unchanged():
    layer, x, weight = LookupFreeQuantizer(5), tf.constant(normal((6, 5))), normal((6, 5), seed=1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(weight * layer(x, training=True))
    np.testing.assert_array_equal(tape.gradient(loss, x), weight)


def descend(x, steps=100, rate=1.0, **options):
    """`x` after gradient descent on the losses of the layer alone."""
    layer = LookupFreeQuantizer(x.shape[-1], inverse_temperature=1.0, commitment_cost=0.0, **options)
    rate, x = rate * len(x), tf.Variable(x)  # the terms are means over the vectors
    layer.build(x.shape)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            layer(x, training=True)
            loss = tf.add_n(layer.losses)
        x.assign_sub(rate * tape.gradient(loss, x))

    for _ in range(steps):
        step()
    return layer, x.numpy()


def test_the_entropy_term_makes_vectors_sure_of_the_code_they_have():
    x = 0.2 * normal((30, 3))
    _, moved = descend(x, entropy_weight=0.1, diversity_weight=0.0)
    np.testing.assert_array_equal(moved > 0, x > 0)
    assert (np.abs(moved) > np.abs(x)).all()


def test_the_diversity_term_spreads_a_collapsed_batch_over_the_codes():
    x = 0.5 + 0.1 * normal((64, 3))
    layer, moved = descend(x, entropy_weight=0.1, diversity_weight=0.3)
    assert len(np.unique(layer.encode(x))) == 1
    assert len(np.unique(layer.encode(moved))) == 8
    _, without = descend(x, entropy_weight=0.1, diversity_weight=0.0)
    assert len(np.unique(layer.encode(without))) == 1


def test_without_diversity_weight_it_is_not_computed():
    layer = LookupFreeQuantizer(31, diversity_weight=0.0, entropy_group_bits=31)  # 2^31 means would not fit
    layer(normal((4, 31)), training=True)
    assert {"entropy_loss", "commitment_loss", "usage", "perplexity"} == measured(layer).keys()


def test_spherical_vectors_and_codes_have_unit_length_and_zero_has_a_gradient():
    layer, x = LookupFreeQuantizer(4, num_heads=2, spherical=True), normal((10, 8))
    np.testing.assert_allclose(np.linalg.norm(layer(x).numpy().reshape(-1, 4), axis=-1), 1, rtol=1e-6)
    np.testing.assert_array_equal(layer.encode(x), layer.encode(7 * x))
    zeros = tf.zeros((2, 8))
    with tf.GradientTape() as tape:
        tape.watch(zeros)
        loss = tf.reduce_sum(layer(zeros, training=True)) + tf.add_n(layer.losses)
    assert np.isfinite(tape.gradient(loss, zeros)).all()


def test_another_last_axis_is_mapped_in_and_out_by_learned_weights():
    layer, x = LookupFreeQuantizer(4), normal((3, 5, 7))
    codes = layer.encode(x)
    layer.bias_in.assign(normal((4,)))
    inner = x @ np.asarray(layer.kernel_in) + np.asarray(layer.bias_in)
    assert not np.array_equal(codes, layer.encode(x))
    np.testing.assert_array_equal(layer.encode(x), (inner > 0) @ (2 ** np.arange(4)))
    np.testing.assert_allclose(
        layer(x), np.sign(inner) @ np.asarray(layer.kernel_out) + np.asarray(layer.bias_out), atol=1e-6
    )
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, training=True) ** 2) + tf.add_n(layer.losses)
    assert all(np.abs(each).max() > 0 for each in tape.gradient(loss, layer.trainable_variables))


def test_metrics_count_codes_and_of_very_many_codes_the_bits():
    x = normal((50, 20))
    few, many = LookupFreeQuantizer(4), LookupFreeQuantizer(20)
    few(x[:, :4]), many(x)
    share = np.bincount(few.encode(x[:, :4]), minlength=16) / 50
    assert measured(few)["usage"] == pytest.approx(np.mean(share > 0))
    assert few.usage.counts.shape == (1, 16)
    assert many.usage.counts.shape == (20, 2)
    np.testing.assert_array_equal(many.usage.counts[:, 1], (x > 0).sum(axis=0))
    assert measured(many)["usage"] == 1
    assert many.num_values == 2**20


def test_31_bits_are_the_most():
    layer = LookupFreeQuantizer(31)
    x = normal((20, 31))
    codes = layer.encode(np.concatenate([x, np.ones((1, 31), "float32")]))
    assert int(codes[-1]) == 2**31 - 1
    np.testing.assert_array_equal(layer.decode(codes[:-1]), np.sign(x))
    with pytest.raises(ValueError, match="at most 31 bits.*Received.*32.0 bits.*num_heads"):
        LookupFreeQuantizer(32)


@pytest.mark.parametrize(
    "options", [{"bits": 0}, {"entropy_group_bits": 0}, {"inverse_temperature": 0.0}], ids=str
)
def test_wrong_arguments_are_named(options):
    with pytest.raises(ValueError, match="at least 1.*positive.*Received"):
        LookupFreeQuantizer(**{"bits": 4, **options})


def test_the_margin_is_the_least_channel_relative_to_the_largest():
    layer, x = LookupFreeQuantizer(3, num_heads=2), normal((10, 6))
    layer.build(x.shape)
    size = np.abs(x.reshape(10, 2, 3))
    np.testing.assert_allclose(layer.margin(x), size.min(axis=-1) / size.max(axis=-1), rtol=1e-6)
    # on the sphere the ratio is the same
    sphere = LookupFreeQuantizer(3, num_heads=2, spherical=True)
    sphere.build(x.shape)
    np.testing.assert_allclose(sphere.margin(x), layer.margin(x), rtol=1e-5)
