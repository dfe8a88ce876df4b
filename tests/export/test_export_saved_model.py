import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.export import VerificationError, endpoints_of, to_saved_model, verification_table
from keras_ae.export.cases import make_cases
from keras_ae.export.manifest import weights_sha256
from keras_ae.export.saved_model import tables_of, write_saved_model
from keras_ae.export_folders import version_folders


def size(directory):
    return sum(path.stat().st_size for path in Path(directory).rglob("*") if path.is_file())


def test_the_signatures_are_the_endpoints(saved):
    loaded = tf.saved_model.load(str(saved))
    assert set(loaded.signatures) == {"serving_default", "encode", "decode"}
    signature = loaded.signatures["encode"]
    assert signature.structured_input_signature[1]["image"].shape == (None, 8, 8, 1)
    assert set(signature.structured_outputs) == {"codes", "embedding"}


def test_the_manifest_says_what_the_artifact_is(saved, picture_model):
    manifest = json.loads((saved / "manifest.json").read_text())
    assert manifest["format_version"] == 1 and manifest["format"] == "saved_model"
    assert manifest["versions"]["tensorflow"] == tf.__version__
    assert manifest["versions"]["keras"] == keras.__version__
    assert manifest["weights_sha256"] == weights_sha256(picture_model)
    assert list(manifest["endpoints"]) == ["serving_default", "encode", "decode"]
    assert manifest["endpoints"]["encode"] == {
        "inputs": {
            "image": {"shape": [None, 8, 8, 1], "axes": ["batch", None, None, None], "dtype": "float32"}
        },
        "outputs": {
            "codes": {"shape": [None, 2, 2], "axes": ["batch", None, None], "dtype": "int32"},
            "embedding": {"shape": [None, 2, 2, 4], "axes": ["batch", None, None, None], "dtype": "float32"},
        },
    }
    rows = manifest["verification"]
    assert {row["batch"] for row in rows} == {1, 3} and all(row["ok"] for row in rows)


def test_the_table_of_an_artifact_shows_what_it_passed(saved):
    lines = verification_table(saved).splitlines()
    assert lines[0].split()[:3] == ["format", "endpoint", "output"]
    assert len(lines) == 1 + 8 and all(line.endswith("equal") for line in lines[1:])


def test_nothing_but_the_version_is_left_beside_it(saved):
    assert [path.name for path in saved.parent.iterdir()] == ["1"]


def test_the_mode_of_the_version_is_that_of_any_new_directory(saved, tmp_path):
    (tmp_path / "new").mkdir()
    assert saved.stat().st_mode == (tmp_path / "new").stat().st_mode  # a server runs as another user


def test_weights_are_written_once(tmp_path):
    x = keras.Input((64,), name="x")
    model = keras.Model(x, keras.layers.Dense(64)(keras.layers.Dense(512)(x)))
    weights = sum(weight.numpy().nbytes for weight in model.weights)
    table = endpoints_of(model)
    write_saved_model(table, make_cases(table), tmp_path)
    assert size(tmp_path / "variables") < 1.05 * weights  # the index beside the values


def test_free_axes_of_outputs_are_named_after_the_inputs_axis_they_follow(sequence_model, tmp_path):
    table = endpoints_of(sequence_model)
    outputs = write_saved_model(table, make_cases(table), tmp_path)["encode"]["outputs"]
    assert outputs["embedding"]["axes"] == ["batch", None]
    assert outputs["frames"]["axes"] == ["batch", "length", None]
    assert outputs["halves"]["axes"] == ["batch", "halves_length", None]
    assert outputs["halves"]["shape"] == [None, None, 2]


