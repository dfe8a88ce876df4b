import keras
import numpy as np
import pytest

from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder, CodePrior, GenerativeAutoEncoder, TwoLevelAutoEncoder
from keras_ae.networks import image_decoder, image_encoder, two_level_networks

SHAPE = (8, 8, 1)
SMALL = {"filters": 8, "residual_blocks": 1}
PRIOR = {"dim": 8, "depth": 1, "num_attention_heads": 2}
GIVEN_TOP = {"condition_values": 5, "condition_shape": (1, 1)}


def vqvae():
    networks = image_encoder(SHAPE, 4, **SMALL), image_decoder(SHAPE, 4, **SMALL)
    return AutoEncoder(*networks, VectorQuantizer(6, seed=0))


def two_levels():
    top, bottom = VectorQuantizer(5, seed=0, name="top"), VectorQuantizer(6, seed=1, name="bottom")
    networks = two_level_networks(SHAPE, 4, **SMALL)
    return TwoLevelAutoEncoder(**networks, top_bottleneck=top, bottom_bottleneck=bottom)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).random((24, *SHAPE), "float32")


@pytest.fixture(scope="module")
def model(images):
    """Two levels, trained for an epoch, and conditional on labels at both."""
    keras.utils.set_random_seed(0)
    auto_encoder = two_levels()
    auto_encoder.compile("adam")
    auto_encoder.fit(images, verbose=0)
    top = CodePrior(5, (1, 1), num_labels=3, **PRIOR)
    bottom = CodePrior(6, (2, 2), num_labels=3, **GIVEN_TOP, **PRIOR)
    model = GenerativeAutoEncoder(auto_encoder, top, bottom)
    model.compile("adam")
    return model


@pytest.mark.slow
def test_training_moves_the_priors_and_nothing_else(model, images):
    frozen = [np.asarray(v) for v in model.auto_encoder.variables]
    heads = [prior.network.head.kernel for prior in model.priors]
    before = [np.asarray(head) for head in heads]
    history = model.fit({"x": images, "labels": np.arange(24) % 3}, epochs=2, verbose=0).history
    for old, variable in zip(frozen, model.auto_encoder.variables, strict=True):
        np.testing.assert_array_equal(variable, old)
    assert all((np.asarray(new) != old).all() for old, new in zip(before, heads, strict=True))
    names = {f"{level}{term}" for level in ("", "top_", "bottom_") for term in ("loss", "accuracy")}
    assert set(history) == names


@pytest.mark.slow
def test_log_prob_is_that_of_top_and_of_bottom_given_top(model, images):
    labels, codes = np.arange(24) % 3, model.encode(images)
    expected = np.asarray(model.prior.log_prob(codes["top"], labels=labels)) + np.asarray(
        model.bottom_prior.log_prob(codes["bottom"], labels=labels, condition=codes["top"])
    )
    np.testing.assert_allclose(model.log_prob(codes, labels=labels), expected, rtol=1e-6)
    loss = model.evaluate({"x": images, "labels": labels}, verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(loss, -expected.mean() / 5, rtol=1e-5)  # 5 codes an image


def test_draws_are_decoded_codes_and_both_levels_have_noise_of_their_own(model):
    codes = model.sample_codes(4, seed=3, labels=1)
    assert {level: tuple(c.shape) for level, c in codes.items()} == {"top": (4, 1, 1), "bottom": (4, 2, 2)}
    np.testing.assert_array_equal(model.sample(4, seed=3, labels=1), model.decode(codes))
    other = np.asarray(model.sample_codes(4, seed=4, labels=1)["bottom"])
    assert (other != np.asarray(codes["bottom"])).any()


def test_endpoint_draws_what_its_noise_stands_for(model):
    noise = np.random.default_rng(0).random((3, 5), "float32")
    labels = np.array([0, 1, 2], "int32")
    outputs = model.endpoints()["sample"].function(noise=noise, labels=labels)
    top, _ = model.prior.codes_of_noise(noise[:, :1], labels=labels)
    bottom, _ = model.bottom_prior.codes_of_noise(noise[:, 1:], labels=labels, condition=top)
    np.testing.assert_array_equal(outputs["top_codes"], top)
    np.testing.assert_array_equal(outputs["bottom_codes"], bottom)
    expected = model.decode({"top": top, "bottom": bottom})
    np.testing.assert_array_equal(outputs["reconstruction"], expected)


@pytest.mark.slow
def test_labels_and_levels_reload(model, images, tmp_path):
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.sample(3, seed=0, labels=2), model.sample(3, seed=0, labels=2))
    np.testing.assert_array_equal(again(images), model(images))


@pytest.mark.slow
def test_generates_what_it_was_shown():
    """Images of which only three occur: the draws are these three, about equally often."""
    keras.utils.set_random_seed(0)
    patterns = (np.random.default_rng(1).random((3, *SHAPE)) > 0.5).astype("float32")
    images = np.tile(patterns, (64, 1, 1, 1))
    auto_encoder = vqvae()
    auto_encoder.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    auto_encoder.fit(images, epochs=10, verbose=0)
    model = GenerativeAutoEncoder(auto_encoder, CodePrior(6, (2, 2), dim=16, depth=1))
    model.compile(keras.optimizers.Adam(1e-2), jit_compile=False)
    model.fit(images, epochs=10, verbose=0)
    codes = np.asarray(model.encode(patterns)).reshape(3, -1)
    drawn = np.asarray(model.sample_codes(300, seed=0)).reshape(300, -1)
    counts = [(drawn == one).all(axis=1).sum() for one in codes]
    assert len(np.unique(codes, axis=0)) == 3
    # 300 draws of probability 1/3 each: 100 +- 8; the training may leave the rest a little
    assert sum(counts) > 270 and min(counts) > 60


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GenerativeAutoEncoder(vqvae(), CodePrior(5, (2, 2), **PRIOR)), r"\(6, \(2, 2\)\)"),
        (
            lambda: GenerativeAutoEncoder(two_levels(), CodePrior(5, (1, 1), **PRIOR)),
            "priors must have",
        ),
        (
            lambda: GenerativeAutoEncoder(
                two_levels(), CodePrior(5, (1, 1), **PRIOR), CodePrior(6, (2, 2), **PRIOR)
            ),
            "conditioned on",
        ),
        (
            lambda: GenerativeAutoEncoder(
                AutoEncoder(image_encoder(SHAPE, 4, **SMALL), image_decoder(SHAPE, 4, **SMALL)),
                CodePrior(5, (2, 2), **PRIOR),
            ),
            "discrete bottleneck",
        ),
    ],
    ids=["other codes", "one prior for two levels", "bottom without top", "no codes"],
)
def test_parts_that_do_not_fit_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
