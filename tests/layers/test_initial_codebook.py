"""Codebooks that the user gives."""

import keras
import numpy as np
import pytest

from keras_ae.layers import ResidualVectorQuantizer, VectorQuantizer


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


CASES = {
    "default": (VectorQuantizer, {}, (6, 3), 3),
    "without k-means": (VectorQuantizer, {"kmeans_samples": 0}, (6, 3), 3),
    "by gradient": (VectorQuantizer, {"ema_decay": None}, (6, 3), 3),
    "linear": (VectorQuantizer, {"ema_decay": None, "linear_codebook": True}, (6, 3), 3),
    "cosine": (VectorQuantizer, {"distance": "cosine"}, (6, 3), 3),
    "heads": (VectorQuantizer, {"num_heads": 2}, (2, 6, 3), 6),
    "shared by heads": (VectorQuantizer, {"num_heads": 2, "share_codebook": True}, (6, 3), 6),
    "projected": (VectorQuantizer, {"codebook_dim": 3}, (6, 3), 8),
    "residual": (ResidualVectorQuantizer, {"num_levels": 2}, (2, 6, 3), 3),
    "residual projected": (ResidualVectorQuantizer, {"num_levels": 2, "codebook_dim": 3}, (2, 6, 3), 5),
}


def vectors_of(layer):
    tables = layer.tables if isinstance(layer, ResidualVectorQuantizer) else [layer.table]
    return np.concatenate([np.asarray(table.code_vectors()) for table in tables])


def expected_of(codes, options):
    codes = codes.reshape(-1, 6, 3)
    return codes / np.linalg.norm(codes, axis=-1, keepdims=True) if "distance" in options else codes


def train(layer, dim, steps):
    """On the data of one vector: codes that count as dead would move there at once."""
    for _ in range(steps):
        layer(np.tile(5.0 + normal((1, dim)), (32, 1)), training=True)


@pytest.mark.parametrize("way", ["set_codebook", "initial_codebook"])
@pytest.mark.parametrize("name", CASES)
def test_a_codebook_that_was_given_is_the_one_that_is_trained_on(name, way):
    make, options, shape, dim = CASES[name]
    codes = normal(shape, seed=1)
    if way == "set_codebook":
        layer = make(6, seed=0, **options)
        layer.build((None, dim))
        layer.set_codebook(codes)
    else:
        layer = make(6, seed=0, initial_codebook=codes, **options)
        layer.build((None, dim))
    expected = expected_of(codes, options)
    np.testing.assert_allclose(vectors_of(layer), expected, rtol=1e-6)
    train(layer, dim, 3)
    moved = np.abs(vectors_of(layer) - expected).max(axis=-1)
    assert (moved < 1e-5).sum() >= moved.size - len(moved)  # the chosen code of each table alone moves


def test_codes_that_start_random_normal_are_not_all_dead_in_the_first_batch():
    layer = VectorQuantizer(6, kmeans_samples=0, seed=0)
    layer.build((None, 3))
    before = layer.codebook.numpy()[0]
    assert 0.01 < before.std() < 0.2
    layer(np.full((64, 3), 5.0, "float32"), training=True)
    changed = np.abs(layer.codebook.numpy()[0] - before).max(axis=-1) > 1e-6
    assert changed.sum() == 1
    np.testing.assert_allclose(layer.counts.numpy().sum(), 64.0, rtol=1e-5)


def test_a_codebook_variable_that_is_assigned_by_hand_is_kept_too():
    layer, codes = VectorQuantizer(6, kmeans_samples=0, seed=0), normal((1, 6, 3), seed=1)
    layer.build((None, 3))
    layer.codebook.assign(codes)
    train(layer, 3, 2)
    assert (np.abs(layer.codebook.numpy() - codes).max(axis=-1) > 1e-5).sum() == 1


def test_set_codebook_sets_vectors_counts_sums_and_started():
    layer, codes, counts = VectorQuantizer(4), normal((4, 2)), [1.0, 2.0, 3.0, 4.0]
    layer.set_codebook(codes, counts)  # builds the layer
    np.testing.assert_array_equal(layer.codebook[0], codes)
    np.testing.assert_array_equal(layer.counts[0], counts)
    np.testing.assert_allclose(layer.sums[0], codes * np.reshape(counts, (4, 1)))
    assert float(layer.started) == 1.0
    assert float(layer.table._decay()) == pytest.approx(0.99)


@pytest.mark.parametrize("name", CASES)
def test_a_codebook_that_was_given_survives_clone_save_and_load(name, tmp_path):
    make, options, shape, dim = CASES[name]
    codes = normal(shape, seed=1)
    inputs = keras.Input((dim,))
    model = keras.Model(inputs, make(6, seed=0, initial_codebook=codes, **options)(inputs))
    clone = keras.models.clone_model(model)
    np.testing.assert_allclose(vectors_of(clone.layers[-1]), expected_of(codes, options), rtol=1e-6)
    train(model.layers[-1], dim, 2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    np.testing.assert_array_equal(vectors_of(loaded), vectors_of(model.layers[-1]))
    np.testing.assert_array_equal(loaded.initial_codebook, codes.reshape(-1, 6, 3))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: VectorQuantizer(4, initial_codebook=normal((5, 2))), r"shape \(4, dim\)"),
        (lambda: VectorQuantizer(4, num_heads=2, initial_codebook=normal((4, 2))), r"\(2, 4, dim\)"),
        (lambda: VectorQuantizer(2, initial_codebook=[[0.0, np.nan], [0, 0]]), "must be finite"),
        (lambda: VectorQuantizer(2, initial_codebook=np.zeros((2, 2)), distance="cosine"), "zero vectors"),
        (lambda: VectorQuantizer(4, initial_codebook=normal((4, 2)), kmeans_samples=9), "kmeans_samples"),
        (lambda: VectorQuantizer(4, initial_codebook=normal((4, 2))).build((None, 3)), "codes of size 3"),
        (lambda: VectorQuantizer(4).set_codebook(normal((4, 2)), [1.0, 1.0]), r"shape \(4,\)"),
        (lambda: VectorQuantizer(4).set_codebook(normal((4, 2)), np.zeros(4)), "not all 0"),
        (lambda: VectorQuantizer(4, codebook_dim=2).set_codebook(normal((4, 2))), "built"),
        (lambda: ResidualVectorQuantizer(4, 2, initial_codebook=normal((4, 2))), r"\(2, 4, dim\)"),
    ],
)
def test_a_codebook_that_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
