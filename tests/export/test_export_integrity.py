"""An artifact whose files or manifest are not those that were exported is refused in one line."""

import hashlib
import json
import os
import pickle
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders.loading import load_encoder
from keras_ae.export import Artifact, to_onnx, to_saved_model, verification_table, write_warmup
from keras_ae.training.cli import main

IMAGE = np.random.default_rng(0).random((2, 8, 8, 1), "float32")


@pytest.fixture
def exported(onnx_files, tmp_path):
    """A copy of an ONNX export."""
    return shutil.copytree(onnx_files["encode"].parent, tmp_path / "1")


@pytest.fixture
def refused():
    """The one-line error of a call."""

    def call(function, *args):
        with pytest.raises(InputError) as caught:
            function(*args)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return call


@pytest.fixture
def edit(exported):
    """Changes the manifest of the export."""

    def change(**entries):
        path = exported / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))

    return change


@pytest.mark.parametrize("format", ["onnx", "saved_model"])
def test_the_manifest_lists_size_and_hash_of_every_file(format, onnx_files, saved):
    folder = saved if format == "saved_model" else onnx_files["encode"].parent
    contents = json.loads((folder / "manifest.json").read_text())["contents"]
    files = {path for path in folder.rglob("*") if path.is_file()} - {folder / "manifest.json"}
    expected = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    assert contents == {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in expected.items()
    }
    assert ("assets.extra/tf_serving_warmup_requests" in contents) == (format == "saved_model")


def test_a_flipped_bit_a_cut_file_and_a_swapped_file_are_refused(exported, refused):
    whole = (exported / "decode.onnx").read_bytes()
    place = len(whole) // 2
    flipped = whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    (exported / "decode.onnx").write_bytes(flipped)
    text = refused(Artifact.open, exported.parent)
    assert f"is damaged: decode.onnx must have the {len(whole)} bytes that were exported" in text
    assert "Received: other contents." in text
    for path in (exported.parent, exported, exported / "decode.onnx", exported / "encode.onnx"):
        assert refused(load_encoder, path) == text
    assert Artifact.open(exported / "encode.onnx").run("encode", image=IMAGE)["codes"].shape == (2, 2, 2)

    (exported / "decode.onnx").write_bytes(whole[:300])
    assert "Received: 300 bytes." in refused(Artifact.open, exported)
    shutil.copy(exported / "encode.onnx", exported / "decode.onnx")
    assert "decode.onnx must have" in refused(Artifact.open, exported)


def test_an_encoder_is_loaded_from_the_highest_version_a_version_or_a_file(exported, saved):
    expected = Artifact.open(exported).run("encode", image=IMAGE)["embedding"]
    shutil.copytree(exported, exported.parent / "2")
    for path in (exported.parent, exported, exported / "encode.onnx", saved.parent):
        encoder = load_encoder(path)
        np.testing.assert_allclose(encoder.embed(IMAGE), expected, atol=1e-6)
        assert encoder.embed(IMAGE[:0]).shape == (0, 2, 2, 4) and encoder.reconstruct is not None
    (exported.parent / "2" / "encode.onnx").unlink()
    with pytest.raises(InputError, match="is incomplete: encode.onnx is missing"):
        load_encoder(exported.parent)


def test_a_flipped_bit_of_a_saved_model_is_refused(saved, tmp_path, refused):
    folder = shutil.copytree(saved, tmp_path / "1")
    data = next((folder / "variables").glob("*.data*"))
    data.write_bytes(bytes([data.read_bytes()[0] ^ 1]) + data.read_bytes()[1:])
    assert f"variables/{data.name} must have the" in refused(Artifact.open, tmp_path)
    assert f"variables/{data.name} must have the" in refused(load_encoder, tmp_path)


def test_warm_up_requests_that_are_added_later_belong_to_the_artifact(saved, tmp_path):
    folder = shutil.copytree(saved, tmp_path / "1")
    write_warmup(folder, {"encode": {"image": IMAGE}})
    assert Artifact.open(tmp_path).path == folder


