"""Residual quantisation against numpy, level by level."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import ResidualVectorQuantizer, VectorQuantizer

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}  # float32 sums of some tens of terms of size 1
LEVELS = 3


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def quantizer(dim=4, levels=LEVELS, size=5, **options):
    options = {"kmeans_samples": 0, "revival_threshold": 0.0, "seed": 0, **options}
    layer = ResidualVectorQuantizer(size, levels, **options)
    layer.build((None, None, dim))
    for level, table in enumerate(layer.tables):
        codes = normal((1, size, table.dim), seed=50 + level) / (level + 1)
        table.set_vectors(codes, np.ones((1, size), "float32"))
    return layer


def walk(x, tables):
    """`(codes (n, levels), chosen [(n, dim)], residuals [(n, dim)])` in float64."""
    residual, codes, chosen, residuals = x.astype("float64"), [], [], []
    for table in tables:
        code = np.argmin(((residual[:, None] - table) ** 2).sum(axis=-1), axis=1)
        residuals.append(residual)
        codes.append(code)
        chosen.append(table[code].astype("float64"))
        residual = residual - chosen[-1]
    return np.stack(codes, axis=-1), chosen, residuals


def tables_of(layer):
    return [table.vectors.numpy()[0] for table in layer.tables]


def test_each_level_quantises_what_the_ones_before_left():
    layer, x = quantizer(), normal((2, 7, 4))
    codes, chosen, _ = walk(x.reshape(14, 4), tables_of(layer))
    embedding, ours = layer(x, return_codes=True)
    np.testing.assert_array_equal(ours, codes.reshape(2, 7, LEVELS))
    np.testing.assert_allclose(embedding, sum(chosen).reshape(x.shape), **TOLERANCE)
    for levels in (1, 2, 3):
        np.testing.assert_allclose(
            layer.decode(ours[..., :levels]), sum(chosen[:levels]).reshape(x.shape), **TOLERANCE
        )


@pytest.mark.parametrize("ema_decay", [0.99, None])
def test_every_level_sends_its_gradient_to_the_input(ema_decay):
    layer, x = quantizer(ema_decay=ema_decay, commitment_cost=0.3), tf.constant(normal((1, 9, 4)))
    tables = tables_of(layer)
    with tf.GradientTape() as tape:
        tape.watch(x)
        layer(x, training=True)
        loss = tf.add_n(layer.losses)
    watched = [x] if ema_decay else [x, *(table.vectors.value for table in layer.tables)]
    gradients = tape.gradient(loss, watched)
    codes, chosen, residuals = walk(x.numpy()[0], tables)
    errors = [residual - code for residual, code in zip(residuals, chosen, strict=True)]
    squared = sum((error**2).mean() for error in errors)
    assert float(loss) == pytest.approx((0.3 if ema_decay else 1.3) * squared, rel=1e-5)
    np.testing.assert_allclose(
        gradients[0][0], sum(0.3 * 2 * error / error.size for error in errors), **TOLERANCE
    )
    for level in range(LEVELS):
        assert np.abs(errors[level]).max() > 0.1  # none of the terms vanishes
        if not ema_decay:
            expected = np.zeros_like(tables[level], "float64")
            np.add.at(expected, codes[:, level], -2 * errors[level] / errors[level].size)
            received = tf.convert_to_tensor(gradients[1 + level])[0]
            np.testing.assert_allclose(received, expected, **TOLERANCE)


def test_the_gradient_of_the_embedding_is_handed_to_the_input():
    layer, x = quantizer(), tf.constant(normal((2, 3, 4)))
    with tf.GradientTape() as tape:
        tape.watch(x)
        embedding = layer(x, training=True)
        loss = tf.reduce_sum(embedding**3)
    to_x, to_embedding = tape.gradient(loss, [x, embedding])
    np.testing.assert_array_equal(to_x, to_embedding)


def test_running_means_of_every_level():
    layer, x = quantizer(ema_decay=0.8), normal((1, 30, 4))
    tables = tables_of(layer)
    codes, _, residuals = walk(x[0], tables)
    layer(x, training=True)
    for level, table in enumerate(layer.tables):
        counts = 0.8 + 0.2 * np.bincount(codes[:, level], minlength=5)
        sums = 0.8 * tables[level].astype("float64")
        np.add.at(sums, codes[:, level], 0.2 * residuals[level])
        np.testing.assert_allclose(table.counts[0], counts, **TOLERANCE)
        np.testing.assert_allclose(table.vectors[0], sums / counts[:, None], **TOLERANCE)


def test_dropout_leaves_out_the_last_levels_of_an_example():
    layer, x = quantizer(quantizer_dropout=0.5), normal((4000, 2, 4))
    layer.trainable = False
    embedding, codes = layer(x, training=True, return_codes=True)
    codes = np.asarray(codes)
    used = (codes >= 0).sum(axis=-1)
    assert (used == used[:, :1]).all()  # an example is cut as a whole
    assert ((codes >= 0) == (np.arange(LEVELS) < used[..., None])).all()  # and from the end
    # half take all, the other half 1, 2 or 3; four standard deviations of 4,000 draws
    np.testing.assert_allclose(np.bincount(used[:, 0])[1:] / 4000, [1 / 6, 1 / 6, 4 / 6], atol=0.03)
    expected, chosen, _ = walk(x.reshape(-1, 4), tables_of(layer))
    kept = codes.reshape(-1, LEVELS) >= 0
    np.testing.assert_array_equal(codes.reshape(-1, LEVELS)[kept], expected[kept])
    total = sum(np.where(kept[:, level : level + 1], chosen[level], 0) for level in range(LEVELS))
    np.testing.assert_allclose(np.reshape(embedding, (-1, 4)), total, **TOLERANCE)
    np.testing.assert_allclose(layer.decode(codes), embedding, **TOLERANCE)
    np.testing.assert_array_equal(layer(x, return_codes=True)[1] >= 0, True)  # inference takes all


def test_a_level_that_is_left_out_learns_and_counts_nothing():
    layer, x = quantizer(quantizer_dropout=1.0, ema_decay=0.5), normal((50, 1, 4))
    tables = tables_of(layer)
    _, codes = layer(x, training=True, return_codes=True)
    codes = np.asarray(codes)[:, 0]
    every, _, residuals = walk(x[:, 0], tables)
    for level in range(LEVELS):
        used = codes[:, level] >= 0
        assert 0 < used.sum() <= 50
        counts = 0.5 + 0.5 * np.bincount(every[used, level], minlength=5)
        np.testing.assert_allclose(layer.tables[level].counts[0], counts, **TOLERANCE)
        np.testing.assert_array_equal(layer.usage.counts[level], np.bincount(every[used, level], minlength=5))
    error = [((residuals[i] - tables[i][every[:, i]])[codes[:, i] >= 0] ** 2).mean() for i in range(LEVELS)]
    assert float(layer._terms["commitment_loss"].result()) == pytest.approx(sum(error), rel=1e-4)


def test_levels_start_one_after_the_other_each_from_its_own_residual():
    layer = ResidualVectorQuantizer(4, 2, kmeans_samples=40, revival_threshold=0.0, ema_decay=None, seed=0)
    started = []
    for step in range(9):
        x = 3.0 * normal((10, 3), seed=step)
        layer(x, training=True)
        started.append([int(table.started) for table in layer.tables])
        if not started[-1][0]:
            np.testing.assert_array_equal(layer.tables[1].vectors, 0)  # nothing is added before its turn
    assert started[2:5] == [[0, 0], [1, 0], [1, 0]] and started[-1] == [1, 1]
    rows = layer.tables[1].buffer.rows.numpy()[:40, 0]
    first = layer.tables[0].vectors.numpy()[0]
    data = np.concatenate([3.0 * normal((10, 3), seed=step) for step in range(9)])
    residuals = data - first[walk(data, [first])[0][:, 0]]
    assert np.abs(rows[:, None] - residuals).max(axis=-1).min(axis=1).max() < 1e-5


@pytest.mark.slow
def test_two_levels_reach_what_one_cannot():
    """4 + 4 codes name 16 points; a codebook of 8 names 8."""
    coarse, fine = 8.0 * normal((4, 3), seed=1), normal((4, 3), seed=2)
    points = (coarse[:, None] + fine).reshape(16, 3)

    def data(step):
        picked = np.random.default_rng(step).integers(0, 16, 128)
        return points[picked] + 0.02 * normal((128, 3), seed=100 + step)

    errors = []
    for layer in (ResidualVectorQuantizer(4, 2, seed=0), VectorQuantizer(8, seed=0)):
        layer.build((None, 3))
        step = tf.function(lambda x, layer=layer: layer(x, training=True))
        for index in range(40):
            step(tf.constant(data(index)))
        errors.append(np.mean((np.asarray(layer(data(99))) - data(99)) ** 2))
    assert errors[0] < 0.2 * errors[1]


def test_codes_of_too_many_levels_are_named():
    with pytest.raises(ValueError, match="1 to 3 levels.*Received"):
        quantizer().decode(np.zeros((2, 4), "int32"))


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_levels": 0}, "num_levels must be at least 1"),
        ({"quantizer_dropout": 1.5}, "quantizer_dropout must be in"),
        ({"num_embeddings": 0}, "num_embeddings must be at least 1"),
        ({"gradient": "none"}, "'straight_through' or 'rotation'"),
        ({"linear_codebook": True}, "ema_decay must be None with linear_codebook"),
    ],
    ids=str,
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ResidualVectorQuantizer(**{"num_embeddings": 8, "num_levels": 2, **options})
