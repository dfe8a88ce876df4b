"""Tiny models for the export tests."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.export import to_onnx, to_saved_model
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.models.endpoint import Endpoint
from keras_ae.ops.search import nearest_code


@keras.saving.register_keras_serializable(package="export_tests")
class Nearest(Bottleneck):
    """The nearest row of a fixed codebook, without training."""

    def __init__(self, num_embeddings=7, **kwargs):
        super().__init__(**kwargs)
        self.num_embeddings = num_embeddings

    def build(self, shape):
        self.codebook = self.add_weight(
            shape=(self.num_embeddings, shape[-1]),
            initializer="random_normal",
            dtype="float32",
            name="codebook",
        )

    def assign_codes(self, x):
        codes = nearest_code(ops.reshape(x, (-1, x.shape[-1])), ops.convert_to_tensor(self.codebook))
        return ops.reshape(codes, ops.shape(x)[:-1])

    def look_up(self, codes):
        return ops.take(self.codebook, codes, axis=0)

    def margin(self, x):
        distance = ops.sum(ops.square(x[..., None, :] - self.codebook), axis=-1)
        best = -ops.top_k(-distance, 2)[0]
        return (best[..., 1] - best[..., 0]) / best[..., 1]

    def compute_output_spec(self, x, mask=None, training=None, return_codes=False):
        embedding = keras.KerasTensor(x.shape, self.compute_dtype)
        return (embedding, keras.KerasTensor(x.shape[:-1], "int32")) if return_codes else embedding

    def get_config(self):
        return {**super().get_config(), "num_embeddings": self.num_embeddings}


@keras.saving.register_keras_serializable(package="export_tests")
class Smoother(keras.Model):
    """A sequence model of free length, whose endpoints take lengths."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv1D(6, 3, padding="same", activation="gelu")
        self.summary_layer = keras.layers.Dense(2)

    def build(self, shape):
        self.convolution.build(shape)
        self.summary_layer.build((None, None, 6))

    def call(self, x, lengths):
        mask = tf.sequence_mask(lengths, tf.shape(x)[1], dtype="float32")[..., None]
        features = self.summary_layer(self.convolution(x * mask)) * mask
        return {
            "embedding": ops.sum(features, axis=1) / ops.cast(lengths, "float32")[:, None],
            "frames": features,
            "halves": features[:, ::2],
            "halves_again": features[:, ::2, 0],
        }

    def endpoints(self):
        inputs = {
            "x": tf.TensorSpec((None, None, 3), tf.float32, name="x"),
            "lengths": tf.TensorSpec((None,), tf.int32, name="lengths"),
        }

        def encode(x, lengths):
            return self(x, lengths, training=False)

        return {"encode": Endpoint(encode, inputs)}


@pytest.fixture(scope="session")
def nearest_layer():
    """The class of the test bottleneck."""
    return Nearest


@pytest.fixture(scope="session")
def picture_model():
    """A functional VQ model over 8x8 pictures: encode, decode, serving_default."""
    keras.utils.set_random_seed(0)
    x = keras.Input((8, 8, 1), name="image")
    z = keras.layers.Conv2D(4, 4, strides=4, activation="gelu")(x)
    z = Nearest(name="nearest")(z)
    return keras.Model(x, keras.layers.Conv2DTranspose(1, 4, strides=4, activation="sigmoid")(z))


@pytest.fixture(scope="session")
def sequence_model():
    """A subclassed model with its own endpoints and a free length."""
    keras.utils.set_random_seed(1)
    model = Smoother()
    model(np.zeros((1, 4, 3), "float32"), np.ones(1, "int32"))
    return model


@pytest.fixture(scope="session")
def dense_model():
    """The smallest functional model."""
    keras.utils.set_random_seed(2)
    x = keras.Input((4,), name="x")
    return keras.Model(x, keras.layers.Dense(3)(x))


@pytest.fixture
def endpoint_of():
    """Makes an endpoint of one function of `x` with the shape (batch, 4)."""

    def make(function, **options):
        return Endpoint(function, {"x": tf.TensorSpec((None, 4), tf.float32, name="x")}, **options)

    return make


@pytest.fixture(scope="session")
def saved(picture_model, tmp_path_factory):
    """The version directory of one verified SavedModel, with warm-up requests."""
    return to_saved_model(picture_model, tmp_path_factory.mktemp("saved") / "pictures", warmup=True)


@pytest.fixture(scope="session")
def onnx():
    """The onnx package; skips where the converter cannot be imported."""
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package, exc_type=Exception)
    return pytest.importorskip("onnx")


@pytest.fixture(scope="session")
def onnx_files(onnx, picture_model, tmp_path_factory):
    """`{endpoint: file}` of one verified ONNX export."""
    return to_onnx(picture_model, tmp_path_factory.mktemp("onnx"))
