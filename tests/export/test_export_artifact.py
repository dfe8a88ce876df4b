import json
import shutil

import numpy as np
import pytest

from keras_ae.errors import InputError
from keras_ae.export import Artifact


@pytest.fixture
def image():
    return np.random.default_rng(0).random((3, 8, 8, 1), "float32")


def test_a_version_directory_and_the_one_above_it_open_alike(saved, picture_model, image):
    for path in (saved, saved.parent, str(saved)):
        artifact = Artifact.open(path)
        assert artifact.path == saved and artifact.format == "saved_model"
    reconstruction = artifact.run("serving_default", image=image)["output"]
    np.testing.assert_allclose(reconstruction, picture_model(image), atol=1e-6)  # float32 rounding


def test_the_highest_version_is_opened(saved, tmp_path):
    for version in ("9", "10"):
        shutil.copytree(saved, tmp_path / version)
    assert Artifact.open(tmp_path).path.name == "10"


def test_encode_and_decode_run_on_the_artifact_alone(saved, image):
    artifact = Artifact.open(saved)
    encoded = artifact.run("encode", image=image)
    assert encoded["codes"].dtype == np.int32
    decoded = artifact.run("decode", codes=encoded["codes"].astype("int64"))["reconstruction"]
    expected = artifact.run("serving_default", image=image)["output"]
    np.testing.assert_allclose(decoded, expected, atol=1e-6)  # float32 rounding


def test_onnx_gives_what_the_saved_model_gives(saved, onnx_files, image):
    artifact = Artifact.open(onnx_files["encode"].parent)
    assert artifact.format == "onnx"
    ours, theirs = artifact.run("encode", image=image), Artifact.open(saved).run("encode", image=image)
    np.testing.assert_array_equal(ours["codes"], theirs["codes"])


def test_an_onnx_file_opens_as_its_one_endpoint(onnx_files, image):
    artifact = Artifact.open(onnx_files["encode"])
    assert artifact.run("encode", image=image)["codes"].shape == (3, 2, 2)
    message = r"endpoint must be one of \['encode'\] in .* Received: endpoint='decode'"
    with pytest.raises(InputError, match=message):
        artifact.run("decode", codes=np.zeros((1, 2, 2)))


def test_input_shapes_have_none_where_they_are_free(saved):
    assert Artifact.open(saved).input_shape("decode", "codes") == (None, 2, 2)
    with pytest.raises(InputError, match=r"one of the inputs \['codes'\] of .* Received: name='image'"):
        Artifact.open(saved).input_shape("decode", "image")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": np.zeros((1, 2, 2), "int32")}, r"inputs of .* must be \['codes'\]. Received: \['x'\]"),
        (
            {"codes": np.zeros((1, 3, 2), "int32")},
            r"shape \(batch, 2, 2\). Received: \(1, 3, 2\)",
        ),
        ({"codes": np.zeros((2, 2), "int32")}, r"shape \(batch, 2, 2\). Received: \(2, 2\)"),
        ({"codes": np.zeros((1, 2, 2))}, "must be int32. Received: dtype float64"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(saved, inputs, message):
    with pytest.raises(InputError, match=message):
        Artifact.open(saved).run("decode", **inputs)


def test_a_path_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(InputError, match="Received: path=.*nothing, which does not exist"):
        Artifact.open(tmp_path / "nothing")


@pytest.mark.parametrize("text", [None, "{", "[]", "{}", '{"format_version": 1}'])
def test_an_unreadable_manifest_is_refused(saved, tmp_path, text):
    shutil.copytree(saved, tmp_path / "1")
    (tmp_path / "1" / "manifest.json").unlink()
    if text is not None:
        (tmp_path / "1" / "manifest.json").write_text(text)
    with pytest.raises(InputError, match="must contain a readable manifest.json") as caught:
        Artifact.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_manifest_of_a_later_format_is_refused(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "1")
    manifest = json.loads((saved / "manifest.json").read_text())
    (tmp_path / "1" / "manifest.json").write_text(json.dumps({**manifest, "format_version": 2}))
    with pytest.raises(InputError, match="format version in .* must be 1. Received: 2"):
        Artifact.open(tmp_path)


def test_missing_files_are_named(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "1")
    shutil.rmtree(tmp_path / "1" / "variables")
    with pytest.raises(
        InputError, match=r"is incomplete: variables/variables\.\S+, variables/variables.index is missing"
    ):
        Artifact.open(tmp_path)


def test_a_missing_onnx_file_is_named(onnx_files, tmp_path):
    shutil.copytree(onnx_files["encode"].parent, tmp_path, dirs_exist_ok=True)
    (tmp_path / "decode.onnx").unlink()
    with pytest.raises(InputError, match="is incomplete: decode.onnx is missing"):
        Artifact.open(tmp_path)


def test_a_file_that_is_no_artifact_is_refused(saved):
    with pytest.raises(InputError, match="path must be an artifact or an .onnx file listed in"):
        Artifact.open(saved / "saved_model.pb")