SPEC = {"shape": [None, 2], "axes": ["batch", None], "dtype": "float32"}


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"format": "zip"}, "format must be one of saved_model, onnx"),
        ({"format": ["onnx"]}, "format must be one of"),
        ({"endpoints": []}, "endpoints is not a dict"),
        ({"endpoints": {"encode": 5}}, "'encode' must be an identifier with inputs and outputs"),
        ({"endpoints": {"../e": {"inputs": {}, "outputs": {}}}}, "'../e' must be an identifier"),
        ({"endpoints": {"e": {"inputs": {"x": 1}, "outputs": {}}}}, "value_range of 'x' in e is not valid"),
        *[
            ({"endpoints": {"e": {"inputs": {"x": {**SPEC, key: value}}, "outputs": {}}}}, "'x' in e is not")
            for key, value in {
                "shape": [None, "2"],
                "axes": ["batch"],
                "dtype": "float3",
                "value_range": [0, "1"],
            }.items()
        ],
        ({"files": "vocabulary.txt"}, "files must be a list"),
        ({"files": ["../../etc/passwd"]}, "'../../etc/passwd' is not the name of a file of the artifact"),
        ({"contents": {"/etc/passwd": {}}}, "'/etc/passwd' is not the name of a file"),
        ({"contents": {"encode.onnx": {"size": 1}}}, "size or sha256 of encode.onnx is not valid"),
        ({"shared_weights": 3}, "3 is not the name of a file"),
        ({"preprocessing": 3}, "preprocessing is not a dict"),
        ({"verification": {}}, "verification is not a list"),
    ],
)
def test_malformed_entries_of_a_manifest_are_named(exported, edit, refused, entries, reason):
    edit(**entries)
    text = refused(Artifact.open, exported.parent)
    assert "must contain a readable manifest.json" in text and reason in text
    assert reason in refused(load_encoder, exported.parent)


def test_malformed_contents_of_the_entries_are_named(exported, edit, refused):
    edit(preprocessing={"modality": "images", "image_size": "large"})
    text = refused(Artifact.open, exported)
    assert text.startswith(f"The preprocessing in {exported / 'manifest.json'} is not valid (")
    edit(preprocessing=None, verification=[{"format": "onnx"}])
    assert "must contain a valid verification" in refused(verification_table, exported)


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "\xff", '{"format_version": 1, "format": "onnx", "endpoints": 1}'],
    ids=["nested too deeply", "no text", "other entries"],
)
def test_a_malformed_manifest_is_one_line_on_the_command_line(exported, tmp_path, capsys, text):
    (exported / "manifest.json").write_bytes(text.encode("latin-1"))
    np.savez(tmp_path / "images.npz", x=IMAGE)
    code = main(["encode", str(exported), str(tmp_path / "images.npz"), str(tmp_path / "codes.npz")])
    error = capsys.readouterr().err
    assert code == 2 and error.count("\n") == 1 and "readable manifest.json" in error


def test_a_used_artifact_can_be_pickled(exported, saved, monkeypatch, tmp_path):
    monkeypatch.chdir(exported.parent)
    for path in ("1", "1/encode.onnx", saved):
        artifact = Artifact.open(path)
        expected = artifact.run("encode", image=IMAGE)
        text = pickle.dumps(artifact)
        monkeypatch.chdir("/")  # workers have their own
        found = pickle.loads(text).run("encode", image=IMAGE)
        monkeypatch.chdir(exported.parent)
        np.testing.assert_array_equal(found["codes"], expected["codes"])
        assert list(pickle.loads(text).manifest["endpoints"]) == list(artifact.manifest["endpoints"])


def test_a_pickled_artifact_is_not_another_export(exported, edit, refused):
    text = pickle.dumps(Artifact.open(exported))
    edit(created="later")
    assert "must contain the export that was pickled" in refused(pickle.loads, text)


def test_a_full_disk_is_one_line(onnx, dense_model, tmp_path, refused, monkeypatch):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("pathlib.Path.write_bytes", full)

    def full_for_tensorflow(*_, **__):
        path = tmp_path / "variables" / "part"
        told = f"{{{{function_node __wrapped__SaveV2}}}} {path}; No space left on device [Op:SaveV2]"
        raise tf.errors.ResourceExhaustedError(None, None, told)

    monkeypatch.setattr(keras.export.ExportArchive, "write_out", full_for_tensorflow)
    for write in (to_onnx, to_saved_model):
        text = refused(write, dense_model, tmp_path / "export")
        assert f"must be writable. Received: {tmp_path / 'export'} (No space left on device)." in text
        assert not list(tmp_path.iterdir())
