"""Encoders of other tools get their inputs in the form that they were trained on."""

import importlib.util
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.evaluation import embedding_report, load_encoder
from keras_ae.evaluation.encoders._onnx_features import features_axis
from loaded_embeddings import embedding_of
from onnx_graphs import save_onnx

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.random((5, 4, 6, 3)).astype("float32")
KERNEL = GENERATOR.normal(size=(2, 3)).astype("float32")  # two maps of three channels
MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.5)


def channels_first(path, shape=("batch", 3, None, None)):
    """A convolution of one pixel, ReLU, and a classifier on the mean of its two maps."""
    return save_onnx(
        path,
        [
            ("Conv", ["pixels", "kernel"], ["maps"], {}),
            ("Relu", ["maps"], ["active"], {}),
            ("GlobalAveragePool", ["active"], ["means"], {}),
            ("Flatten", ["means"], ["scores"], {}),
        ],
        {"pixels": ("float32", shape)},
        {"scores": ("float32", ("batch", 2))},
        {"kernel": KERNEL[:, :, None, None]},
    )


def maps_of(images):
    """What the convolution should make of images with channels last."""
    return (images - np.array(MEAN)) / np.array(STD) @ KERNEL.T


def test_images_reach_channels_first_standardised(tmp_path):
    path = channels_first(tmp_path / "model.onnx")
    expected = np.maximum(maps_of(IMAGES), 0).mean(axis=(1, 2))
    np.testing.assert_allclose(embedding_of(path, IMAGES, mean=MEAN, std=STD), expected, rtol=1e-5)
    pixels = np.round(255 * IMAGES)
    expected = np.maximum(maps_of(pixels / 255), 0).mean(axis=(1, 2))
    for data, scale in ((pixels.astype("uint8"), None), (pixels, 255)):
        found = embedding_of(path, data, mean=MEAN, std=STD, scale=scale)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    # numbers for pixels up to 255
    options = {"mean": 255 * np.array(MEAN), "std": 255 * np.array(STD), "input_range": (0, 255)}
    np.testing.assert_allclose(embedding_of(path, pixels / 255, **options), expected, rtol=1e-4)


def test_without_options_only_the_axes_change_and_data_in_the_form_of_the_input_are_passed(tmp_path):
    path = channels_first(tmp_path / "model.onnx")
    expected = np.maximum(IMAGES @ KERNEL.T, 0).mean(axis=(1, 2))
    np.testing.assert_allclose(embedding_of(path, IMAGES), expected, rtol=1e-5)
    np.testing.assert_allclose(embedding_of(path, IMAGES.transpose(0, 3, 1, 2)), expected, rtol=1e-5)


def test_the_layout_must_be_given_where_the_axes_do_not_show_it(tmp_path):
    path = channels_first(tmp_path / "free.onnx", ("batch", None, None, None))
    with pytest.raises(InputError, match="layout must be given: the free axes .* Pass nchw or nhwc"):
        load_encoder(path, mean=0.5)
    expected = np.maximum(IMAGES @ KERNEL.T, 0).mean(axis=(1, 2))
    np.testing.assert_allclose(embedding_of(path, IMAGES, layout="nchw"), expected, rtol=1e-5)
    with pytest.raises(InputError, match="layout must be nchw, that of the encoder's input pixels"):
        load_encoder(channels_first(tmp_path / "fixed.onnx"), layout="nhwc")


def test_images_get_the_size_and_the_channels_that_the_input_fixes(tmp_path):
    path = channels_first(tmp_path / "model.onnx", (1, 3, 2, 2))
    grey = np.repeat(GENERATOR.random((3, 1, 1, 1)).astype("float32"), 8, axis=1).repeat(8, axis=2)
    expected = np.maximum(grey[:, 0, 0] * KERNEL.sum(axis=1), 0)  # the same at all positions
    np.testing.assert_allclose(embedding_of(path, grey), expected, rtol=1e-5)
    assert "resized to 2 × 2 pixels" in load_encoder(path).conversion.describe()["text"]
    # halves of 0 and 1 that are shrunk by a whole number stay halves
    halves = np.zeros((1, 8, 8, 3), "uint8")
    halves[:, 4:] = 255
    shrunk = load_encoder(path).conversion(halves)["pixels"]
    assert shrunk.dtype == np.uint8 and shrunk[0, 0, 0].mean() < 40 and shrunk[0, 0, 1].mean() > 215


