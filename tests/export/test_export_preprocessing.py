"""What an exported model knows of its raw inputs, and what it refuses."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.export import Artifact, to_onnx, to_saved_model
from keras_ae.export.raw_inputs import with_uint8_images
from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder, Preprocessing, VariationalAutoEncoder
from keras_ae.models.endpoint import checked_input

IMAGES = {"modality": "images", "value_range": [0.0, 1.0], "image_size": [4, 4], "channels": 1}


def networks(dim=3):
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(dim, 2, strides=2)])
    decoder = keras.Sequential([keras.Input((2, 2, dim)), keras.layers.Conv2DTranspose(1, 2, strides=2)])
    return encoder, decoder


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(3)
    return AutoEncoder(*networks(), VectorQuantizer(9), preprocessing=IMAGES)


@pytest.fixture(scope="module")
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 4, 4, 1), "uint8")


@pytest.fixture(scope="module")
def saved_model(model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved")
    return Artifact.open(to_saved_model(model, directory, endpoints=["encode", "decode"], uint8_images=True))


@pytest.fixture(scope="module")
def onnx_model(onnx, model, tmp_path_factory):
    directory = tmp_path_factory.mktemp("onnx")
    to_onnx(model, directory, endpoints=["encode"], uint8_images=True)
    return Artifact.open(directory)


def test_an_artifact_keeps_and_shows_the_preprocessing_of_its_model(saved_model):
    assert saved_model.preprocessing == Preprocessing.of(IMAGES)
    assert "'value_range': [0.0, 1.0]" in repr(saved_model)
    assert saved_model.manifest["endpoints"]["encode"]["inputs"]["x"]["value_range"] == [0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x, r"in \[0, 1\]. Received: dtype uint8. Pass x / 255, or export with uint8_images=True"),
        (lambda x: x.astype("int64"), r"must lie in \[0, 1\]. Received: values in \[\d+, 2\d\d\]"),
        (lambda x: x.astype("float32"), r"must lie in \[0, 1\]. Received: values in \[\d+, 2\d\d\]. Convert"),
        (lambda x: (x / 255 - 0.5) / 0.25, r"must lie in \[0, 1\]. Received: values in \[-1.9"),
        (lambda x: np.where(x == x[0, 0, 0], np.nan, x / 255), "must be finite. Received: NaN"),
        (lambda x: x.astype("U3"), "must be float32. Received: dtype <U3"),
        (lambda x: x[..., 0] / 255, r"shape \(batch, 4, 4, 1\). Received: \(5, 4, 4\)"),
    ],
)
def test_images_of_another_scale_are_refused(saved_model, pixels, change, message):
    with pytest.raises(InputError, match=message):
        saved_model.run("encode", x=change(pixels))


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.full((1, 2, 2), 2**32 + 1), "must be int32, from -2147483648 to 2147483647. Received: values fr"),
        (np.zeros((1, 2, 2)), "must be int32. Received: dtype float64. Codes, lengths and ids are whole"),
        (np.full((1, 2, 2), 9), r"must lie in \[0, 8\]. Received: values in \[9, 9\]"),
        (np.full((1, 2, 2), -1), r"must lie in \[0, 8\]. Received: values in \[-1, -1\]"),
    ],
)
def test_codes_that_cannot_be_meant_are_refused(saved_model, codes, message):
    with pytest.raises(InputError, match=message):
        saved_model.run("decode", codes=codes)


@pytest.mark.parametrize("artifact", ["saved_model", "onnx_model"])
def test_encode_uint8_gives_the_codes_of_the_scaled_images(request, artifact, model, pixels):
    artifact = request.getfixturevalue(artifact)
    codes = artifact.run("encode_uint8", x=pixels)["codes"]
    np.testing.assert_array_equal(codes, model.encode(pixels.astype("float32") / 255))
    np.testing.assert_array_equal(codes, artifact.run("encode", x=pixels / 255)["codes"])
    rows = [row for row in artifact.manifest["verification"] if row["endpoint"] == "encode_uint8"]
    assert rows and all(row["ok"] for row in rows)
    with pytest.raises(InputError, match="must be uint8. Received: dtype float64"):
        artifact.run("encode_uint8", x=pixels / 255)


def test_uint8_images_of_another_range_are_scaled_to_it(pixels):
    model = AutoEncoder(*networks(), preprocessing={"modality": "images", "value_range": (-1, 1)})
    endpoint = with_uint8_images(model.endpoints(), model.preprocessing)["encode_uint8"]
    given = endpoint.function(x=pixels)["embedding"]
    np.testing.assert_allclose(given, model.encode(pixels / np.float32(127.5) - 1), atol=1e-5)


def test_uint8_images_need_a_range_to_scale_to(tmp_path):
    with pytest.raises(InputError, match="Set model.preprocessing = ") as caught:
        to_saved_model(AutoEncoder(*networks()), tmp_path / "served", uint8_images=True)
    assert "\n" not in str(caught.value) and not (tmp_path / "served").exists()


def test_a_model_without_preprocessing_still_refuses_stored_pixels(saved):
    artifact = Artifact.open(saved)
    assert artifact.preprocessing is None
    with pytest.raises(InputError, match="must be float32. Received: dtype uint8, as pixels and samples are"):
        artifact.run("encode", image=np.zeros((1, 8, 8, 1), "uint8"))
    with pytest.raises(InputError, match="must be finite"):
        artifact.run("encode", image=np.full((1, 8, 8, 1), np.inf))


def test_a_functional_model_takes_its_preprocessing_from_the_export(picture_model, tmp_path):
    path = to_saved_model(picture_model, tmp_path, endpoints=["encode"], preprocessing=IMAGES | {
        "image_size": [8, 8]})  # fmt: skip
    with pytest.raises(InputError, match="Received: dtype uint8. Pass x / 255"):
        Artifact.open(path).run("encode", image=np.zeros((1, 8, 8, 1), "uint8"))


def test_an_artifact_of_an_older_version_opens_and_runs(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "1")
    manifest = json.loads((saved / "manifest.json").read_text())
    del manifest["preprocessing"]
    for entry in manifest["endpoints"].values():
        for spec in entry["inputs"].values():
            spec.pop("value_range", None)
    (tmp_path / "1" / "manifest.json").write_text(json.dumps(manifest))
    artifact = Artifact.open(tmp_path)
    assert artifact.preprocessing is None and "preprocessing unknown" in repr(artifact)
    assert artifact.run("encode", image=np.zeros((1, 8, 8, 1)))["codes"].shape == (1, 2, 2)


def test_padding_behind_the_lengths_may_hold_anything():
    x = np.zeros((2, 6, 3), "float32")
    x[1, 4:], x[0, 5] = 1e30, np.nan
    with pytest.raises(InputError, match="x must be finite"):
        checked_input("x", x, "float32", (0, 1), lengths=np.array([6, 4]))
    np.testing.assert_array_equal(checked_input("x", x, "float32", (0, 1), lengths=np.array([5, 4])), x)


@pytest.mark.parametrize("dtype, value_range, remedy", [
    ("uint16", (0, 1), "Pass x / 65535."),
    ("uint8", (0, 1), "Pass x / 255, or export with uint8_images=True and call `encode_uint8`."),
    ("int16", (-1, 1), "Convert it as the training data were converted."),
    ("uint8", (-1, 1), "Convert it as the training data were converted."),
])  # fmt: skip
def test_stored_pixels_and_samples_come_with_their_conversion(dtype, value_range, remedy):
    with pytest.raises(InputError) as caught:
        checked_input("x", np.zeros((2, 4), dtype), "float32", value_range)
    low, high = value_range
    expected = f"x must be float32 with values in [{low}, {high}]. Received: dtype {dtype}. {remedy}"
    assert str(caught.value) == expected


def test_pixels_up_to_255_are_inputs_of_a_model_that_takes_them_so():
    x = np.array([[0, 7, 255]], "uint8")
    found = checked_input("x", x, "float32", (0, 255))
    assert found.dtype == np.float32 and found.tolist() == [[0, 7, 255]]


RAGGED = [[1.0, 2.0], [3.0]]


@pytest.mark.parametrize(
    "rows",
    [
        RAGGED,
        [np.array(row) for row in RAGGED],
        [tf.constant(row) for row in RAGGED],
        np.array([np.array(row) for row in RAGGED], object),
        np.array(RAGGED, object),
        tf.ragged.constant(RAGGED),
        [RAGGED, 1.0],
    ],
)
def test_rows_of_different_lengths_are_no_array(rows, saved):
    expected = (
        "must be one array. Received: rows of different lengths. "
        "Pad them, and pass `lengths` if the model takes them."
    )
    with pytest.raises(InputError) as caught:
        checked_input("x", rows, "float32")
    assert str(caught.value) == f"x {expected}"
    with pytest.raises(InputError) as caught:
        Artifact.open(saved).run("encode", image=rows)
    assert str(caught.value) == f"Input `image` of `encode` {expected}"


def test_sentences_are_strings():
    for sentences in (["good", "bad day"], np.array(["good", b"bad day"], object), np.array([b"good"])):
        found = checked_input("text", sentences, "string")
        assert found.tolist() == list(sentences)
    for wrong, received in (([1, 2], "int"), (np.array(["good", None], object), "NoneType, str")):
        with pytest.raises(InputError, match=f"^text must be strings. Received: {received}.$"):
            checked_input("text", wrong, "string")


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_bounded_likelihood_says_the_range_of_values(likelihood):
    model = VariationalAutoEncoder(
        keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)]),
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(6)]),
        2,
        likelihood=likelihood,
    )
    bounded = Preprocessing(modality="values", value_range=(0, 1))
    assert model.preprocessing == (bounded if likelihood == "bernoulli" else None)
