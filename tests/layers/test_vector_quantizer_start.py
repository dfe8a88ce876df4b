"""The k-means start: samples first, then k-means once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import VectorQuantizer
from keras_ae.layers.bottlenecks import _codebook_start as module
from keras_ae.layers.bottlenecks._codebook_start import kmeans


def batches(count, size, dim=3):
    return np.random.default_rng(0).normal(size=(count, size, dim)).astype("float32")


def distance_to_nearest(rows, seen):
    return np.abs(np.asarray(rows)[:, None] - seen).max(axis=-1).min(axis=1).max()


def count_kmeans(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "kmeans", lambda *args, **kwargs: calls.append(1) or kmeans(*args, **kwargs))
    return calls


@pytest.mark.parametrize(
    "size, held, runs",
    [
        (6, [6, 12, 18, 24, 30, 36, 40, 40], [0, 0, 0, 0, 0, 0, 1, 1]),  # below the quota of 10: all
        (25, [10, 20, 30, 40, 40, 40], [0, 0, 0, 1, 1, 1]),  # above it: the quota
    ],
)
def test_the_buffer_fills_over_as_many_batches_as_needed_then_kmeans_runs_once(size, held, runs, monkeypatch):
    calls = count_kmeans(monkeypatch)
    layer = VectorQuantizer(4, kmeans_samples=40, seed=0)
    data = batches(len(held), size)
    for step, (count, run) in enumerate(zip(held, runs, strict=True)):
        embedding = layer(data[step], training=True)
        assert (int(layer.table.buffer.count), len(calls), int(layer.started)) == (count, run, run)
        seen = data[: step + 1].reshape(-1, 3)
        assert distance_to_nearest(layer.table.buffer.rows[:count, 0], seen) == 0.0
        if not run:
            # the straight-through sum rounds; the EMA step moves a code by some hundredths afterwards
            assert distance_to_nearest(embedding, seen) < 1e-6
            assert distance_to_nearest(layer.codebook[0], seen) < 0.2
    rows = layer.table.buffer.rows.numpy()[:40]
    assert len(np.unique(rows, axis=0)) == 40


@pytest.mark.parametrize("first", [1, 3, 4, 7])
def test_first_codes_are_the_samples_there_are(first):
    layer = VectorQuantizer(4, kmeans_samples=64, ema_decay=None, revival_threshold=0.0, seed=0)
    x = batches(1, first)[0]
    layer(x, training=True)
    codes = layer.codebook.numpy()[0]
    assert distance_to_nearest(codes, x) == 0.0
    assert len(np.unique(codes, axis=0)) == min(first, 4)


@pytest.mark.parametrize("heads, distance", [(1, "euclidean"), (2, "euclidean"), (1, "cosine")])
def test_the_start_is_kmeans_of_the_buffer(heads, distance, monkeypatch):
    options = {"num_heads": heads, "distance": distance, "ema_decay": None, "revival_threshold": 0.0}
    layer = VectorQuantizer(5, kmeans_samples=40, seed=0, **options)
    layer.build((None, 2 * heads))
    drawn, draw = [], layer.table._uniform
    monkeypatch.setattr(layer.table, "_uniform", lambda shape: drawn.append(draw(shape)) or drawn[-1])
    for x in batches(4, 12, dim=2 * heads):
        layer(x, training=True)
    assert drawn[-1].shape == (heads, 5, 3, 1)
    for head in range(heads):
        samples = layer.table.buffer.rows[:40, head]
        centres, counts = kmeans(samples, 5, drawn[-1][head])
        if distance == "cosine":
            np.testing.assert_allclose(np.linalg.norm(samples, axis=1), np.ones(40), atol=1e-6)
            centres /= np.linalg.norm(centres, axis=1, keepdims=True)
        np.testing.assert_allclose(layer.codebook[head], centres, atol=1e-6)
        # counts of 40 samples as of a batch of 12, at least half of a share; then one step of the usage
        codes = np.asarray(layer.assign_codes(x)).reshape(12, heads)[:, head]
        start = np.maximum(counts * (12 / 40), 0.5 * 12 / 5)
        expected = 0.99 * start + 0.01 * np.bincount(codes, minlength=5)
        np.testing.assert_allclose(layer.counts[head], expected, rtol=1e-5)


def test_the_mean_of_its_samples_is_where_a_code_starts_with_ema():
    layer = VectorQuantizer(5, kmeans_samples=40, seed=0)
    for x in batches(4, 12):
        layer(x, training=True)
    means = layer.sums.numpy() / layer.counts.numpy()[..., None]
    np.testing.assert_allclose(layer.codebook, means, rtol=1e-5, atol=1e-6)


def test_the_size_of_the_sample_weights_does_not_matter():
    x = batches(8, 12)
    layers = [VectorQuantizer(5, kmeans_samples=24, seed=0) for _ in range(2)]
    for batch in x:
        layers[0](batch, training=True)
        layers[1](batch, training=True, sample_weight=np.full(12, 500.0))
    np.testing.assert_allclose(layers[1].codebook, layers[0].codebook, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(layers[1].counts, 500 * layers[0].counts.numpy(), rtol=1e-4)


def test_a_batch_of_padding_alone_changes_nothing():
    layer = VectorQuantizer(5, kmeans_samples=24, seed=0)
    for x in batches(5, 12):
        layer(x, training=True)
    before = layer.codebook.numpy()
    layer(x, training=True, mask=np.zeros(12, bool))
    np.testing.assert_allclose(layer.codebook, before, rtol=1e-5)
    assert np.isfinite(layer.losses).all()


@pytest.mark.parametrize("stop", [2, 5], ids=["while the buffer fills", "after k-means"])
def test_a_reload_goes_on_as_if_it_had_not_been_interrupted(stop, tmp_path):
    inputs = keras.Input((3,))
    model = keras.Model(inputs, VectorQuantizer(5, kmeans_samples=24, seed=0)(inputs))
    data = batches(7, 12)  # the buffer is full after four
    for x in data[:stop]:
        model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    # Keras saves no seed generators
    loaded.layers[-1].table.seed_generator.state.assign(model.layers[-1].table.seed_generator.state)
    for x in data[stop:]:
        for each in (model, loaded):
            each(x, training=True)
    ours, theirs = model.layers[-1], loaded.layers[-1]
    assert int(theirs.started) == 1
    for name in ("codebook", "counts", "sums"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


@pytest.mark.parametrize(
    "size, samples, expected",
    [(16, None, 1024), (512, None, 32_768), (4096, None, 65_536), (20_000, None, 80_000), (16, 100, 100)],
)
def test_samples_kept(size, samples, expected):
    assert VectorQuantizer(size, kmeans_samples=samples).table.buffer_size == expected


@pytest.mark.slow
def test_defaults_do_not_collapse():
    """Clusters of unequal weight away from the origin, on which plain quantizers keep a few codes."""
    generator = np.random.default_rng(0)
    means = generator.normal(size=(128, 8)) + 1.0
    share = 1.0 / np.arange(1, 129)
    index = generator.choice(128, 20_000, p=share / share.sum())
    data = (means[index] + 0.3 * generator.normal(size=(20_000, 8))).astype("float32")
    layer = VectorQuantizer(64, seed=0)
    layer.build((None, 8))
    step = tf.function(lambda x: layer(x, training=True))
    for start in range(0, 15_360, 256):
        step(tf.constant(data[start : start + 256]))
    held_out = data[16_000:]
    layer.usage.reset_state()
    error = np.mean((layer(held_out).numpy() - held_out) ** 2)
    assert float(layer.usage.result()) >= 0.95
    cluster = pytest.importorskip("sklearn.cluster")
    # as many vectors as the layer starts from; from the heaviest means, not from draws of scikit-learn
    full = cluster.KMeans(64, init=means[:64].astype("float32"), n_init=1).fit(data[:2048])
    best = np.mean((full.cluster_centers_[full.predict(held_out)] - held_out) ** 2)
    assert error < 1.1 * best  # another start of k-means moves this by 3 %


def test_the_window_of_the_running_means_grows_after_the_start():
    """The k-means samples are worth the batches that would hold them, then an eighth of a batch each."""
    layer = VectorQuantizer(5, kmeans_samples=48, revival_threshold=0.0, seed=0)
    data = batches(12, 12)
    decays = []
    for x in data:
        layer(x, training=True)
        decays.append(float(layer.table._decay()))
    assert decays[:3] == pytest.approx([0.99] * 3)  # the codes are samples, k-means comes with the fourth
    expected = [1 - 1 / (4 + step / 8) for step in range(9)]
    np.testing.assert_allclose(decays[3:], expected, rtol=1e-6)
    # and that is the decay of the running means
    before, counts = layer.codebook.numpy()[0], layer.counts.numpy()[0]
    codes = np.asarray(layer.encode(data[0]))
    layer(data[0], training=True)
    decay = 1 - 1 / (4 + 9 / 8)
    expected = decay * counts + (1 - decay) * np.bincount(codes, minlength=5)
    np.testing.assert_allclose(layer.counts[0], expected, rtol=1e-5)
    assert np.abs(layer.codebook.numpy()[0] - before).max() > 0