def test_an_inner_tensor_is_the_embedding_and_maps_are_pooled(tmp_path):
    path = channels_first(tmp_path / "model.onnx")
    maps = IMAGES @ KERNEL.T
    np.testing.assert_allclose(
        embedding_of(path, IMAGES, output_name="maps"), maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6
    )
    found = embedding_of(path, IMAGES, "mean_and_deviation", output_name="maps")
    np.testing.assert_allclose(found[:, 2:], maps.std(axis=(1, 2)), rtol=1e-4)
    np.testing.assert_allclose(
        embedding_of(path, IMAGES, "none", output_name="maps"), maps, rtol=1e-4, atol=1e-6
    )
    with pytest.raises(InputError) as caught:
        load_encoder(path, output_name="map")
    assert str(caught.value) == (
        "output_name must be an output or an inner tensor of model.onnx. Received: 'map'. The outputs are "
        "scores. The last inner tensors are maps, active, means. Perhaps you meant maps."
    )


def test_maps_behind_a_transposition_have_their_channels_last(tmp_path):
    """As in files that were converted from TensorFlow."""
    path = save_onnx(
        tmp_path / "model.onnx",
        [
            ("Transpose", ["x"], ["first"], {"perm": [0, 3, 1, 2]}),
            ("Conv", ["first", "kernel"], ["maps"], {}),
            ("Transpose", ["maps"], ["last"], {"perm": [0, 2, 3, 1]}),
            ("Relu", ["last"], ["active"], {}),
            ("ReduceSum", ["active"], ["z"], {}),
        ],
        {"x": ("float32", (None, 4, 6, 3))},
        {"z": ("float32", (1, 1, 1, 1))},
        {"kernel": KERNEL[:, :, None, None]},
    )
    maps = IMAGES @ KERNEL.T
    for name, values in (("maps", maps), ("last", maps), ("active", np.maximum(maps, 0))):
        expected = values.mean(axis=(1, 2))
        found = embedding_of(path, IMAGES, output_name=name)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_a_saved_model_of_uint8_gets_stored_pixels(tmp_path):
    spec = tf.TensorSpec((None, 4, 6, 3), tf.uint8, name="image_bytes")
    mean = tf.function(
        lambda image_bytes: {"z": tf.reduce_mean(tf.cast(image_bytes, tf.float32), axis=(1, 2))},
        input_signature=[spec],
    )
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures={"serving_default": mean})
    expected = np.round(255 * IMAGES).mean(axis=(1, 2))
    np.testing.assert_allclose(embedding_of(tmp_path, IMAGES, input_range="auto"), expected, rtol=1e-6)
    stored = np.round(255 * IMAGES).astype("uint8")
    np.testing.assert_allclose(embedding_of(tmp_path, stored), expected, rtol=1e-6)
    with pytest.raises(
        InputError, match="images must be uint8, .* Received: float32. Pass input_range='auto'"
    ):
        embedding_of(tmp_path, IMAGES)
    with pytest.raises(InputError, match="mean and std must be used only with inputs of floats"):
        load_encoder(tmp_path, mean=0.5)
    with pytest.raises(InputError, match="output_name must be an output of the signature serving_default"):
        load_encoder(tmp_path, output_name="y")


