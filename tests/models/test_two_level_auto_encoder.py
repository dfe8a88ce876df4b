import keras
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.layers import VectorQuantizer
from keras_ae.models import TwoLevelAutoEncoder
from keras_ae.networks import image_decoder, two_level_networks

SHAPE = (12, 20, 1)  # 3 x 5 bottom codes, 2 x 3 top codes: sizes that no halving meets


def networks(**kwargs):
    return two_level_networks(SHAPE, 4, filters=8, residual_blocks=1, **kwargs)


def quantizers():
    return {
        f"{name}_bottleneck": VectorQuantizer(16, kmeans_samples=64, seed=0, name=name)
        for name in ("top", "bottom")
    }


@pytest.fixture(scope="module")
def images():
    """Bright rectangles."""
    rng, x = np.random.default_rng(0), np.zeros((128, *SHAPE), "float32")
    for one in x:
        row, column = rng.integers(0, 8), rng.integers(0, 14)
        one[row : row + 4, column : column + 6] = rng.random() * 0.5 + 0.5
    return x


@pytest.fixture(scope="module")
def model(images):
    keras.utils.set_random_seed(0)
    model = TwoLevelAutoEncoder(**networks(), **quantizers())
    model.compile(keras.optimizers.Adam(5e-3), jit_compile=False)
    model.history_ = model.fit(images, batch_size=32, epochs=20, verbose=0).history
    return model


@pytest.mark.slow
def test_learns_and_names_the_metrics_of_both_levels(model, images):
    history = model.history_
    assert history["reconstruction_loss"][-1] < 0.5 * images.var()
    for level in ("top", "bottom"):
        assert history[f"{level}_usage"][-1] > 0.5
        assert f"{level}_commitment_loss" in history and f"{level}_perplexity" in history


def test_shapes_of_codes_and_embeddings(model, images):
    codes, embeddings = model.encode(images[:3]), model.embed(images[:3])
    assert {level: tuple(c.shape) for level, c in codes.items()} == {"top": (3, 2, 3), "bottom": (3, 3, 5)}
    assert codes["top"].dtype == "int32" and embeddings["bottom"].shape == (3, 3, 5, 4)
    assert model.code_shapes == {"top": (2, 3), "bottom": (3, 5)}


def test_call_in_inference_is_decode_of_encode(model, images):
    codes = model.encode(images[:5])
    np.testing.assert_array_equal(model(images[:5], training=False), model.decode(codes))
    np.testing.assert_array_equal(model.decode(model.embed(images[:5])), model.decode(codes))


def test_is_the_equations_of_its_parts(model, images):
    x = images[:5]
    h = model.bottom_encoder(x)
    top = model.top_bottleneck.encode(model.top_encoder(h))
    e_top = model.top_bottleneck.decode(top)
    bottom = model.bottom_bottleneck.encode(model.merge([h, model.top_decoder(e_top)]))
    codes = model.encode(x)
    np.testing.assert_array_equal(codes["top"], top)
    np.testing.assert_array_equal(codes["bottom"], bottom)
    x_hat = np.asarray(model.decoder([e_top, model.bottom_bottleneck.decode(bottom)]))
    np.testing.assert_allclose(model.evaluate(x, verbose=0, return_dict=True)["reconstruction_loss"],
                               np.square(x - x_hat).mean(), rtol=1e-5)  # fmt: skip


def test_image_depends_on_codes_of_both_levels(model, images):
    codes = {level: np.asarray(c).copy() for level, c in model.encode(images[:1]).items()}
    before = np.asarray(model.decode(codes))
    for level in codes:
        other = {**codes, level: (codes[level] + 5) % 16}
        assert np.abs(np.asarray(model.decode(other)) - before).max() > 1e-3


def test_every_network_gets_a_gradient(images):
    import tensorflow as tf

    model = TwoLevelAutoEncoder(**networks(), **quantizers())
    with tf.GradientTape() as tape:
        loss = model.compute_terms(images[:8], None, None, training=True, player="model")["loss"]
    for weight, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        assert gradient is not None, weight.path
    encoders = model.bottom_encoder.trainable_variables + model.top_encoder.trainable_variables
    with tf.GradientTape() as tape:
        loss = model.compute_terms(images[:8], None, None, training=True, player="model")["loss"]
    assert all(np.abs(g).max() > 0 for g in tape.gradient(loss, encoders))


def test_reloads(model, images, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(images[:4]), model(images[:4]))
    assert again.code_shapes == model.code_shapes


def test_bottlenecks_of_one_name_are_refused():
    with pytest.raises(ValueError, match="must have different names"):
        TwoLevelAutoEncoder(
            **networks(), top_bottleneck=VectorQuantizer(8), bottom_bottleneck=VectorQuantizer(8)
        )


def test_bottleneck_without_codes_is_refused():
    with pytest.raises(ValueError, match="discrete bottleneck"):
        TwoLevelAutoEncoder(**networks(), **{**quantizers(), "top_bottleneck": keras.layers.Dense(4)})


def test_decoder_of_another_shape_is_refused():
    top, bottom = keras.Input((2, 3, 4)), keras.Input((3, 5, 4))
    decoder = keras.Model([top, bottom], image_decoder((12, 16, 1), 4, filters=8)(bottom[:, :, :4]))
    with pytest.raises(InputError, match=r"\(None, 12, 16, 1\)"):
        TwoLevelAutoEncoder(**{**networks(), "decoder": decoder}, **quantizers())
