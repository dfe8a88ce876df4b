"""Weights of several ONNX files are stored once."""

import keras
import numpy as np
import pytest

from keras_ae.evaluation.encoders.loading import load_encoder
from keras_ae.export import Artifact, to_onnx
from keras_ae.export.cases import make_cases
from keras_ae.export.endpoints import endpoints_of
from keras_ae.export.onnx import write_onnx


@pytest.fixture(scope="module")
def model(nearest_layer):
    """An auto-encoder whose encoder (64 kB) and decoder (64 kB) are each in two of three endpoints."""
    keras.utils.set_random_seed(3)
    x = keras.Input((128,), name="x")
    z = nearest_layer(name="nearest")(keras.layers.Dense(128, activation="tanh")(x))
    return keras.Model(x, keras.layers.Dense(128)(z))


def size(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


def test_the_weights_of_an_export_are_stored_once(onnx, model, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    files = to_onnx(model, tmp_path)  # verified in a process of its own
    folder = tmp_path / "1"
    artifact = Artifact.open(folder)
    assert artifact.manifest["shared_weights"] == "weights.data" in artifact.manifest["contents"]
    kernels = [weight.numpy() for weight in model.weights if weight.path.endswith("kernel")]
    codebook = 2 * 7 * 128 * 4  # bytes, as it is and transposed; biases are below 1 KiB
    assert (folder / "weights.data").stat().st_size == sum(kernel.nbytes for kernel in kernels) + codebook
    assert all(file.stat().st_size < 20_000 for file in files.values())

    x = np.random.default_rng(0).random((3, 128), "float32")
    session = onnxruntime.InferenceSession(files["serving_default"], providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(session.run(None, {"x": x})[0], model(x), atol=1e-5)
    for path in (tmp_path, files["encode"]):
        embedding = artifact.run("encode", x=x)["embedding"]
        np.testing.assert_allclose(load_encoder(path).embed(x), embedding, atol=1e-6)
    held = {tuple(t.dims): t for t in onnx.load(files["encode"]).graph.initializer}[128, 128]
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(held), kernels[0])


def test_each_file_is_complete_on_request(onnx, model, tmp_path):
    table = endpoints_of(model)
    cases = make_cases(table)
    sizes = {}
    for shared in (True, False):
        folder = tmp_path / str(shared)
        folder.mkdir()
        write_onnx(table, cases, folder, shared_weights=shared)
        assert (folder / "weights.data").exists() == shared
        sizes[shared] = size(folder)
    assert sizes[True] < 0.6 * sizes[False]


def test_an_export_that_would_not_become_smaller_has_no_further_file(onnx, model, onnx_files, tmp_path):
    assert not (onnx_files["encode"].parent / "weights.data").exists()  # all weights are below 1 KiB
    table = {"encode": endpoints_of(model)["encode"]}
    write_onnx(table, make_cases(table), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["encode.onnx"]


def test_a_single_file_opens_with_its_weights(onnx, model, tmp_path):
    files = to_onnx(model, tmp_path, endpoints=["encode", "serving_default"])
    (tmp_path / "1" / "serving_default.onnx").unlink()
    x = np.random.default_rng(1).random((2, 128), "float32")
    assert Artifact.open(files["encode"]).run("encode", x=x)["codes"].shape == (2,)
    (tmp_path / "1" / "weights.data").unlink()
    with pytest.raises(ValueError, match="is incomplete: weights.data is missing"):
        Artifact.open(files["encode"])
