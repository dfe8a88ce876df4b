"""Versions of an export: a reader sees one of them whole, whatever happens to the process that writes."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from keras_ae.errors import InputError
from keras_ae.export import Artifact, to_onnx, to_saved_model, verification_table
from keras_ae.files import STAGING, staging_directory

X = np.linspace(0, 1, 8, dtype="float32").reshape(2, 4)


class Passed:
    rows = ()

    def check(self):
        return self


@pytest.fixture
def export(onnx, dense_model, endpoint_of, monkeypatch):
    """Exports two endpoints, `x + number` and `x - number`, without a process that verifies them."""
    monkeypatch.setattr("keras_ae.export.onnx.check_cases", lambda jobs, _: [Passed() for _ in jobs])

    def write(directory, number):
        table = {
            "encode": endpoint_of(lambda x: {"y": x + number}),
            "decode": endpoint_of(lambda x: {"y": x - number}),
        }
        return to_onnx(dense_model, directory, endpoints=table, batch_sizes=(1,))

    return write


def number_of(artifact):
    """The number of an export; both endpoints must be of the same one."""
    plus, minus = (artifact.run(name, x=X)["y"] for name in ("encode", "decode"))
    np.testing.assert_allclose(plus + minus, 2 * X, atol=1e-6)
    return round(float((plus - minus)[0, 0] / 2))


def to_former_layout(directory):
    """Move version 1 to the place where versions 0.1 of the package wrote an export."""
    for path in (directory / "1").iterdir():
        path.rename(directory / path.name)
    (directory / "1").rmdir()
    manifest = json.loads((directory / "manifest.json").read_text())
    del manifest["contents"]
    (directory / "manifest.json").write_text(json.dumps(manifest))


def test_an_export_gets_the_next_version_and_the_highest_one_is_opened(export, tmp_path):
    assert export(tmp_path, 1)["encode"] == tmp_path / "1" / "encode.onnx"
    (tmp_path / "9").mkdir()
    assert export(tmp_path, 2)["encode"] == tmp_path / "10" / "encode.onnx"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "10", "9"]
    assert Artifact.open(tmp_path).path == tmp_path / "10" and number_of(Artifact.open(tmp_path)) == 2
    assert number_of(Artifact.open(tmp_path / "1")) == 1
    assert verification_table(tmp_path)


def test_an_open_artifact_stays_the_version_that_was_opened(export, tmp_path):
    export(tmp_path, 1)
    artifact = Artifact.open(tmp_path)
    artifact.run("encode", x=X)
    export(tmp_path, 2)
    assert number_of(artifact) == 1  # loads `decode` only now


def test_files_replaced_under_an_open_artifact_are_an_error(export, tmp_path):
    for number in (1, 2):
        export(tmp_path / str(number), number)
        to_former_layout(tmp_path / str(number))
    artifact = Artifact.open(tmp_path / "1")
    artifact.run("encode", x=X)
    for name in ("encode.onnx", "decode.onnx", "manifest.json"):
        shutil.copy(tmp_path / "2" / name, tmp_path / "1" / name)
    with pytest.raises(InputError, match="must not change while it is open. .* Open it again"):
        artifact.run("decode", x=X)
    assert number_of(Artifact.open(tmp_path / "1")) == 2


def test_an_export_replaces_one_of_the_former_layout_and_no_other_files(export, tmp_path):
    export(tmp_path, 1)
    to_former_layout(tmp_path)
    assert number_of(Artifact.open(tmp_path)) == 1
    (tmp_path / "notes.txt").touch()
    (tmp_path / "decode.onnx").unlink()
    (tmp_path / "decode.onnx").mkdir()
    export(tmp_path, 2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "decode.onnx", "notes.txt"]
    assert number_of(Artifact.open(tmp_path)) == 2


def test_versions_of_a_directory_have_one_format(export, dense_model, saved, tmp_path):
    with pytest.raises(InputError, match="must contain exports of one format.* which contains SavedModels"):
        export(saved.parent, 1)
    export(tmp_path, 1)
    with pytest.raises(InputError, match="must contain exports of one format.* which contains ONNX files"):
        to_saved_model(dense_model, tmp_path)


def test_a_reader_that_polls_sees_whole_exports_only(export, tmp_path):
    """From an export of the former layout over three versions; their numbers only increase."""
    export(tmp_path, 1)
    to_former_layout(tmp_path)
    seen, failed, over = [], [], threading.Event()

    def poll():
        while not over.is_set():
            try:
                artifact = Artifact.open(tmp_path)
                seen.append(number_of(artifact))
            except Exception as error:
                changed = artifact.path == tmp_path and "must not change while it is open" in str(error)
                failed.extend([] if changed else [error])

    reader = threading.Thread(target=poll)
    reader.start()
    for number in (2, 3, 4):
        export(tmp_path, number)
        wait_for(lambda number=number: seen and seen[-1] == number)
    over.set()
    reader.join()
    assert failed == [] and seen == sorted(seen) and set(seen) == {1, 2, 3, 4}


def wait_for(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("the reader does not see the export")


KILLED = """
import os, pathlib, signal, sys
import keras, tensorflow as tf
from keras_ae import export_folders
from keras_ae.export import onnx, to_onnx
from keras_ae.models.endpoint import Endpoint

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def export(point, directory):
    rename, unlink, done = pathlib.Path.rename, pathlib.Path.unlink, []
    def after_rename(path, target):
        done.append(rename(path, target))
        return done[-1] if len(done) == 1 else die()
    def after_one(path, **options):
        unlink(path, **options)
        die()
    onnx.check_cases = lambda jobs, _: [type("Passed", (), {"rows": (), "check": lambda self: self})()]
    if point == "files":
        onnx.write_manifest = die
    if point == "switch":
        onnx.publish_version = die
    if point == "switched":
        pathlib.Path.rename = after_rename
    if point == "former":
        pathlib.Path.unlink = after_one
    spec = {"x": tf.TensorSpec((None, 4), tf.float32, name="x")}
    functions = {"encode": lambda x: {"y": x + 2}, "decode": lambda x: {"y": x - 2}}
    table = {name: Endpoint(function, spec) for name, function in functions.items()}
    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3)])
    to_onnx(model, directory, endpoints=table, batch_sizes=(1,))

