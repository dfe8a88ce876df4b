"""Values that a model cannot take: refused before the first step, in one line."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.models import AutoEncoder
from keras_ae.models._data_checks import check_values
from small_models import (
    IMAGES,
    LABELS,
    assert_weights,
    auto_encoder,
    compiled,
    contrastive_predictive_coding,
    deep_info_max,
    discrete_vae,
    disentangler,
    message,
    quick_thought,
    speech_auto_encoder,
    vae,
)

# the range of bounded likelihoods, and values that are not finite

BOUNDED = {
    "vae": (vae, 'likelihood="bernoulli"', 'choose likelihood="gaussian"'),
    "discrete vae": (discrete_vae, 'likelihood="bernoulli"', 'choose likelihood="gaussian"'),
    "cross entropy": (
        lambda: auto_encoder(reconstruction_loss="binary_crossentropy"),
        "reconstruction_loss='binary_crossentropy'",
        'choose reconstruction_loss="mse"',
    ),
    "cross entropy object": (
        lambda: auto_encoder(reconstruction_loss=keras.losses.BinaryCrossentropy(from_logits=True)),
        "reconstruction_loss=BinaryCrossentropy",
        'choose reconstruction_loss="mse"',
    ),
}


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_pixels_up_to_255_are_refused_by_a_bounded_likelihood(name, method):
    make, setting, remedy = BOUNDED[name]
    model = compiled(make())
    x = np.round(255 * IMAGES)
    x[0], x[1] = 0, 255
    text = message(getattr(model, method), x, verbose=0)
    assert text.startswith(f"x must lie in [0, 1] for {setting}. Received: values in [0, 255]. Divide by 255")
    assert remedy in text
    stream = tf.data.Dataset.from_tensor_slices(x).batch(3)
    assert message(getattr(model, method), stream, verbose=0) == text


def test_standardised_data_are_refused_and_the_weights_are_those_of_before():
    model = compiled(vae())
    before = model.get_weights()
    text = message(model.fit, (IMAGES - 0.5) / 0.3, verbose=0)
    assert "x must lie in [0, 1]" in text and "Received: values in [-1." in text
    assert_weights(model, before)


def test_the_range_is_that_of_the_target_where_a_noisy_input_is_given():
    model = compiled(vae())
    noisy = IMAGES + np.random.default_rng(1).normal(size=IMAGES.shape).astype("float32")
    model.fit(noisy, IMAGES, verbose=0)
    assert message(model.fit, IMAGES, noisy, verbose=0).startswith("y must lie in [0, 1]")
    assert message(model.evaluate, IMAGES, 2 * IMAGES, verbose=0).startswith("y must lie in [0, 1]")
    assert model.encode(noisy).shape == (6, 2)


def test_validation_data_are_checked_before_the_training():
    model = compiled(vae())
    before = model.get_weights()
    assert "[0, 1]" in message(model.fit, IMAGES, validation_data=(300 * IMAGES,), verbose=0)
    stream = tf.data.Dataset.from_tensor_slices((IMAGES, LABELS)).batch(3)
    assert "y is the target" in message(model.fit, IMAGES, validation_data=stream, verbose=0)
    assert_weights(model, before)


@pytest.mark.parametrize(
    ("make", "x"),
    [
        (lambda: vae(likelihood="gaussian"), 255 * IMAGES),
        (auto_encoder, np.round(255 * IMAGES).astype("uint8")),
    ],
    ids=["gaussian likelihood", "squared error"],
)
def test_an_unbounded_likelihood_takes_any_range(make, x):
    history = compiled(make()).fit(x, verbose=0).history
    assert history["loss"][0] > 100  # squared errors of pixels up to 255


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # meant to
def test_a_range_is_checked_in_each_fit_and_evaluate_of_a_generator():
    def batches(scale=1.0):
        yield from ((scale * IMAGES[i : i + 2],) for i in range(4))

    model = compiled(vae())
    model.fit(batches(), verbose=0)
    assert "[0, 1]" in message(model.fit, batches(9.0), verbose=0)
    assert "[0, 1]" in message(model.evaluate, batches(9.0), verbose=0)
    assert "[0, 1]" in message(model.train_on_batch, 9 * IMAGES)


@pytest.mark.parametrize("make", [vae, auto_encoder, deep_info_max, disentangler])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_counted_in_rows(make, value):
    model, x = compiled(make()), IMAGES.copy()
    x[2, 1, 1], x[4, 0] = value, value
    x = {"x": x, "label": LABELS} if make is disentangler else x
    for method in (model.fit, model.evaluate):
        text = message(method, x, verbose=0)
        assert "x must be finite" in text and "in 2 of 6 rows, the first is row 2" in text
    assert "x must be finite" in message(model.encode, x)


def test_padding_and_examples_without_weight_may_hold_anything():
    frames = [keras.Sequential([keras.Input((None, 2)), keras.layers.Dense(2)]) for _ in range(2)]
    rules = AutoEncoder(*frames).input_rules()
    x = np.ones((3, 4, 2), "float32")
    x[0, 2:], x[2] = np.nan, np.inf
    given = {"x": x, "lengths": np.array([2, 4, 4])}
    check_values(rules, given, sample_weight=np.array([1, 1, 0]))
    assert "1 of 3 rows, the first is row 2" in message(check_values, rules, given)


# data that leave nothing to learn


def test_clips_without_a_frame_to_predict_are_refused_with_their_number():
    model = compiled(contrastive_predictive_coding())
    before = model.get_weights()
    text = message(model.fit, {"x": np.ones((3, 40), "float32"), "lengths": np.array([8, 5, 1])}, verbose=0)
    assert "at least 9 positions" in text and "0 usable clips of 3, the longest of 8" in text
    stream = tf.data.Dataset.from_tensors(np.ones((3, 8), "float32"))
    assert "0 usable clips of 3" in message(model.fit, stream, verbose=0)
    assert_weights(model, before)
    model.fit({"x": np.ones((3, 40), "float32"), "lengths": np.array([8, 9, 1])}, verbose=0)
    assert model.optimizer.iterations == 1


def test_the_shortest_clip_is_sought_once():
    model, calls = contrastive_predictive_coding(), []
    shape_of = model.encoder.compute_output_shape
    object.__setattr__(
        model.encoder, "compute_output_shape", lambda shape: calls.append(1) or shape_of(shape)
    )
    model.check_batch(np.ones((3, 40), "float32"))
    sought = len(calls)
    model.check_batch(np.ones((3, 12), "float32"))
    assert sought > 0 and len(calls) == sought


def test_sentences_without_neighbours_in_the_data_are_refused_with_their_number():
    x = {"ids": np.ones((4, 3), "int32"), "document": np.zeros(4, int), "position": 2 * np.arange(4)}
    assert "0 of 4 sentences with a neighbour" in message(compiled(quick_thought()).fit, x, verbose=0)


def test_sequences_of_padding_alone_are_refused():
    x = {"x": np.ones((6, 60), "float32"), "lengths": np.zeros(6, int), "speaker": LABELS}
    assert "lengths must be positive" in message(compiled(speech_auto_encoder()).fit, x, verbose=0)
