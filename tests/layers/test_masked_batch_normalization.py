"""Batch normalisation under a mask, against numpy and against Keras."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ae.layers import MaskedBatchNormalization

X = np.random.default_rng(0).normal(3.0, 2.0, (6, 5, 4)).astype("float32")


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_without_a_mask_it_is_keras_own(training, affine):
    ours = MaskedBatchNormalization(momentum=0.9, affine=affine)
    theirs = keras.layers.BatchNormalization(momentum=0.9, center=affine, scale=affine)
    for _ in range(2):
        ours(X, training=True), theirs(X, training=True)
    np.testing.assert_allclose(ours(X, training=training), theirs(X, training=training), atol=1e-5)
    np.testing.assert_allclose(ours.moving_mean, theirs.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(ours.moving_variance, theirs.moving_variance, rtol=1e-5)
    assert len(ours.trainable_variables) == len(theirs.trainable_variables)


def test_padding_is_left_out_and_fractions_weight():
    mask = np.array([[1, 1, 1, 0, 0]] * 3 + [[0.5] * 5] * 3, "float32")
    dirty = np.where(mask[:, :, None] > 0, X, 1e3).astype("float32")
    y = np.asarray(MaskedBatchNormalization()(dirty, mask=mask, training=True))
    weights = np.broadcast_to(mask[:, :, None], X.shape)
    mean = np.average(X, axis=(0, 1), weights=weights)
    variance = np.average((X - mean) ** 2, axis=(0, 1), weights=weights)
    expected = (X - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(y[mask > 0], expected[mask > 0], atol=1e-5)


def test_a_mask_of_examples_counts_for_all_their_positions():
    weights = np.array([1, 1, 1, 1, 0, 0], "float32")
    y = MaskedBatchNormalization()(X, mask=weights, training=True)
    np.testing.assert_allclose(y[:4], MaskedBatchNormalization()(X[:4], training=True), atol=1e-5)


def test_nothing_real_leaves_the_moving_averages_and_frozen_is_inference():
    layer = MaskedBatchNormalization()
    assert np.isfinite(layer(X, mask=np.zeros((6, 5)), training=True)).all()
    np.testing.assert_array_equal(layer.moving_variance, np.ones(4))
    layer.trainable = False
    np.testing.assert_allclose(layer(X, training=True), X / np.sqrt(1 + 1e-3), rtol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))


def test_half_precision_computes_in_float32():
    layer = MaskedBatchNormalization(dtype="mixed_float16")
    y = layer(ops.cast(X + 1000.0, "float16"), training=True)
    assert y.dtype == "float16" and layer.moving_mean.dtype == "float32"
    assert abs(float(ops.std(ops.cast(y, "float32"))) - 1.0) < 0.05
