"""One batch that is not finite, or weights of another layer, leave the state usable."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import (
    FiniteScalarQuantizer,
    GlobalVariance,
    LinearDependence,
    LookupFreeQuantizer,
    MaskedBatchNormalization,
    ResidualVectorQuantizer,
    ScoreFunction,
    VectorQuantizer,
)
from keras_ae.models.text.quick_thought import encode_in_parts
from keras_ae.networks import deep_info_max_encoder

QUANTIZERS = {
    "vq": lambda: VectorQuantizer(4, kmeans_samples=0, seed=0),
    "k-means start": lambda: VectorQuantizer(4, kmeans_samples=16, seed=0),
    "two heads": lambda: VectorQuantizer(4, kmeans_samples=16, num_heads=2, seed=0),
    "cosine": lambda: VectorQuantizer(4, kmeans_samples=16, distance="cosine", seed=0),
    "by gradient": lambda: VectorQuantizer(4, kmeans_samples=16, ema_decay=None, seed=0),
    "residual": lambda: ResidualVectorQuantizer(4, 2, kmeans_samples=16, seed=0),
    "fsq": lambda: FiniteScalarQuantizer([5, 4, 3, 3]),
    "lfq": lambda: LookupFreeQuantizer(4),
}


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def state(layer):
    return {weight.path: np.asarray(weight) for weight in layer.weights if "seed" not in weight.path}


@pytest.mark.slow
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_corrupt_vector_is_left_out_and_the_others_are_learned(name, bad):
    """In the first batch, and in later ones: as if the batch had been without it."""
    corrupt, clean = QUANTIZERS[name](), QUANTIZERS[name]()
    for step in range(4):
        x = normal((12, 4), seed=step)
        with_it = np.concatenate([x[:5], [[0.1, bad, 0.2, 0.3]], x[5:]]).astype("float32")
        corrupt(with_it, training=True)
        clean(np.concatenate([x[:5], x[5:]]), training=True)
        assert not np.isfinite(sum(float(loss) for loss in corrupt.losses))  # it shows in the loss
    for (path, received), expected in zip(state(corrupt).items(), state(clean).values(), strict=True):
        np.testing.assert_allclose(received, expected, rtol=1e-5, atol=1e-6, err_msg=path)
    np.testing.assert_allclose(corrupt.usage.counts, clean.usage.counts)
    np.testing.assert_allclose(corrupt.perplexity.counts, clean.perplexity.counts)


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_batch_without_a_finite_vector_changes_nothing(name):
    layer = QUANTIZERS[name]()
    layer(normal((20, 4)), training=True)
    before = state(layer)
    layer(np.full((7, 4), np.nan, "float32"), training=True)
    for path, value in state(layer).items():
        if "window" not in path:  # counts batches
            np.testing.assert_allclose(value, before[path], rtol=1e-6, atol=1e-7, err_msg=path)


@pytest.mark.slow
@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_vector_that_is_not_finite_has_a_code_that_exists(name):
    layer = QUANTIZERS[name]()
    layer(normal((20, 4)), training=True)
    x = np.float32([[np.nan] * 4, [np.inf] * 4, [-np.inf, 0, 1, 2], [np.nan, 0, 1, 2]])
    codes = np.asarray(layer.encode(x))
    assert codes.min() >= 0 and codes.max() < layer.num_values
    np.testing.assert_array_equal(tf.function(layer.encode)(x), codes)
    assert np.isfinite(np.asarray(layer(x))).all()


def test_half_precision_that_overflows_in_one_batch_leaves_the_codebook_finite():
    """`mixed_float16`, one row above 65504, in the start and in a step after it."""
    table = VectorQuantizer(4, kmeans_samples=16, seed=0, dtype="mixed_float16")
    x = normal((32, 4))
    x[3] = x[27] = 1e5
    for part in np.split(x, 4):
        table(tf.cast(part, tf.float16), training=True)
    assert np.isfinite(table.codebook).all() and np.isfinite(table.sums).all()
    assert float(table.started) == 1.0


def test_half_precision_that_overflows_in_one_batch_leaves_an_image_encoder_finite():
    encoder = deep_info_max_encoder((16, 16, 1), 2, filters=(2, 2), units=3)
    x = normal((4, 16, 16, 1))
    x[1] = np.inf  # what 1e5 is in half precision
    encoder(x, training=True)
    assert all(np.isfinite(weight).all() for weight in encoder.get_weights())
    assert np.isfinite(encoder(normal((4, 16, 16, 1)))).all()


def test_large_batches_in_parts_leave_moving_statistics_finite():
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization()])
    x = normal((6, 3))
    x[4] = np.nan
    before = encoder.get_weights()
    encode_in_parts(encoder, tf.constant(x), 2)
    for weight, expected in zip(encoder.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)
    encode_in_parts(encoder, tf.constant(normal((6, 3))), 2)
    assert np.any(encoder.layers[0].moving_mean) and np.isfinite(encoder.layers[0].moving_mean).all()


def test_a_batch_without_examples_changes_nothing():
    layer = VectorQuantizer(4, kmeans_samples=0, seed=0)
    layer.build((None, 4))
    before = layer.codebook.numpy()
    assert layer(np.zeros((0, 4), "float32"), training=True).shape == (0, 4)
    np.testing.assert_allclose(layer.codebook, before, rtol=1e-6)
    VectorQuantizer(4)(np.zeros((0, 4), "float32"), training=True)  # in its start


def test_codes_that_were_already_lost_come_back_to_life():
    layer = VectorQuantizer(4, kmeans_samples=0, seed=0)
    layer.set_codebook(normal((4, 3)))
    layer.codebook.assign(np.where(np.arange(4)[None, :, None] == 2, np.nan, layer.codebook.numpy()))
    layer.sums.assign(layer.codebook)
    layer.counts.assign(np.ones((1, 4)))
    layer(normal((20, 3)), training=True)
    assert np.isfinite(layer.codebook).all() and np.isfinite(layer.sums).all()


STATISTICS = {
    "batch normalisation": (MaskedBatchNormalization, lambda layer, x: layer(x, training=True)),
    "global variance": (GlobalVariance, lambda layer, x: layer.observe(x[None], 0.5 * x[None])),
    "linear dependence": (
        LinearDependence,
        lambda layer, x: layer._learn(tf.constant(x), tf.ones(len(x))),
    ),
    "moving average of losses": (
        lambda: ScoreFunction("moving_average"),
        lambda layer, x: layer(x[:, 0], x[:, 1], training=True),
    ),
}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", STATISTICS)
def test_a_batch_that_is_not_finite_leaves_moving_statistics_alone(name, bad):
    make, learn = STATISTICS[name]
    layer, x = make(), normal((6, 4))
    if name == "linear dependence":
        layer.build((None, 4))
    learn(layer, x)
    before = state(layer)
    corrupt = x.copy()
    corrupt[2, 0] = bad
    learn(layer, corrupt)
    for path, value in state(layer).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)
    learn(layer, normal((6, 4), seed=1))
    assert any(np.any(value != before[path]) for path, value in state(layer).items())


def saved_and_loaded(layer, other, path):
    """`other` with the weights of `layer` that fit."""
    models = []
    for each in (layer, other):
        inputs = keras.Input((3,))
        models.append(keras.Model(inputs, each(inputs)))
    models[0].save_weights(path)
    models[1].load_weights(path, skip_mismatch=True)
    return other


def started(**options):
    layer = VectorQuantizer(8, seed=0, revival_threshold=0.0, **options)
    for step in range(4):
        layer(normal((12, 3), seed=step), training=True)
    assert float(layer.started) == 1.0
    return layer


@pytest.mark.parametrize("samples", [16, 24, 400])
def test_a_finished_start_stays_finished_in_a_layer_of_other_kmeans_samples(samples, tmp_path):
    layer = started(kmeans_samples=24)
    options = {"kmeans_samples": samples, "revival_threshold": 0.0}
    other = VectorQuantizer(8, **options, seed=0, name=layer.name)
    saved_and_loaded(layer, other, tmp_path / "w.weights.h5")
    for step in range(3):
        np.testing.assert_allclose(other.codebook, layer.codebook, rtol=1e-6)
        for each in (layer, other):
            each(normal((12, 3), seed=step), training=True)
        assert float(other.started) == 1.0


@pytest.mark.filterwarnings("ignore:.*skip_mismatch|.*could not be loaded")
def test_weights_of_another_number_of_codes_leave_a_layer_that_starts_by_itself(tmp_path):
    layer = started(kmeans_samples=24)
    other = VectorQuantizer(5, kmeans_samples=24, seed=0, name=layer.name)
    saved_and_loaded(layer, other, tmp_path / "w.weights.h5")
    for step in range(4):
        other(normal((12, 3), seed=step), training=True)
    assert float(other.started) == 1.0
    assert (np.abs(other.codebook.numpy()).max(axis=-1) > 0.1).all()
