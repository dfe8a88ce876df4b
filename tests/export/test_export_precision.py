import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.export import Artifact, endpoints_of, float32_copy, to_onnx, to_saved_model
from keras_ae.models.endpoint import Endpoint


@keras.saving.register_keras_serializable(package="export_tests")
class Halving(keras.Model):
    """A subclassed model whose layers take the policy that holds when it is made."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.layers.Dense(3)

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x)

    def endpoints(self):
        specs = {"x": tf.TensorSpec((None, 4), tf.float32, name="x")}
        return {"serving_default": Endpoint(lambda x: {"y": self(x)}, specs)}


@pytest.fixture
def half_policy():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(policy)


@pytest.fixture
def half_model(half_policy, nearest_layer):
    keras.utils.set_random_seed(3)
    x = keras.Input((8, 4), name="x")
    z = nearest_layer()(keras.layers.Dense(5)(x))
    model = keras.Model(x, keras.layers.Dense(4, dtype="mixed_bfloat16")(z))
    model.compile("adam", "mse")
    return model


def test_a_float32_model_is_not_copied(dense_model):
    assert float32_copy(dense_model) is dense_model


def test_the_copy_computes_in_float32_with_the_same_weights(half_model):
    copy = float32_copy(half_model)
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    for ours, theirs in zip(copy.get_weights(), half_model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not copy.compiled


def test_neither_the_model_nor_the_global_policy_changes(half_model):
    float32_copy(half_model)
    assert half_model.layers[1].compute_dtype == "float16"
    assert keras.config.dtype_policy().name == "mixed_float16"


def test_layers_made_in_a_constructor_are_copied_too(half_policy):
    model = Halving()
    model(np.ones((2, 4), "float32"))
    assert model.inner.compute_dtype == "float16"
    copy = float32_copy(model)
    assert copy.inner.compute_dtype == "float32"
    np.testing.assert_array_equal(copy.inner.kernel, model.inner.kernel)


def test_a_model_that_cannot_be_rebuilt_is_one_line(half_policy):
    class Unrebuildable(keras.Model):
        def __init__(self, size):
            super().__init__()
            self.inner = keras.layers.Dense(size)

    with pytest.raises(InputError, match=r"Received: Unrebuildable \(.*Define its get_config") as caught:
        float32_copy(Unrebuildable(3))
    assert "\n" not in str(caught.value)


def test_endpoints_passed_for_a_half_model_are_refused(half_model, endpoint_of, tmp_path):
    with pytest.raises(InputError, match="float32_copy"):
        to_saved_model(half_model, tmp_path, endpoints={"score": endpoint_of(lambda x: {"y": x})})


def test_a_mixed_precision_model_exports_to_a_saved_model(half_model, tmp_path):
    check(Artifact.open(to_saved_model(half_model, tmp_path)), half_model)


def test_a_mixed_precision_model_exports_to_onnx(onnx, half_model, tmp_path):
    to_onnx(half_model, tmp_path)
    check(Artifact.open(tmp_path), half_model)


def check(artifact, model):
    x = np.random.default_rng(0).random((3, 8, 4), "float32")
    outputs = artifact.run("serving_default", x=x)
    assert outputs["output"].dtype == np.float32
    expected = endpoints_of(float32_copy(model))["encode"].function(x=x)
    np.testing.assert_array_equal(artifact.run("encode", x=x)["codes"], expected["codes"])
