"""What `compile` takes, and what is saved and exported of a model that was never built."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae import networks
from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder, VariationalAutoEncoder
from small_models import (
    IMAGES,
    LABELS,
    SHAPE,
    auto_encoder,
    compiled,
    deep_info_max,
    discrete_vae,
    disentangler,
    message,
    quick_thought,
    two_level,
    vae,
)


def scalar_loss(x, x_hat):
    return ops.mean(ops.square(x - x_hat))


def loss_of_the_batch(x, x_hat):
    return ops.mean(ops.square(x - x_hat), axis=0)


@pytest.mark.parametrize("loss", [scalar_loss, loss_of_the_batch])
@pytest.mark.parametrize("make", [auto_encoder, two_level])
def test_a_loss_without_an_axis_of_examples_is_refused_at_construction(make, loss):
    text = message(make, reconstruction_loss=loss)
    assert "reconstruction_loss must return a loss for each example or element" in text
    assert "Received: shape (" in text


@pytest.mark.parametrize("make", [auto_encoder, quick_thought, deep_info_max])
def test_a_loss_for_compile_is_refused_in_our_words(make):
    with pytest.raises(TypeError, match="owns its objective.*Received: 'mse' as a positional argument"):
        make().compile("adam", "mse")


def metrics():
    return [
        "mae",
        keras.metrics.MeanSquaredError(name="squared"),
        keras.losses.mean_squared_logarithmic_error,
    ]


WEIGHT = np.array([1, 0, 2, 1, 1, 0], "float32")


@pytest.mark.parametrize("make", [auto_encoder, disentangler])
def test_metrics_compare_target_and_reconstruction(make):
    model, target = make(), IMAGES[::-1].copy()
    x = {"x": IMAGES, "label": LABELS} if make is disentangler else IMAGES
    model.compile("sgd", metrics=metrics(), run_eagerly=True)
    found = model.evaluate(x, target, sample_weight=WEIGHT, batch_size=4, verbose=0, return_dict=True)
    error = np.asarray(model.reconstruct(x)) - target
    absolute, squared = np.abs(error).mean(axis=(1, 2, 3)), (error**2).mean(axis=(1, 2, 3))
    assert found["mean_absolute_error"] == pytest.approx(np.average(absolute, weights=WEIGHT), rel=1e-5)
    assert found["squared"] == pytest.approx(np.average(squared, weights=WEIGHT), rel=1e-5)


@pytest.mark.parametrize("make", [auto_encoder, vae, discrete_vae, disentangler])
def test_metrics_are_in_the_history_and_come_back_with_a_saved_model(make, tmp_path):
    model = make()
    x = {"x": IMAGES, "label": LABELS} if make is disentangler else IMAGES
    model.compile("sgd", metrics=metrics(), run_eagerly=True)
    history = model.fit(x, validation_data=(x,), verbose=0).history
    assert {"mean_absolute_error", "squared", "val_squared", "mean_squared_logarithmic_error"} <= set(history)
    assert history["squared"][0] >= history["mean_absolute_error"][0] ** 2 > 0  # Jensen
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    again.run_eagerly = True
    assert "squared" in again.evaluate(x, verbose=0, return_dict=True)


def test_metrics_are_refused_where_nothing_is_reconstructed():
    with pytest.raises(TypeError, match="DeepInfoMax owns its objective.*Received: metrics"):
        deep_info_max().compile("sgd", metrics=["mae"])
    with pytest.raises(ValueError, match="distinct names. Received: loss"):
        auto_encoder().compile("sgd", metrics=[keras.metrics.MeanSquaredError(name="loss")])


@keras.saving.register_keras_serializable(package="tests")
class SubclassedEncoder(keras.Model):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flatten, self.dense = keras.layers.Flatten(), keras.layers.Dense(3)

    def call(self, x):
        return self.dense(self.flatten(x))


def subclassed(kind):
    decoder = keras.Sequential([keras.layers.Dense(16), keras.layers.Reshape(SHAPE)])
    if kind == "vae":
        return VariationalAutoEncoder(SubclassedEncoder(), decoder, 2)
    return AutoEncoder(SubclassedEncoder(), decoder, VectorQuantizer(4, kmeans_samples=0))


@pytest.mark.parametrize("kind", ["vae", "vq"])
def test_a_model_whose_encoder_was_never_called_is_not_saved_without_its_weights(kind, tmp_path):
    model = compiled(subclassed(kind))
    path = tmp_path / "model.keras"
    assert "must be built before it is saved or exported" in message(model.save, path)
    assert not path.exists()
    with pytest.raises(ValueError, match="built"):
        model.save_weights(tmp_path / "model.weights.h5")
    model(IMAGES)
    model.save(path)
    again = keras.saving.load_model(path)  # a warning of skipped optimiser variables is an error here
    np.testing.assert_array_equal(again.embed(IMAGES), model.embed(IMAGES))
    assert len(again.optimizer.variables) == len(model.optimizer.variables)


@pytest.mark.slow
def test_keras_exports_a_model_whose_encoder_was_built_by_fit(tmp_path):
    model = subclassed("vae")
    model.compile("sgd", jit_compile=False)
    model.fit(IMAGES, verbose=0)
    assert "built" in message(subclassed("vae").export, tmp_path / "unbuilt")
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    served = loaded.serve(IMAGES)
    np.testing.assert_allclose(served, model.predict(IMAGES, verbose=0), rtol=1e-4, atol=1e-5)


def test_networks_keep_their_channels_last_under_a_global_channels_first():
    keras.config.set_image_data_format("channels_first")
    try:
        size = (16, 12, 1)
        encoder = networks.deep_info_max_encoder(size, 3, filters=(4, 4), units=8)
        image = networks.image_encoder(size, 3, filters=4, residual_blocks=1)
        decoder = networks.image_decoder(size, 3, filters=4, residual_blocks=1)
        flat = networks.image_encoder(size, 3, filters=4, residual_blocks=1, flatten=True)
        broadcast = networks.spatial_broadcast_decoder(size, 3, filters=4)
        levels = networks.two_level_networks(size, 3, filters=4, residual_blocks=1)
    finally:
        keras.config.set_image_data_format("channels_last")
    assert encoder.get_layer("local").output.shape[-1] == 4
    assert image.output_shape == (None, 4, 3, 3) and flat.output_shape == (None, 3)
    assert decoder.output_shape == broadcast.output_shape == (None, *size)
    assert levels["merge"].output_shape == (None, 4, 3, 3)
