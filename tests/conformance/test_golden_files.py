"""Models, runs and exports made by an earlier version load, and give what they gave."""

import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_ae.export import Artifact
from keras_ae.training.cli import main
from keras_ae.training.run import Run

GOLDEN = Path(__file__).parent / "golden"


def test_there_is_a_file_of_every_model(case):
    assert (GOLDEN / f"{case.name}.keras").is_file()


@pytest.mark.parametrize("name", sorted(path.stem for path in GOLDEN.glob("*.keras")))
def test_a_model_of_an_earlier_version_gives_the_same_outputs(name):
    """Made with `model.save(..., include_optimizer=False)` at version 0.1.0 of the package."""
    model = keras.saving.load_model(GOLDEN / f"{name}.keras")
    with np.load(GOLDEN / f"{name}.npz") as file:
        inputs = {key.removeprefix("in_"): file[key] for key in file if key.startswith("in_")}
        expected = [file[key] for key in sorted(file) if key.startswith("out_")]
    found = keras.tree.flatten(model(inputs["x"] if list(inputs) == ["x"] else inputs, training=False))
    for ours, theirs in zip(found, expected, strict=True):
        # float32 sums of another machine run in another order
        np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    """A run, its exports and what they gave."""
    folder = tmp_path_factory.mktemp("earlier")
    shutil.unpack_archive(GOLDEN / "earlier.zip", folder)
    return folder


def test_a_run_of_an_earlier_version_encodes_and_is_reported(earlier):
    run = Run.open(earlier / "run")
    with np.load(earlier / "expected.npz") as expected:
        np.testing.assert_array_equal(run.load_model().encode(expected["x"]), expected["codes"])
    codes = earlier / "codes.npz"
    assert main(["encode", str(run.directory), str(earlier / "digits.npz"), str(codes)]) == 0
    with np.load(codes) as found, np.load(earlier / "expected.npz") as expected:
        np.testing.assert_array_equal(found["codes"][:3], expected["codes"])


@pytest.mark.parametrize("kind", ["onnx", "saved_model"])
def test_an_export_of_an_earlier_version_is_opened(earlier, kind):
    if kind == "onnx":
        pytest.importorskip("onnxruntime")
    artifact = Artifact.open(earlier / kind)
    with np.load(earlier / "expected.npz") as expected:
        found = artifact.run("encode", x=expected["x"])
        np.testing.assert_array_equal(found["codes"], expected["codes"])
        found = artifact.run("reconstruct", x=expected["x"])
        np.testing.assert_allclose(
            next(iter(found.values())), expected["reconstruction"], rtol=1e-4, atol=1e-5
        )
