"""Names and axes of inputs: what is misspelt or lacks an axis is refused with the shape that is meant."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder, GenerativeAutoEncoder
from small_models import (
    CODES,
    IMAGES,
    LABELS,
    auto_encoder,
    compiled,
    contrastive_predictive_coding,
    deep_info_max,
    discrete_vae,
    disentangler,
    message,
    prior,
    quick_thought,
    skip_thought,
    speech_auto_encoder,
    two_level,
    vae,
)

KERAS_METHODS = ("fit", "evaluate", "predict")
METHODS = (*KERAS_METHODS, "encode", "embed", "reconstruct")


def refusal(model, method, x):
    options = {"verbose": 0} if method in KERAS_METHODS else {}
    return message(getattr(model, method), x, **options)


@pytest.mark.parametrize("method", METHODS)
def test_a_misspelt_name_is_not_ignored(method):
    model = compiled(auto_encoder())
    text = refusal(model, method, {"x": IMAGES, "length": LABELS})
    assert 'unknown "length". Did you mean "lengths"?' in text
    assert 'without "x"' in refusal(model, method, {"lengths": LABELS})


@pytest.mark.parametrize(
    ("make", "method"),
    [(make, method) for make in (auto_encoder, vae) for method in METHODS]
    + [(deep_info_max, method) for method in METHODS if method != "reconstruct"],
)
def test_an_image_without_a_batch_or_channel_axis_is_refused(method, make):
    model = compiled(make())
    text = refusal(model, method, IMAGES[0])
    assert "x must have the shape (batch, 4, 4, 1). Received: shape (4, 4, 1)." in text and "x[None]" in text
    text = refusal(model, method, IMAGES[..., 0])
    assert "Received: shape (6, 4, 4)." in text and "x[..., None]" in text


def test_images_with_their_channels_first_are_refused():
    encoder = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Conv2D(2, 1)])
    decoder = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(3, 1)])
    text = message(compiled(AutoEncoder(encoder, decoder)).fit, np.ones((5, 3, 4, 4), "float32"), verbose=0)
    assert "np.moveaxis(x, 1, -1)" in text


def test_a_dataset_that_is_not_batched_is_refused():
    stream = tf.data.Dataset.from_tensor_slices(IMAGES)
    assert "batch(n)" in message(compiled(auto_encoder()).fit, stream, verbose=0)


def test_lengths_beyond_the_padding_are_refused():
    model = compiled(speech_auto_encoder())
    x = {"x": np.ones((2, 60), "float32"), "lengths": np.array([60, 600]), "speaker": np.zeros(2, int)}
    assert "lengths must lie in [0, 60]" in message(model.fit, x, verbose=0)
    assert "lengths must lie in [0, 60]" in message(model.encode, {**x, "lengths": np.array([60, 61])})


def test_entries_of_different_numbers_of_rows_are_refused():
    model = compiled(disentangler())
    assert "6 of x, 5 of label" in message(model.fit, {"x": IMAGES, "label": LABELS[:5]}, verbose=0)


def test_sentences_without_their_neighbours_are_refused():
    ids = {"ids": np.ones((4, 3), "int32")}
    text = message(compiled(quick_thought()).fit, ids, verbose=0)
    assert 'without "document", "position"' in text and "sentence_blocks" in text
    text = message(compiled(skip_thought()).fit, ids, verbose=0)
    assert 'without "previous", "next"' in text and "sentence_triples" in text


def test_a_prior_takes_what_it_is_conditioned_on():
    model = compiled(prior((2, 2), num_labels=3))
    codes = np.zeros((5, 2, 2), "int32")
    assert 'without "labels"' in message(model.fit, codes, verbose=0)
    assert 'Did you mean "labels"' in message(model.fit, {"x": codes, "label": LABELS[:5]}, verbose=0)
    assert "(batch, 2, 2)" in message(model.fit, {"x": codes[0], "labels": LABELS[:2]}, verbose=0)


def test_a_generative_model_takes_the_inputs_of_its_auto_encoder():
    model = compiled(GenerativeAutoEncoder(auto_encoder(VectorQuantizer(4)), prior((4, 4))))
    assert "x[..., None]" in message(model.fit, IMAGES[..., 0], verbose=0)
    assert 'unknown "labels"' in message(model.fit, {"x": IMAGES, "labels": LABELS}, verbose=0)


# the methods beside `fit`

OF_A_CODE = ("encode", "embed", "reconstruct", "score", "reconstruction_error")
CHECKED = {
    "auto-encoder": (auto_encoder, IMAGES, OF_A_CODE),
    "vae": (vae, IMAGES, OF_A_CODE),
    "discrete vae": (discrete_vae, IMAGES, OF_A_CODE),
    "two levels": (two_level, np.zeros((2, 8, 8, 1), "float32"), OF_A_CODE),
    "disentangler": (disentangler, IMAGES, ("encode", "embed")),
    "deep info max": (deep_info_max, IMAGES, ("encode", "embed", "score")),
    "contrastive predictive coding": (
        contrastive_predictive_coding,
        np.ones((6, 40), "float32"),
        ("encode", "embed", "features"),
    ),
    "prior": (prior, CODES, ("log_prob",)),
}


@pytest.mark.parametrize("name", CHECKED)
def test_methods_refuse_none_nan_and_other_shapes(name):
    make, x, methods = CHECKED[name]
    model, broken = make(), x.astype("float32")
    broken[0] = np.nan
    for method in (getattr(model, method) for method in methods):
        assert " must be " in message(method, None)
        assert "must be finite" in message(method, broken)
        with pytest.raises(ValueError, match="must (have|be integers of) the shape"):
            method(x[..., 0])


@pytest.mark.parametrize("make", [auto_encoder, vae, discrete_vae])
def test_decode_refuses_none_and_nan(make):
    model = make()
    codes = np.array(model.embed(IMAGES))
    codes[0] = np.nan
    assert message(model.decode, None).startswith("codes must be an array")
    assert "codes must be finite" in message(model.decode, codes)


def test_two_levels_of_codes_are_decoded_together_only():
    model = two_level()
    assert 'codes must be {"top":, "bottom":}' in message(model.decode, None)
    assert 'codes["top"] must be an array' in message(model.decode, {"top": None, "bottom": CODES})


def test_an_embedding_that_is_scored_has_the_shape_of_the_models():
    model = deep_info_max()
    np.testing.assert_allclose(model.score(IMAGES, model.encode(IMAGES)), model.score(IMAGES), rtol=1e-5)
    assert "embedding must have the shape (batch, 2)" in message(model.score, IMAGES, np.ones((6, 3)))
