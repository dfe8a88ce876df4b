"""Losses, gradients and the codebook's statistics, against numpy in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import VectorQuantizer

TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}  # float32 sums of some tens of terms of size 1


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def quantizer(codebook, *, revival_threshold=0.0, **options):
    """A layer with the codes `(heads, K, head_dim)`, each as if chosen once."""
    heads, size, dim = codebook.shape
    options = {"kmeans_samples": 0, "num_heads": heads, "seed": 0, **options}
    layer = VectorQuantizer(size, revival_threshold=revival_threshold, **options)
    layer.build((None, heads * dim))
    layer.set_codebook(codebook, counts=np.ones((heads, size)))
    return layer


def nearest(x, codebook):
    return np.argmin(((x[:, None].astype("float64") - codebook) ** 2).sum(axis=-1), axis=1)


def ema_step(state, x, decay, weights):
    """`(counts, sums, codebook)` of one head after the vectors `x` `(n, dim)`."""
    counts, sums, codebook = state
    codes = nearest(x, codebook)
    new_counts, new_sums = np.zeros_like(counts), np.zeros_like(sums)
    np.add.at(new_counts, codes, weights)
    np.add.at(new_sums, codes, weights[:, None] * x)
    counts = decay * counts + (1 - decay) * new_counts
    sums = decay * sums + (1 - decay) * new_sums
    return counts, sums, sums / counts[:, None]


def record_uniforms(layer, monkeypatch):
    """The list that every number drawn by the layer is appended to."""
    drawn, draw = [], layer.table._uniform

    def recording(shape):
        drawn.append(draw(shape))
        return drawn[-1]

    monkeypatch.setattr(layer.table, "_uniform", recording)
    return drawn


@pytest.mark.parametrize("options", [{}, {"ema_decay": None}], ids=str)
def test_the_gradient_of_the_embedding_is_handed_to_the_input(options):
    layer = quantizer(normal((2, 5, 3)), **options)
    x, weight = tf.constant(normal((4, 7, 6))), normal((4, 7, 6), seed=1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        embedding = layer(x, training=True)
        loss = tf.reduce_sum(weight * embedding**3)
    to_x, to_embedding = tape.gradient(loss, [x, embedding])
    np.testing.assert_array_equal(to_x, to_embedding)
    assert np.abs(to_x).max() > 0.1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("ema_decay", [0.99, None])
def test_losses_and_their_gradients(ema_decay, training):
    codebook, x = normal((1, 5, 3)), normal((4, 7, 3), seed=1)
    layer, inputs = quantizer(codebook, ema_decay=ema_decay, commitment_cost=0.3), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        layer(inputs, training=training)
        loss = tf.add_n(layer.losses)
    watched = [inputs] if ema_decay else [inputs, layer.codebook.value]
    gradients = tape.gradient(loss, watched)

    rows = x.reshape(-1, 3).astype("float64")
    codes = nearest(rows, codebook[0])
    error = rows - codebook[0][codes]
    squared = (error**2).mean()
    assert float(layer._terms["commitment_loss"].result()) == pytest.approx(squared, rel=1e-5)
    np.testing.assert_allclose(loss, (0.3 if ema_decay else 1.3) * squared, rtol=1e-5)
    np.testing.assert_allclose(gradients[0], 0.3 * 2 * error.reshape(x.shape) / error.size, **TOLERANCE)
    if not ema_decay:
        assert float(layer._terms["codebook_loss"].result()) == pytest.approx(squared, rel=1e-5)
        expected = np.zeros((5, 3))
        np.add.at(expected, codes, -2 * error / error.size)
        np.testing.assert_allclose(tf.convert_to_tensor(gradients[1])[0], expected, **TOLERANCE)


@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_several_ema_steps(heads, weighted):
    codebook = normal((heads, 6, 3))
    layer = quantizer(codebook, ema_decay=0.9)
    states = [(np.ones(6), part.astype("float64"), part.astype("float64")) for part in codebook]
    for step in range(4):
        x = normal((5, 8, 3 * heads), seed=10 + step)
        weights = np.random.default_rng(step).choice([0.0, 0.5, 3.0], 5) if weighted else np.ones(5)
        layer(x, training=True, sample_weight=weights if weighted else None)
        parts = np.split(x.reshape(40, -1), heads, axis=1)
        repeated = np.repeat(weights, 8)
        states = [ema_step(state, part, 0.9, repeated) for state, part in zip(states, parts, strict=True)]
    for head, expected in enumerate(states):
        received = layer.counts[head], layer.sums[head], layer.codebook[head]
        for name, ours, theirs in zip(("counts", "sums", "codebook"), received, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, **TOLERANCE, err_msg=name)


def test_without_kmeans_a_code_that_is_not_chosen_stays_where_it_is():
    layer = VectorQuantizer(16, kmeans_samples=0, revival_threshold=0.0, seed=0)
    layer.build((None, 3))
    start = layer.codebook.numpy()[0]
    codes = set(np.asarray(layer.encode(np.full((1, 3), 0.2, "float32"))))
    for _ in range(3):
        layer(np.full((1, 3), 0.2, "float32"), training=True)
    moved = np.flatnonzero(np.abs(layer.codebook.numpy()[0] - start).max(axis=1) > 1e-6)
    assert set(moved) == codes


def test_heads_are_quantizers_of_their_own_parts():
    codebook, x = normal((2, 5, 3)), normal((9, 6), seed=1)
    both = quantizer(codebook)
    parts = [quantizer(codebook[head : head + 1]) for head in range(2)]
    embedding, codes = both(x, training=True, return_codes=True)
    alone = [part(x[:, 3 * i : 3 * i + 3], training=True, return_codes=True) for i, part in enumerate(parts)]
    assert codes.shape == (9, 2)
    np.testing.assert_array_equal(codes, np.stack([one[1] for one in alone], axis=-1))
    np.testing.assert_array_equal(embedding, np.concatenate([one[0] for one in alone], axis=-1))
    np.testing.assert_array_equal(both.codebook, np.concatenate([part.codebook for part in parts]))
    losses = [float(layer._terms["commitment_loss"].result()) for layer in (both, *parts)]
    assert losses[0] == pytest.approx(np.mean(losses[1:]), rel=1e-5)


def halfway_to_far_vectors(x, codebook, uniforms):
    """Drawn in proportion to the squared distance from the code, then half of the way back."""
    quantized = codebook[nearest(x, codebook)]
    cumulative = np.cumsum(((x - quantized) ** 2).sum(axis=1))
    rows = np.searchsorted(cumulative, uniforms.numpy() * cumulative[-1], side="right")
    return 0.5 * (x[rows] + quantized[rows])


@pytest.mark.parametrize("masked", [False, True])
def test_dead_codes_move_to_drawn_vectors_with_statistics_of_their_own(masked, monkeypatch):
    codebook, x = normal((2, 5, 3)), normal((6, 5, 6), seed=1)
    layer = quantizer(codebook, ema_decay=0.9, revival_threshold=0.5)
    counts = np.array([[9.0, 9, 0.01, 9, 9], [0.01, 9, 9, 9, 0.01]])
    layer.counts.assign(counts)
    layer.sums.assign(counts[..., None] * codebook)
    mask = np.random.default_rng(2).random((6, 5)) < 0.7 if masked else np.ones((6, 5), bool)
    uniforms = record_uniforms(layer, monkeypatch)
    layer(x, training=True, mask=mask if masked else None)

    real = x[mask].astype("float64")
    share = len(real) / 5
    assert uniforms[-1].shape == (2, 5)
    for head, part in enumerate(np.split(real, 2, axis=1)):
        state = counts[head], counts[head][:, None] * codebook[head], codebook[head]
        expected_counts, expected_sums, expected = ema_step(state, part, 0.9, np.ones(len(part)))
        dead = expected_counts < 0.5 * share
        assert 0 < dead.sum() < 5
        expected[dead] = halfway_to_far_vectors(part, codebook[head], uniforms[-1][head])[dead]
        expected_counts[dead] = share
        expected_sums[dead] = expected[dead] * share
        np.testing.assert_allclose(layer.counts[head], expected_counts, **TOLERANCE)
        np.testing.assert_allclose(layer.sums[head], expected_sums, **TOLERANCE)
        np.testing.assert_allclose(layer.codebook[head], expected, **TOLERANCE)


def test_dead_codes_move_where_the_codebook_learns_by_gradient(monkeypatch):
    codebook, x = normal((1, 5, 3)), normal((20, 3), seed=1)
    layer = quantizer(codebook, ema_decay=None, revival_threshold=0.1)
    layer.counts.assign([[4.0, 4.0, 0.01, 4.0, 4.0]])
    codebook[0, 2] = 100.0  # nothing chooses it
    layer.codebook.assign(codebook)
    uniforms = record_uniforms(layer, monkeypatch)
    layer(x, training=True)
    expected = codebook[0].copy()
    expected[2] = halfway_to_far_vectors(x, codebook[0], uniforms[-1][0])[2]
    np.testing.assert_allclose(layer.codebook[0], expected, **TOLERANCE)
    assert float(layer.counts[0, 2]) == 4.0  # its fair share of 20 vectors


def test_revival_at_zero_never_happens():
    layer = quantizer(normal((1, 5, 3)), revival_threshold=0.0)
    far = np.full((4, 3), 50.0, "float32")
    before, chosen = layer.codebook.numpy()[0], int(layer.encode(far)[0])
    layer.counts.assign(np.eye(5)[None, chosen])
    layer(far, training=True)
    changed = np.abs(layer.codebook.numpy()[0] - before).max(axis=1) > 0
    assert list(np.flatnonzero(changed)) == [chosen]


def test_an_optimizer_trains_the_codebook_to_the_means_of_its_clusters():
    means = np.array([[4, 0], [0, 4], [-4, 0]], "float32")
    x = np.repeat(means, 20, axis=0) + 0.1 * normal((60, 2))
    layer = quantizer(0.3 * means[None] + 0.1, ema_decay=None)
    inputs = keras.Input((2,))
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.5), jit_compile=False)
    history = model.fit(np.tile(x, (20, 1)), epochs=2, batch_size=60, verbose=0, shuffle=False).history
    # 40 steps of 0.5 * 2 / 6 of the way each leave 7e-4 of the first distance, 2.8
    np.testing.assert_allclose(layer.codebook[0], x.reshape(3, 20, 2).mean(axis=1), atol=3e-3)
    assert history["codebook_loss"][1] < 0.015 < history["codebook_loss"][0]  # the noise has 0.1 ** 2


@pytest.mark.parametrize("ema_decay", [0.9, None])
def test_cosine_compares_directions_and_keeps_vectors_of_unit_length(ema_decay):
    layer = VectorQuantizer(6, distance="cosine", ema_decay=ema_decay, kmeans_samples=0, seed=0)
    x = normal((30, 4)) * np.geomspace(0.1, 10, 30)[:, None].astype("float32")
    for _ in range(2):
        codes = layer.encode(x)
        table = layer.codebook.numpy()[0].astype("float64")
        table /= np.linalg.norm(table, axis=1, keepdims=True)
        unit = x / np.linalg.norm(x, axis=1, keepdims=True)
        np.testing.assert_array_equal(codes, np.argmax(unit @ table.T, axis=1))
        np.testing.assert_allclose(layer.decode(codes), table[codes], atol=1e-6)
        layer(x, training=True)
        if ema_decay is None:  # what an optimiser's step does to it
            layer.codebook.assign_add(normal(layer.codebook.shape, seed=3) * 0.1)
    error = ((unit - table[codes]) ** 2).mean()
    layer._terms["commitment_loss"].reset_state()
    layer.codebook.assign(table[None])
    layer(x)
    assert float(layer._terms["commitment_loss"].result()) == pytest.approx(error, rel=1e-4)


def test_cosine_ema_steps_average_directions():
    codebook = normal((1, 4, 3))
    codebook /= np.linalg.norm(codebook, axis=-1, keepdims=True)
    layer, x = quantizer(codebook, ema_decay=0.8, distance="cosine"), normal((30, 3), seed=1)
    layer(x, training=True)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    _, _, expected = ema_step((np.ones(4), codebook[0], codebook[0]), unit, 0.8, np.ones(30))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(layer.codebook[0], expected, **TOLERANCE)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_cosine_of_a_vector_of_zeros_has_a_finite_gradient(jit_compile):
    layer = quantizer(normal((1, 4, 3)), distance="cosine")
    layer.trainable = False

    @tf.function(jit_compile=jit_compile)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, x)

    assert np.isfinite(gradient(tf.constant([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]))).all()