@pytest.mark.parametrize("kind", ["int32", "int64", "int8"])
def test_inputs_of_signed_integers_get_stored_pixels(tmp_path, kind):
    shape = (None, 4, 6, 3)
    path = save_onnx(
        tmp_path / "model.onnx",
        [("Cast", ["x"], ["z"], {"to": 1})],
        {"x": (kind, shape)},
        {"z": ("float32", shape)},
        {},
    )
    options = {"input_range": "auto"}
    if kind == "int8":
        with pytest.raises(
            InputError, match="input_range must be given .* int8, .* input_range='auto'. Pass"
        ):
            load_encoder(path, **options)
        options = {"input_range": (-128, 127)}
    expected = np.round(255 * IMAGES) - (128 if kind == "int8" else 0)
    found = embedding_of(path, IMAGES, "none", **options)
    np.testing.assert_allclose(found, expected, atol=1 if kind == "int8" else 0)


@pytest.mark.parametrize(
    ("layer", "high"),
    [
        (keras.layers.Rescaling(1 / 127.5, offset=-1), 255),
        (keras.layers.Rescaling(2.0, offset=-1), 1),
        (keras.layers.Normalization(mean=[120.0, 110.0, 100.0], variance=[60.0, 60.0, 60.0]), 255),
        (keras.layers.Normalization(mean=[0.5, 0.4, 0.3], variance=[0.1, 0.1, 0.1]), 1),
    ],
    ids=["bytes", "unit", "normalisation of bytes", "normalisation"],
)
def test_the_preprocessing_layers_of_a_keras_model_show_the_range_of_its_inputs(tmp_path, layer, high):
    inputs = keras.Input((None, None, 3))
    h = keras.layers.Resizing(2, 2)(inputs)
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1, name="maps")(layer(h)))
    model.save(tmp_path / "model.keras")
    expected = model(high * IMAGES)
    found = load_encoder(tmp_path / "model.keras", input_range="auto")
    np.testing.assert_allclose(found.embed(IMAGES), expected, rtol=1e-4, atol=1e-5)
    assert found.conversion.value_range == (0, high) and not found.conversion.assumed
    pooled = embedding_of(model, IMAGES, output_name="maps")  # values unchanged without input_range
    np.testing.assert_allclose(pooled, np.mean(model(IMAGES), axis=(1, 2)), rtol=1e-4, atol=1e-5)


def test_an_assumed_range_is_stated(tmp_path):
    conversion = load_encoder(channels_first(tmp_path / "model.onnx"), input_range="auto").conversion
    assert conversion.assumed and "an assumption" in conversion.describe()["text"]


