"""Models under Keras' other settings: float64 numbers, NumPy scalars as arguments, quantised weights."""

import json
import sys

import keras
import numpy as np
import pytest

from keras_ae.layers import (
    CausalTransformerBlock,
    GRUDecoder,
    GumbelOneHot,
    MutualInformationNetwork,
    VectorQuantizer,
)
from keras_ae.models import AutoEncoder, CodePrior, VariationalAutoEncoder
from keras_ae.models.base import BaseModel
from keras_ae.networks import image_decoder, image_encoder

IMAGE = (8, 8, 1)
# Keras says so of each layer that has nothing to quantise
pytestmark = pytest.mark.filterwarnings("ignore:.*does not have a `quantize` method.*:UserWarning")


def embedding(model, x):
    return keras.tree.flatten(model.encode(x))


# each way in which a model makes numbers of its own: terms, noise, masks, draws, steps, losses of layers
@pytest.mark.parametrize(
    "name",
    ["binary", "discrete_vae", "speech_vae", "sequence_deep_info_max"]
    + ["sequence_cpc", "code_prior", "skip_thought", "users_functional"],
)
def test_a_model_trains_where_numbers_are_float64(name):
    (case,) = (case for case in sys.modules["conformance_models"].CASES if case.name == name)
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    try:
        model, x = case.compiled(run_eagerly=True), case.data(5)
        x = keras.tree.map_structure(
            lambda part: part.astype("float64") if part.dtype.kind == "f" else part, x
        )
        history = model.fit(**case.fit_arguments(x), batch_size=5, verbose=0).history
        assert all(np.isfinite(values).all() for values in history.values())
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def test_numpy_scalars_are_settings_of_models_and_networks(tmp_path):
    two, eight = np.int64(2), np.int64(8)
    size = {"filters": eight, "residual_blocks": np.int32(1), "flatten": np.True_}
    networks = image_encoder((eight, eight, 1), two, **size), image_decoder((eight, eight, 1), two, **size)
    model = VariationalAutoEncoder(*networks, two, beta=np.float32(0.5), seed=np.int64(3))
    assert (model.latent_dim, type(model.latent_dim)) == (2, int)
    assert json.loads(json.dumps(model.get_config()))["beta"] == 0.5
    model.save(tmp_path / "model.keras")
    x = np.random.default_rng(0).random((3, *IMAGE), "float32")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.encode(x), model.encode(x))


def test_numpy_scalars_are_settings_of_recipes():
    from keras_ae.training.recipes.images.vqvae import VqVaeRecipe

    recipe = VqVaeRecipe(
        data="digits", epochs=np.int64(3), learning_rate=np.float32(0.5), num_embeddings=np.int16(16)
    )
    assert (
        recipe.settings()
        == VqVaeRecipe(data="digits", epochs=3, learning_rate=0.5, num_embeddings=16).settings()
    )
    assert json.loads(json.dumps(recipe.settings()))["epochs"] == 3