def test_versions_count_up_and_never_overwrite(dense_model, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_ae.export.saved_model.check_cases", fake_checks)
    (tmp_path / "2").mkdir()
    (tmp_path / "notes").mkdir()
    assert to_saved_model(dense_model, tmp_path).name == "3"
    assert to_saved_model(dense_model, tmp_path, version=7).name == "7"
    assert to_saved_model(dense_model, tmp_path).name == "8"
    with pytest.raises(InputError, match="Version 7 is already in"):
        to_saved_model(dense_model, tmp_path, version=7)
    assert to_saved_model(dense_model, tmp_path, version=np.int64(9)).name == "9"
    for version in (0, True, 1.0, "2", 2**63):  # the server reads int64
        with pytest.raises(InputError, match=f"version must be an integer from 1 to .*version={version!r}"):
            to_saved_model(dense_model, tmp_path, version=version)
    assert list(version_folders(tmp_path)) == [2, 3, 7, 8, 9]
    assert not list(tmp_path.glob(".*"))


def test_a_server_and_an_export_count_versions_alike(dense_model, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_ae.export.saved_model.check_cases", fake_checks)
    for name in ("0001", "1", "0003", "٤", "5.0", "-6", f"{2**63}", "9" * 200):
        (tmp_path / name).mkdir()
    assert {number: path.name for number, path in version_folders(tmp_path).items()} == {1: "1", 3: "0003"}
    with pytest.raises(InputError, match="Version 3 is already in"):
        to_saved_model(dense_model, tmp_path, version=3)
    assert to_saved_model(dense_model, tmp_path).name == "4"
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(
        InputError, match="must not contain version 9223372036854775807, after which"
    ) as caught:
        to_saved_model(dense_model, tmp_path)
    assert "\n" not in str(caught.value) and not list(tmp_path.glob(".*"))


def test_a_number_taken_meanwhile_is_not_overwritten(dense_model, tmp_path, monkeypatch):
    def taken(jobs, tolerance):
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "saved_model.pb").touch()
        listed = lambda _: stale.pop() if stale else [1]  # noqa: E731
        monkeypatch.setattr("keras_ae.export_folders.version_folders", listed)
        return fake_checks(jobs, tolerance)

    stale = [[]]
    monkeypatch.setattr("keras_ae.export.saved_model.check_cases", taken)
    assert to_saved_model(dense_model, tmp_path).name == "2"
    assert [path.name for path in (tmp_path / "1").iterdir()] == ["saved_model.pb"]


def fake_checks(jobs, tolerance):
    class Passed:
        rows = ()

        def check(self):
            return self

    return [Passed() for _ in jobs]


def test_an_endpoint_that_is_traced_otherwise_than_it_runs_leaves_nothing(dense_model, endpoint_of, tmp_path):
    calls = []

    def counting(x):  # counts in Python: the number of the trace is frozen into the artifact
        calls.append(x)
        return {"y": x + float(len(calls) > 2)}

    with pytest.raises(VerificationError, match="saved_model +serving_default +y +1 .* 1.0e\\+00") as caught:
        to_saved_model(
            dense_model,
            tmp_path / "a" / "b",
            endpoints={"serving_default": endpoint_of(counting)},
            batch_sizes=(1,),
        )
    assert "FAILS" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("failing", ["random", "raising", "untraceable"])
def test_an_endpoint_that_fails_leaves_nothing(failing, dense_model, endpoint_of, tmp_path):
    def function(x):
        if failing == "raising" or (failing == "untraceable" and tf.inside_function()):
            raise ValueError("cannot decode\nthis")
        return {"y": x + tf.random.normal((4,)) if failing == "random" else x}

    with pytest.raises(InputError) as caught:
        to_saved_model(dense_model, tmp_path / "new", endpoints={"decode": endpoint_of(function)})
    assert "`decode`" in str(caught.value) and "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_what_was_in_the_directory_stays_after_a_failure(dense_model, endpoint_of, tmp_path):
    (tmp_path / "1").mkdir()
    with pytest.raises(InputError):
        to_saved_model(dense_model, tmp_path, endpoints={"decode": endpoint_of(lambda x: x)})
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_a_directory_that_cannot_be_made_is_one_line(dense_model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"must be writable. Received: .*file/out \(Not a directory\)"
    ) as caught:
        to_saved_model(dense_model, tmp_path / "file" / "out")
    assert "\n" not in str(caught.value)


def test_export_prints_nothing(dense_model, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr("keras_ae.export.saved_model.check_cases", fake_checks)
    to_saved_model(dense_model, tmp_path)
    assert capfd.readouterr().out == ""


def test_a_lookup_table_is_tracked_where_an_endpoint_reads_it(dense_model, endpoint_of, tmp_path):
    lookup = keras.layers.StringLookup(vocabulary=["word", "other"])

    def encode_text(text):
        return {"ids": tf.cast(lookup(text), tf.int32), "text": tf.strings.upper(text)}

    endpoint = type(endpoint_of(dict))(
        encode_text, {"text": tf.TensorSpec((None,), tf.string, name="text")}, formats=("saved_model",)
    )
    path = to_saved_model(dense_model, tmp_path, endpoints={"encode_text": endpoint}, tables=[lookup])
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["endpoints"]["encode_text"]["outputs"]["text"]["dtype"] == "string"
    assert all(row["ok"] for row in manifest["verification"])


def looked_up(kind, nearest_layer):
    """A functional model of strings with a bottleneck."""
    text = keras.Input((), dtype="string", name="text")
    if kind == "nested":
        words = keras.Sequential(
            [keras.Input((), dtype="string"), keras.layers.StringLookup(vocabulary=["a"])]
        )
    elif kind == "TextVectorization":
        words = keras.layers.TextVectorization(vocabulary=["red", "green"], output_sequence_length=3)
    else:
        words = keras.layers.StringLookup(vocabulary=["red", "green"])
    y = keras.layers.Flatten()(keras.layers.Embedding(4, 3)(words(text)))
    return keras.Model(text, keras.layers.Dense(2)(nearest_layer()(y)))


@pytest.mark.parametrize("kind", ["TextVectorization", "StringLookup", "nested"])
def test_lookup_tables_of_a_functional_model_are_found(kind, nearest_layer, tmp_path):
    model = looked_up(kind, nearest_layer)
    table = endpoints_of(model)
    write_saved_model(table, make_cases(table, (2,)), tmp_path)
    texts = tf.constant(["red", "green green red", "blue", ""])
    signature = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    np.testing.assert_allclose(signature(text=texts)["output"], model(texts), atol=1e-6)


def test_tables_are_found_wherever_a_function_keeps_them(endpoint_of, monkeypatch):
    def table(word):
        start = tf.lookup.KeyValueTensorInitializer([word], [1])
        return tf.lookup.StaticHashTable(start, 0)

    class Holder(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.held = {"one": [table("layer")]}

        def look(self, x, default=None):
            return self.held["one"][0].lookup(x)

    inner, holder, given, extra = table("closure"), Holder(), table("default"), table("partial")

    def function(x, other=given):
        return inner.lookup(x) + other.lookup(x)

    roots = [function, holder.look, partial(function, other=extra), tf.function(lambda x: inner.lookup(x))]
    expected = [inner, given, holder.held["one"][0], extra]
    assert {id(one) for one in tables_of(roots)} == {id(one) for one in expected}


def test_a_table_that_is_not_found_is_one_line(dense_model, endpoint_of, tmp_path):
    class Hidden:
        table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1], [2]), 0)

    endpoint = endpoint_of(lambda x: {"y": tf.cast(Hidden.table.lookup(tf.cast(x, tf.int32)), tf.float32)})
    with pytest.raises(InputError, match=r"reads another table. Pass it as `tables=\[table\]`") as caught:
        to_saved_model(dense_model, tmp_path / "new", endpoints={"serving_default": endpoint})
    assert "\n" not in str(caught.value) and not list(tmp_path.iterdir())
    to_saved_model(
        dense_model,
        tmp_path,
        endpoints={"serving_default": endpoint},
        tables=[Hidden.table],
        batch_sizes=(2,),
    )


def test_saved_model_cli_runs_an_endpoint(saved, picture_model, tmp_path):
    image = np.random.default_rng(0).random((2, 8, 8, 1), "float32")
    np.save(tmp_path / "image.npy", image)
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run", "--dir", str(saved)]
    command += [
        "--tag_set",
        "serve",
        "--signature_def",
        "encode",
        "--inputs",
        f"image={tmp_path / 'image.npy'}",
    ]
    done = subprocess.run([*command, "--outdir", str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    expected = endpoints_of(picture_model)["encode"].function(image=image)
    np.testing.assert_array_equal(np.load(tmp_path / "codes.npy"), expected["codes"])
    np.testing.assert_array_equal(np.load(tmp_path / "embedding.npy"), expected["embedding"])