@pytest.mark.parametrize("option", ["layer", "output_name"])
def test_maps_of_a_chosen_layer_are_pooled_by_either_option(option):
    inputs = keras.Input((4, 6, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(keras.layers.Conv2D(2, 1, name="maps")(inputs)))
    maps = model.get_layer("maps")(IMAGES)
    found = embedding_of(model, IMAGES, **{option: "maps"})
    np.testing.assert_allclose(found, np.mean(maps, axis=(1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        embedding_of(model, IMAGES, "none", **{option: "maps"}), maps, rtol=1e-4, atol=1e-6
    )


def test_pixel_options_leave_the_maps_of_an_export_of_this_package_as_they_are(tmp_path):
    path = save_onnx(
        tmp_path / "encode.onnx",
        [("Identity", ["x"], ["embedding"], {})],
        {"x": ("float32", (None, 4, 6, 3))},
        {"embedding": ("float32", (None, 4, 6, 3))},
        {},
    )
    known = {"modality": "images", "value_range": [0, 1]}
    (tmp_path / "manifest.json").write_text(json.dumps({"preprocessing": known}))
    for options in ({}, {"scale": 255}):
        found = embedding_of(path, IMAGES * options.get("scale", 1), **options)
        np.testing.assert_allclose(found, IMAGES, rtol=1e-6)


def test_maps_that_end_with_channels_last_are_pooled_over_positions(tmp_path):
    """As in files of Keras models whose input alone was moved to channels first, and the reverse."""
    nodes = [("Conv", ["x", "kernel"], ["maps"], {}), ("Transpose", ["maps"], ["z"], {"perm": [0, 2, 3, 1]})]
    kernel = {"kernel": KERNEL[:, :, None, None]}
    first = {"x": ("float32", (None, 3, 4, 6))}
    path = save_onnx(tmp_path / "a.onnx", nodes, first, {"z": ("float32", (None, 4, 6, 2))}, kernel)
    expected = (IMAGES @ KERNEL.T).mean(axis=(1, 2))
    np.testing.assert_allclose(embedding_of(path, IMAGES), expected, rtol=1e-4, atol=1e-6)
    nodes = [("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]}), ("Conv", ["t", "kernel"], ["z"], {})]
    last = {"x": ("float32", (None, 4, 6, 3))}
    path = save_onnx(tmp_path / "b.onnx", nodes, last, {"z": ("float32", (None, 2, 4, 6))}, kernel)
    np.testing.assert_allclose(embedding_of(path, IMAGES), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([("Conv", "x", {})], "first"),
        ([("Conv", "x", {}), ("Squeeze", "", {}), ("Transpose", "", {"perm": [0, 2, 1]})], "last"),
        ([("Transpose", "x", {"perm": [0, 2, 1]})], "last"),
        ([("MatMul", "x", {}), ("Transpose", "", {"perm": [0, 2, 1]})], "first"),
        ([("Conv", "x", {}), ("Reshape", "", {}), ("Transpose", "", {"perm": [0, 2, 1]})], "last"),
        ([("Conv", "x", {}), ("Reshape", "", {})], None),
        ([("Conv", "x", {}), ("MatMul", "w", {})], None),
        ([("LayerNormalization", "x", {}), ("Add", "", {})], "last"),
        ([("Relu", "x", {})], None),
    ],
    ids=lambda value: "-".join(one[0] for one in value) if isinstance(value, list) else str(value),
)
def test_operators_show_the_axis_of_the_features(nodes, expected):
    helper = pytest.importorskip("onnx", exc_type=Exception).helper
    made, last = [], "x"
    for number, (kind, given, attributes) in enumerate(nodes):
        inputs = [given, last] if given == "w" else [last, "w"]
        made.append(helper.make_node(kind, inputs, [f"t{number}"], **attributes))
        last = f"t{number}"
    weight = helper.make_tensor("w", 1, [1], [1.0])
    value = helper.make_tensor_value_info("x", 1, None)
    assert features_axis(helper.make_graph(made, "graph", [value], [], [weight]), last) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "chw"}, "layout must be nchw or nhwc. Received: layout='chw'"),
        (
            {"mean": (0.1, 0.2)},
            "mean must be finite numbers: one or 3, one for each channel. Received: mean=",
        ),
        (
            {"mean": 123.7},
            r"mean must lie in the range of the inputs, \[0, 1\]. .* input_range=\(0, 255\)",
        ),
        ({"std": 0}, "std must be positive numbers"),
        ({"std": "a"}, "std must be a number, or one for each channel. Received: std='a'"),
        ({"scale": 0}, "scale must be a positive number"),
        ({"input_range": (1, 0)}, "input_range must be"),
        ({"sample_rate": 0}, "sample_rate must be at least 1 Hz"),
        (
            {"sample_rate": 8000},
            r"sample_rate must be used only with an encoder of waveforms, .* pixels \(None, 3",
        ),
        ({"tokenizer": len}, "tokenizer must be used only with an encoder of ids"),
        ({"tokenizer": len, "mean": 0.5}, "mean must be used only with encoders of images"),
    ],
)
def test_options_that_are_not_valid_are_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        load_encoder(channels_first(tmp_path / "model.onnx"), **options)


