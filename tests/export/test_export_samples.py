import numpy as np
import tensorflow as tf

from keras_ae.export.samples import axis_names, counted_inputs, free_lengths, random_inputs, uncounted_axes


def spec(*shape, dtype="float32"):
    return tf.TensorSpec((None, *shape), dtype)


def test_inputs_without_lengths_of_their_own_share_the_name_length():
    inputs = {"x": spec(None, 3), "y": spec(None), "lengths": spec(dtype="int32")}
    assert axis_names(inputs)["x"] == ("batch", "length", None)
    assert axis_names(inputs)["y"] == ("batch", "length")
    assert free_lengths(inputs) == ["length"]


def test_inputs_with_lengths_of_their_own_have_axes_of_their_own():
    inputs = {"content": spec(None, 2), "style": spec(None, 2), "style_lengths": spec(dtype="int32")}
    assert free_lengths(inputs) == ["length", "style_length"]


def test_pictures_of_free_size_have_height_and_width():
    assert axis_names({"image": spec(None, None, 3)})["image"] == ("batch", "height", "width", None)


def test_random_lengths_lie_between_one_and_the_length_they_speak_of():
    inputs = {
        "content": spec(None, 2),
        "lengths": spec(dtype="int32"),
        "style": spec(None, 2),
        "style_lengths": spec(dtype="int32"),
    }
    sizes = {"batch": 200, "length": 3, "style_length": 6}
    arrays = random_inputs(inputs, sizes, np.random.default_rng(0))
    assert arrays["content"].shape == (200, 3, 2) and arrays["style"].shape == (200, 6, 2)
    assert set(arrays["lengths"]) == {1, 2, 3}
    assert set(arrays["style_lengths"]) == {1, 2, 3, 4, 5, 6}
    assert arrays["lengths"].dtype == np.int32


def test_random_floats_are_uniform_masks_true_ids_zero():
    inputs = {
        "x": spec(50),
        "mask": spec(50, dtype="bool"),
        "ids": spec(50, dtype="int32"),
        "label": spec(dtype="int32"),
    }
    arrays = random_inputs(inputs, {"batch": 20}, np.random.default_rng(0))
    assert 0 <= arrays["x"].min() < 0.05 and 0.95 < arrays["x"].max() < 1
    assert arrays["mask"].all() and not arrays["ids"].any() and not arrays["label"].any()


def test_lengths_count_the_sequences_without_lengths_of_their_own():
    lengths = spec(dtype="int32")
    codes = {"codes": spec(None, dtype="int32"), "code_lengths": lengths}
    utterances = {"x": spec(None, 3), "lengths": lengths, "target": spec(None, 3), "target_lengths": lengths}
    assert counted_inputs(codes) == {"code_lengths": ["codes"]}
    assert counted_inputs(utterances) == {"target_lengths": ["target"], "lengths": ["x"]}
    both = {"x": spec(None, 3), "lengths": lengths, **codes, "labels": lengths}
    assert counted_inputs(both) == {"lengths": ["x"], "code_lengths": ["codes"]}
    assert uncounted_axes(both) == []
    assert uncounted_axes({"x": spec(None, None), "lengths": lengths}) == ["x axis 2"]
    assert uncounted_axes({"x": spec(None, 3), "other_lengths": spec(2, dtype="int32")}) == ["x axis 1"]


def test_lengths_of_codes_are_drawn_like_others():
    # 0 everywhere, the outputs of `decode` would be padding, whatever the artifact computes
    inputs = {"codes": spec(None, dtype="int32"), "code_lengths": spec(dtype="int32")}
    arrays = random_inputs(inputs, {"batch": 100, "length": 3}, np.random.default_rng(0))
    assert set(arrays["code_lengths"]) == {1, 2, 3}
