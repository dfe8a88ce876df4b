"""Projection, shared heads, SimVQ, rotation, sampling, orthogonality and diversity, against numpy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import VectorQuantizer
from keras_ae.layers.bottlenecks._codebook import sample_codes
from keras_ae.losses import code_diversity_loss, orthogonality_loss
from keras_ae.ops import search as own
from keras_ae.ops.core import rotate_onto

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}  # float32 sums of some tens of terms of size 1


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def plain(size, **options):
    return VectorQuantizer(size, kmeans_samples=0, revival_threshold=0.0, seed=0, **options)


def nearest(x, codebook):
    return np.argmin(((x[:, None].astype("float64") - codebook) ** 2).sum(axis=-1), axis=1)


def test_codebook_dim_maps_to_the_codes_and_back():
    layer, x = plain(7, codebook_dim=2, num_heads=3), normal((5, 4, 10))
    embedding, codes = layer(x, return_codes=True)
    kernel, bias = (np.asarray(w, "float64") for w in layer.map_in.weights)
    inner = (x @ kernel + bias).reshape(20, 3, 2)
    expected = np.stack([nearest(inner[:, h], layer.codebook.numpy()[h]) for h in range(3)], axis=-1)
    np.testing.assert_array_equal(codes, expected.reshape(5, 4, 3))
    chosen = np.stack([layer.codebook.numpy()[h][expected[:, h]] for h in range(3)], axis=1)
    kernel, bias = (np.asarray(w, "float64") for w in layer.map_out.weights)
    np.testing.assert_allclose(
        embedding, (chosen.reshape(20, 6) @ kernel + bias).reshape(x.shape), **TOLERANCE
    )
    np.testing.assert_array_equal(layer.decode(codes), embedding)
    assert float(layer._terms["commitment_loss"].result()) == pytest.approx(
        ((inner - chosen) ** 2).mean(), rel=1e-5
    )


def test_codebook_dim_trains_both_maps():
    layer, x = plain(7, codebook_dim=2), tf.constant(normal((30, 10)))
    layer.build(x.shape)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum((layer(x, training=True) - x) ** 2) + tf.add_n(layer.losses)
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert len(gradients) == 4 and all(np.abs(gradient).max() > 1e-3 for gradient in gradients)


def test_a_shared_codebook_is_one_head_over_all_parts():
    shared, single = plain(6, num_heads=2, share_codebook=True), plain(6)
    x = normal((8, 5, 6))
    shared.build(x.shape)
    single.build((None, 3))
    single.set_weights(shared.get_weights())
    weights = np.random.default_rng(1).choice([0.0, 1.0, 2.0], 8)
    for _ in range(2):
        ours, codes = shared(x, training=True, sample_weight=weights, return_codes=True)
        parts = x.reshape(8, 10, 3)
        theirs, theirs_codes = single(parts, training=True, sample_weight=weights, return_codes=True)
        np.testing.assert_array_equal(codes, np.asarray(theirs_codes).reshape(8, 5, 2))
        np.testing.assert_array_equal(ours, np.asarray(theirs).reshape(x.shape))
    np.testing.assert_array_equal(shared.codebook, single.codebook)
    assert float(shared.usage.result()) == float(single.usage.result())
    np.testing.assert_array_equal(
        shared.decode(codes), np.asarray(single.decode(theirs_codes)).reshape(x.shape)
    )


def test_a_linear_codebook_moves_by_its_matrix_alone():
    layer, x = plain(5, linear_codebook=True, ema_decay=None), tf.constant(normal((40, 3)))
    layer.build(x.shape)
    np.testing.assert_array_equal(layer.table.code_vectors(), layer.codebook)  # W starts as the identity
    matrix = normal((1, 3, 3), seed=1)
    layer.table.transform.assign(matrix)
    fixed = layer.codebook.numpy()[0]
    with tf.GradientTape() as tape:
        _, codes = layer(x, training=True, return_codes=True)
        loss = tf.add_n(layer.losses)
    np.testing.assert_array_equal(codes, nearest(x.numpy(), fixed @ matrix[0]))
    assert [variable.path for variable in layer.trainable_variables] == [layer.table.transform.path]
    # d/dW mean (x - c W)^2
    chosen = fixed[np.asarray(codes)].astype("float64")
    expected = -2 * chosen.T @ (x.numpy() - chosen @ matrix[0]) / x.numpy().size
    np.testing.assert_allclose(tape.gradient(loss, layer.table.transform.value)[0], expected, **TOLERANCE)
    np.testing.assert_array_equal(layer.codebook[0], fixed)


def test_a_linear_codebook_starts_from_kmeans():
    layer = VectorQuantizer(4, linear_codebook=True, ema_decay=None, kmeans_samples=32, seed=0)
    centres = 5.0 * np.eye(4, dtype="float32")
    for step in range(4):
        x = np.repeat(centres, 4, axis=0) + 0.1 * normal((16, 4), seed=step)
        layer(x, training=True)
    found = np.asarray(layer.table.code_vectors())[0]
    np.testing.assert_allclose(found[np.argsort(np.argmax(found, axis=1))], centres, atol=0.15)


def rotation(x, q):
    """The matrix `|q|/|x| R` of the paper, float64."""
    x, q = x.astype("float64"), q.astype("float64")
    unit, to = x / np.linalg.norm(x), q / np.linalg.norm(q)
    axis = (unit + to) / np.linalg.norm(unit + to)
    matrix = np.eye(len(x)) - 2 * np.outer(axis, axis) + 2 * np.outer(to, unit)
    return np.linalg.norm(q) / np.linalg.norm(x) * matrix


def test_the_rotation_trick_turns_the_gradient_as_the_vector():
    layer = plain(5, gradient="rotation")
    x, weight = tf.constant(normal((6, 4))), normal((6, 4), seed=1)
    layer.build(x.shape)
    layer.codebook.assign(normal((1, 5, 4), seed=2))
    table = layer.codebook.numpy()[0]  # training moves it afterwards
    with tf.GradientTape() as tape:
        tape.watch(x)
        embedding, codes = layer(x, training=True, return_codes=True)
        loss = tf.reduce_sum(weight * embedding)
    gradient = tape.gradient(loss, x).numpy()
    chosen = table[np.asarray(codes)]
    np.testing.assert_allclose(embedding, chosen, **TOLERANCE)
    for row in range(6):
        matrix = rotation(x[row].numpy(), chosen[row])
        np.testing.assert_allclose(matrix @ x[row].numpy(), chosen[row], **TOLERANCE)
        np.testing.assert_allclose(gradient[row], matrix.T @ weight[row], **TOLERANCE)


@pytest.mark.parametrize(
    "x, q", [([0.0, 0.0], [1.0, 2.0]), ([1.0, 2.0], [0.0, 0.0]), ([1.0, 2.0], [-2.0, -4.0])]
)
def test_where_there_is_no_rotation_the_gradient_goes_straight_through(x, q):
    x, q = tf.constant([x]), tf.constant([q])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = rotate_onto(x, q)
        loss = tf.reduce_sum(y * [[3.0, 5.0]])
    np.testing.assert_array_equal(y, q)
    np.testing.assert_array_equal(tape.gradient(loss, x), [[3.0, 5.0]])


def test_sampled_codes_have_the_probabilities_of_the_softmax(monkeypatch):
    monkeypatch.setattr(own, "BLOCK_SCORES", 40_000)  # three blocks
    codes, vector, temperature = normal((4, 3)), normal((3,), seed=1), 2.0
    x = tf.tile(vector[None], (25_000, 1))
    drawn = sample_codes(x, tf.constant(codes), temperature, tf.constant([1, 2]))
    logits = -((vector - codes).astype("float64") ** 2).sum(axis=1) / temperature
    expected = np.exp(logits) / np.exp(logits).sum()
    share = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(share, expected, atol=0.012)  # four standard deviations of 25,000 draws
    halves = [np.bincount(half, minlength=4) for half in np.split(np.asarray(drawn), 2)]
    assert (halves[0] != halves[1]).any()  # blocks do not repeat their noise


def test_sampling_is_for_training_and_follows_its_schedule():
    schedule = keras.optimizers.schedules.PolynomialDecay(50.0, 3, 0.0)
    layer, x = plain(8, sampling_temperature=schedule), normal((400, 3))
    layer.build(x.shape)
    layer.set_codebook(normal((8, 3), seed=1))
    differing = []
    for _ in range(5):
        nearest_codes = np.asarray(layer.encode(x))
        np.testing.assert_array_equal(layer(x, return_codes=True)[1], nearest_codes)
        _, codes = layer(x, training=True, return_codes=True)
        differing.append(np.mean(np.asarray(codes) != nearest_codes))
    assert differing[0] > 0.6 and differing[4] == 0.0
    assert float(layer.sampling_temperature) == 0.0


def test_orthogonality_is_that_of_all_pairs():
    codes = normal((9, 4))
    unit = codes.astype("float64") / np.linalg.norm(codes, axis=1, keepdims=True)
    expected = ((unit @ unit.T - np.eye(9)) ** 2).sum() / 81
    np.testing.assert_allclose(orthogonality_loss(codes), expected, rtol=1e-5)


@pytest.mark.parametrize("block", [2**20, 24], ids=["one block", "blocks of four rows"])
def test_diversity_and_its_gradients_are_those_of_the_whole_table(block, monkeypatch):
    monkeypatch.setattr(own, "BLOCK_SCORES", block)
    x, codes = tf.constant(normal((10, 3))), tf.constant(normal((6, 3), seed=1))
    weights = np.array([1, 0, 2, 1, 0.5, 0, 1, 1, 1, 3], "float32")

    def table(x, codes):
        squared = tf.reduce_sum((x[:, None] - codes) ** 2, axis=-1)
        share = tf.reduce_sum(tf.nn.softmax(-squared / 0.7) * weights[:, None], axis=0) / weights.sum()
        return np.log(6) + tf.reduce_sum(share * tf.math.log(share))

    results = []
    for function in (table, lambda x, codes: code_diversity_loss(x, codes, weights, 0.7)):
        with tf.GradientTape() as tape:
            tape.watch([x, codes])
            loss = function(x, codes)
        results.append([loss, *tape.gradient(loss, [x, codes])])
    for expected, received in zip(*results, strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-4, atol=1e-6)


def test_terms_with_a_weight_are_in_the_loss_and_in_the_history():
    layer = plain(
        6,
        ema_decay=None,
        num_heads=2,
        orthogonality_weight=0.3,
        diversity_weight=0.2,
        diversity_temperature=0.5,
    )
    x = normal((20, 4))
    layer(x, training=True)
    terms = {name: float(metric.result()) for name, metric in layer._terms.items()}
    tables, parts = layer.codebook.numpy(), np.split(x, 2, axis=1)
    orthogonality = np.mean([orthogonality_loss(table) for table in tables])
    diversity = np.mean([code_diversity_loss(p, t, None, 0.5) for p, t in zip(parts, tables, strict=True)])
    assert terms["orthogonality_loss"] == pytest.approx(orthogonality, rel=1e-5)
    assert terms["diversity_loss"] == pytest.approx(diversity, rel=1e-5)
    expected = (
        0.25 * terms["commitment_loss"] + terms["codebook_loss"] + 0.3 * orthogonality + 0.2 * diversity
    )
    assert float(tf.add_n(layer.losses)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"gradient": "straight"}, "'straight_through' or 'rotation'"),
        ({"linear_codebook": True}, "ema_decay must be None with linear_codebook"),
        ({"orthogonality_weight": 0.1}, "ema_decay must be None with orthogonality_weight"),
        ({"codebook_dim": 0}, "codebook_dim must be at least 1"),
        ({"diversity_temperature": 0.0}, "diversity_temperature must be positive"),
        ({"sampling_temperature": "cold"}, "number or a keras.optimizers.schedules"),
    ],
    ids=str,
)
def test_settings_that_do_not_go_together_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        VectorQuantizer(8, **options)


def test_margins_need_no_table_of_vectors_by_codes_by_dim():
    layer, x = plain(9, num_heads=2), normal((30, 6))
    layer.build(x.shape)
    table = layer.codebook.numpy().astype("float64")
    squared = np.sort(((x.reshape(30, 2, 1, 3) - table) ** 2).sum(axis=-1), axis=-1)
    expected = (squared[..., 1] - squared[..., 0]) / squared[..., 1]
    np.testing.assert_allclose(layer.margin(x), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_no_wrong_code_at_mean_100_under_any_policy(dtype):
    layer = plain(256, dtype=dtype)
    layer.build((None, 64))
    layer.codebook.assign(normal((1, 256, 64), seed=1) + 100.0)
    x = tf.cast(normal((1000, 64)) + 100.0, layer.compute_dtype)  # what is lost here, the layer never had
    expected = nearest(np.asarray(x, "float64"), layer.codebook.numpy()[0])
    np.testing.assert_array_equal(layer.encode(x), expected)
    np.testing.assert_array_equal(layer(x, return_codes=True)[1], expected)


def test_the_former_name_of_the_codebook_in_losses_works_and_warns():
    x, codebook = tf.constant(normal((5, 3))), tf.constant(normal((4, 3), seed=1))
    with pytest.warns(DeprecationWarning, match="codes of orthogonality_loss is now codebook"):
        assert orthogonality_loss(codes=codebook) == orthogonality_loss(codebook)
    with pytest.warns(DeprecationWarning, match="codes of code_diversity_loss is now codebook"):
        assert code_diversity_loss(x, codes=codebook) == code_diversity_loss(x, codebook)
    with pytest.raises(TypeError, match="must be given codebook once. Received: codebook and codes"):
        orthogonality_loss(codebook=codebook, codes=codebook)