def test_options_need_an_encoder_whose_inputs_are_known(tmp_path):
    with pytest.raises(InputError, match="mean must be used only with an encoder whose inputs are known"):
        load_encoder(lambda x: x, mean=0.5)
    with pytest.raises(InputError, match="output_name must be used only with a model or a file"):
        load_encoder(lambda x: x, output_name="z")
    vectors = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    with pytest.raises(
        InputError, match="mean must be used only with an encoder of images, whose only input"
    ):
        load_encoder(vectors, mean=0.5)
    with pytest.raises(InputError, match="layout must be given to load_encoder"):
        embedding_report(load_encoder(vectors), np.zeros((9, 4)), path=None, layout="nchw")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (255 * IMAGES, r"images must lie in \[0, 1\] .* Pass scale=, the pixel value of white, such as 255"),
        (IMAGES[..., :2], "with 3 channels on the last axis. Received: shape"),
        (IMAGES[0], "images must be .* Received: shape"),
    ],
)
def test_data_that_are_no_images_for_the_encoder_are_refused(tmp_path, data, message):
    with pytest.raises(InputError, match=message):
        embedding_of(channels_first(tmp_path / "model.onnx"), data, mean=0.5)


STORED = np.round(255 * IMAGES).astype("uint8")


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (IMAGES, {"mean": MEAN, "std": STD}),
        (STORED, {"mean": MEAN, "std": STD}),
        (STORED.astype("float32"), {"mean": MEAN, "std": STD, "scale": 255}),
        (STORED, {"input_range": (-1, 1)}),
        (IMAGES, {}),
        (IMAGES.transpose(0, 3, 1, 2), {}),
    ],
    ids=["unit", "stored", "scaled", "stored, two-sided", "unchanged", "channels first"],
)
def test_reconstructions_return_to_the_form_of_the_data(tmp_path, data, options):
    flat = {"z": ("float32", (None, 3, 4, 6))}
    copy = [("Identity", ["x"], ["z"], {})]
    save_onnx(tmp_path / "encode.onnx", copy, {"x": flat["z"]}, flat, {})
    copy = [("Identity", ["z"], ["made"], {})]
    save_onnx(tmp_path / "decode.onnx", copy, flat, {"made": flat["z"]}, {})
    made = load_encoder(tmp_path, **options).reconstruct(data)
    np.testing.assert_allclose(made, data, atol=1e-6 * data.max())


def published_model():
    """The classifier of turned lines of text that a package on PyPI contains."""
    spec = importlib.util.find_spec("rapidocr_onnxruntime")
    if spec is None:
        pytest.skip("rapidocr-onnxruntime is not installed; `make test` installs it where it can be had")
    return Path(spec.submodule_search_locations[0]) / "models" / "ch_ppocr_mobile_v2.0_cls_infer.onnx"


def test_a_published_model_reports_what_it_was_trained_for(tmp_path):
    """Lines of text that are upright or turned by 180°, which the model tells apart."""
    from PIL import Image, ImageDraw, ImageFont

    path, font = published_model(), ImageFont.load_default(28)
    images, turned = [], np.arange(60) % 2
    for number in range(60):
        image = Image.new("RGB", (192, 48), "white")
        ImageDraw.Draw(image).text((6, 6), f"Chapter {number * 37}", "black", font)
        images.append(np.asarray(image.rotate(180 * turned[number])))
    options = {"mean": 0.5, "std": 0.5}  # as in the code of the package
    scores = embedding_of(path, np.array(images), **options)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)  # of a softmax
    assert np.mean(scores.argmax(axis=1) == turned) >= 0.95
    results = embedding_report(
        path,
        np.array(images),
        {"turned": turned},
        tmp_path / "page.html",
        pairs=False,
        output_name="pool2d_10.tmp_0",
        verbose=False,
        **options,
    )
    assert results["encoder"]["embedding_shape"] == [1, 1, 200] and results["encoder"]["numbers"] == 200
    assert results["probes"]["turned"]["linear"] >= 0.95
    assert results["encoder"]["inputs"]["layout"] == "nchw"
    page = (tmp_path / "page.html").read_text()
    assert (
        "passed in [0, 1], reduced by the mean 0.5, divided by the standard deviation 0.5; float32, " in page
    )