for point in sys.argv[2:]:
    if not (child := os.fork()):
        export(point, pathlib.Path(sys.argv[1], point))
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL, point
"""


def test_a_killed_export_leaves_the_old_one_or_the_new_one(export, tmp_path):
    points = {"files": 1, "switch": 1, "switched": 2, "former": 2}  # and the export that is then read
    export(tmp_path / "first", 1)
    for point in points:
        shutil.copytree(tmp_path / "first", tmp_path / point)
    to_former_layout(tmp_path / "former")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, *points], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for point, number in points.items():
        assert number_of(Artifact.open(tmp_path / point)) == number, point
        hidden = list((tmp_path / point).glob(".*"))
        assert len(hidden) == (number == 1) and all(one.name.startswith(STAGING) for one in hidden)
    assert (tmp_path / "former" / "manifest.json").exists()
    for point in ("switch", "former"):  # the next good export removes what was left
        export(tmp_path / point, 3)
        assert number_of(Artifact.open(tmp_path / point)) == 3
        assert sorted(path.name for path in (tmp_path / point).iterdir()) == ["1", "2"]


def test_the_directory_of_an_export_that_is_running_is_not_removed(tmp_path):
    with staging_directory(tmp_path) as running:
        (running / "file").touch()
        (tmp_path / f"{STAGING}killed").mkdir()
        with staging_directory(tmp_path):
            pass
        assert (running / "file").exists() and not (tmp_path / f"{STAGING}killed").exists()
    assert not list(tmp_path.iterdir())


def test_a_failed_export_removes_only_its_own_directory(tmp_path):
    (tmp_path / f"{STAGING}killed").mkdir()
    message = r"must be writable. Received: .* \(No space left on device\)"
    with pytest.raises(InputError, match=message), staging_directory(tmp_path) as temporary:
        raise OSError(28, "No space left on device", str(temporary / "model.onnx"))
    assert [path.name for path in tmp_path.iterdir()] == [f"{STAGING}killed"]
