"""Targets and weights that cannot be meant: labels are not drawn, and nothing is broadcast."""

import numpy as np
import pytest
import tensorflow as tf

from small_models import (
    CODES,
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
    prior,
    quick_thought,
    speech_auto_encoder,
    two_level,
    vae,
)

TARGETS = {
    "auto-encoder": (auto_encoder, IMAGES),
    "vae": (vae, IMAGES),
    "discrete vae": (discrete_vae, IMAGES),
    "two levels": (two_level, np.ones((6, 8, 8, 1), "float32")),
    "disentangler": (disentangler, {"x": IMAGES, "label": LABELS}),
    "speech": (
        speech_auto_encoder,
        {"x": np.ones((6, 60), "float32"), "lengths": np.full(6, 60), "speaker": LABELS},
    ),
}


@pytest.mark.parametrize("name", TARGETS)
def test_labels_are_not_taken_for_the_target(name):
    make, x = TARGETS[name]
    model = compiled(make())
    for method in (model.fit, model.evaluate):
        text = message(method, x, LABELS, verbose=0)
        assert "y is the target of the reconstruction and must have the shape of x" in text
        assert "Received: y of shape (batch,)" in text and "Labels are not a target" in text
    stream = tf.data.Dataset.from_tensor_slices((x, LABELS)).batch(3)
    assert "y of shape (batch,)" in message(model.fit, stream, verbose=0)


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        (np.repeat(IMAGES, 3, axis=-1), "(batch, 4, 4, 3)"),
        (LABELS[:, None], "(batch, 1)"),
        (IMAGES[..., 0], "(batch, 4, 4)"),
    ],
    ids=["three channels", "column of labels", "no channels"],
)
def test_a_target_of_another_shape_is_refused_with_both_shapes(target, shape):
    model = compiled(auto_encoder())
    for method in (model.fit, model.evaluate):
        text = message(method, IMAGES, target, verbose=0)
        assert "must have the shape of x, (batch, 4, 4, 1)." in text
        assert f"Received: y of shape {shape}" in text


def test_a_generator_of_images_and_labels_is_refused_before_the_first_step():
    def batches():
        while True:
            yield IMAGES, LABELS

    model = compiled(auto_encoder())
    before = model.get_weights()
    assert "Labels are not a target" in message(model.fit, batches(), steps_per_epoch=2, verbose=0)
    assert_weights(model, before)


def test_class_weights_are_refused():
    text = message(compiled(auto_encoder()).fit, IMAGES, class_weight={0: 1.0, 1: 2.0}, verbose=0)
    assert "class_weight" in text and "sample_weight" in text


def test_weights_of_positions_are_refused():
    text = message(compiled(auto_encoder()).fit, IMAGES, sample_weight=np.ones((6, 4, 4)), verbose=0)
    assert "sample_weight must have the shape (6,)" in text and "(6, 4, 4)" in text


def test_weights_of_evaluate_count_by_their_place():
    model, weights = compiled(auto_encoder()), np.array([3, 0, 0, 1, 0, 0], "float32")
    expected = model.evaluate(IMAGES, sample_weight=weights, batch_size=2, verbose=0, return_dict=True)
    found = model.evaluate(IMAGES, None, 2, 0, weights, return_dict=True)
    assert found == expected
    assert found != model.evaluate(IMAGES, None, 2, 0, return_dict=True)
    assert "one weight for each example" in message(model.evaluate, IMAGES, None, 2, 0, weights[:2])


WITHOUT_TARGET = {
    "contrastive predictive coding": (contrastive_predictive_coding, np.ones((6, 40), "float32")),
    "deep info max": (deep_info_max, IMAGES),
    "quick-thought": (quick_thought, {"ids": CODES, "document": np.zeros(6, int), "position": np.arange(6)}),
    "prior": (prior, CODES),
}


@pytest.mark.parametrize("name", WITHOUT_TARGET)
def test_labels_as_target_are_refused_where_nothing_is_made_of_them(name):
    make, x = WITHOUT_TARGET[name]
    model = compiled(make())
    stream = tf.data.Dataset.from_tensor_slices((x, LABELS)).batch(6)
    for method in (model.fit, model.evaluate):
        text = message(method, x, LABELS, verbose=0)
        assert text.startswith("y must be None, since the model has no target. Received: y=")
        assert "y must be None" in message(method, stream, verbose=0)
    assert "y must be None" in message(model.fit, x, validation_data=(x, LABELS), verbose=0)


@pytest.mark.parametrize("name", WITHOUT_TARGET)
def test_the_place_of_a_target_may_be_filled_where_weights_follow_it_in_a_stream(name):
    make, x = WITHOUT_TARGET[name]
    model = compiled(make())
    weighted = tf.data.Dataset.from_tensor_slices((x, LABELS, np.ones(6, "float32"))).batch(6)
    found = model.evaluate(weighted, verbose=0, return_dict=True)
    assert np.isfinite(list(found.values())).all()


def test_labels_of_a_conditional_prior_are_asked_for_by_name():
    conditioned = compiled(prior(num_labels=3))
    assert 'fit({"x": x, "labels": y})' in message(conditioned.fit, CODES, LABELS, verbose=0)