def quantised(model, x, path):
    """Quantised, and loaded again."""
    model.quantize("int8")
    model.save(path)
    loaded = keras.saving.load_model(path)
    for ours, theirs in zip(embedding(model, x), embedding(loaded, x), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    return loaded


def images(examples=3):
    return np.random.default_rng(0).random((examples, *IMAGE), "float32")


def test_a_quantised_vae_keeps_its_mean_and_variance_in_float32(tmp_path):
    size = {"filters": 4, "residual_blocks": 1, "flatten": True}
    model = VariationalAutoEncoder(image_encoder(IMAGE, 4, **size), image_decoder(IMAGE, 3, **size), 3)
    model = quantised(model, images(), tmp_path / "model.keras")
    bottleneck = model.bottleneck
    assert {part.quantization_mode for part in (bottleneck.mean_map, bottleneck.log_variance_map)} == {None}
    assert "int8" in [weight.dtype for weight in model.encoder.weights]


def test_a_quantised_auto_encoder_keeps_the_maps_of_its_codebook_in_float32(tmp_path):
    size = {"filters": 4, "residual_blocks": 1}
    quantizer = VectorQuantizer(4, codebook_dim=2, kmeans_samples=0, seed=0)
    model = AutoEncoder(image_encoder(IMAGE, 4, **size), image_decoder(IMAGE, 4, **size), quantizer)
    codes = model.encode(images())
    model = quantised(model, images(), tmp_path / "model.keras")
    np.testing.assert_array_equal(model.encode(images()), codes)


def test_a_quantised_prior_is_loaded_with_its_blocks_quantised(tmp_path):
    model = CodePrior(5, (2, 3), dim=8, depth=1, num_attention_heads=2)
    codes = np.random.default_rng(0).integers(0, 5, (4, 2, 3), "int32")
    expected = model.log_prob(codes)
    model.quantize("int8")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.log_prob(codes), model.log_prob(codes))
    np.testing.assert_allclose(loaded.log_prob(codes), expected, rtol=0.05)
    assert [w.dtype for w in loaded.weights] == [w.dtype for w in model.weights]
    assert sum(w.dtype == "int8" for w in loaded.weights) == 4 + 3 + 1  # maps of the block, tables, the head


@pytest.mark.parametrize(
    "make",
    [
        lambda x: CausalTransformerBlock(8, num_heads=2)(x, keras.ops.tril(keras.ops.ones((5, 5), "bool")))[
            0
        ],
        lambda x: MutualInformationNetwork(4)(x),
        lambda x: GRUDecoder(4)(x, x[:, 0]),
    ],
    ids=["CausalTransformerBlock", "MutualInformationNetwork", "GRUDecoder"],
)
def test_a_quantised_layer_of_several_maps_is_loaded_quantised(make, tmp_path):
    inputs = keras.Input((5, 8))
    model, x = keras.Model(inputs, make(inputs)), np.random.default_rng(0).random((2, 5, 8), "float32")
    model.quantize("int8")
    assert "int8" in [weight.dtype for weight in model.weights]
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(keras.saving.load_model(tmp_path / "model.keras")(x), model(x))


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("steps", [0, 1])
def test_a_compiled_model_is_quantised_saved_and_loaded_with_its_optimizer(steps, tmp_path):
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)])
    model = VariationalAutoEncoder(encoder, decoder, 2, likelihood="gaussian")
    model.compile("adam", run_eagerly=True)
    x = np.random.default_rng(0).random((4, 6), "float32")
    if steps:
        model.fit(x, verbose=0)
    kept = {variable.path: np.array(variable) for variable in model.optimizer.variables}
    model.quantize("int8")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(model.optimizer.variables) < len(kept)
    for ours, theirs in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(ours, kept[ours.path])
        np.testing.assert_array_equal(theirs, ours)
    loaded.fit(x, verbose=0)


@pytest.mark.filterwarnings("error::UserWarning")
def test_layers_of_the_package_say_nothing_when_they_are_not_quantised():
    for bottleneck in (VectorQuantizer(4, kmeans_samples=0), GumbelOneHot(num_groups=2)):
        encoder = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
        decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6)])
        model = AutoEncoder(encoder, decoder, bottleneck)
        model.quantize("int8")
        assert "int8" in [weight.dtype for weight in model.weights]


class LateHead(BaseModel):
    """Makes its part when it is built."""

    def build(self, input_shape):
        self.head = keras.layers.Dense(3)
        self.head.build(input_shape)
        self.built = True

    def call(self, x):
        return self.head(x)


def test_a_part_that_is_made_by_build_is_loaded_quantised(tmp_path):
    model = LateHead()
    model.build((None, 4))
    model.quantize("int8")
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"LateHead": LateHead})
    x = np.ones((2, 4), "float32")
    assert loaded.head.quantization_mode == "int8"
    np.testing.assert_array_equal(loaded(x), model(x))
