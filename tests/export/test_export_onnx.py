import json
import logging
import os

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.export import Artifact, VerificationError, endpoints_of, to_onnx, verify
from keras_ae.export.cases import make_cases
from keras_ae.export.onnx import write_onnx
from keras_ae.export.verification import check_cases


def axes(values):
    """`{name: [axis name or size]}` of the inputs or outputs of a graph."""
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def test_one_file_per_endpoint_and_a_manifest(onnx_files):
    directory = onnx_files["encode"].parent
    assert list(onnx_files) == ["serving_default", "encode", "decode"]
    assert sorted(path.name for path in directory.iterdir()) == [
        "decode.onnx",
        "encode.onnx",
        "manifest.json",
        "serving_default.onnx",
    ]
    manifest = json.loads((directory / "manifest.json").read_text())
    assert manifest["format"] == "onnx" and manifest["opset"] == 17
    assert set(manifest["versions"]) == {"keras-ae", "keras", "tensorflow", "tf2onnx", "onnx"}
    assert len(manifest["verification"]) == 8 and all(row["ok"] for row in manifest["verification"])


def test_inputs_outputs_and_free_axes_keep_their_names(onnx, onnx_files):
    graph = onnx.load(onnx_files["encode"]).graph
    assert graph.name == "encode"
    assert axes(graph.input) == {"image": ["batch", 8, 8, 1]}
    assert axes(graph.output) == {"codes": ["batch", 2, 2], "embedding": ["batch", 2, 2, 4]}


def test_a_free_length_is_named_like_in_the_manifest(onnx, sequence_model, tmp_path):
    table = endpoints_of(sequence_model)
    cases = make_cases(table)
    files, _ = write_onnx(table, cases, tmp_path)
    graph = onnx.load(files["encode"]).graph
    assert axes(graph.input) == {"x": ["batch", "length", 3], "lengths": ["batch"]}
    assert axes(graph.output) == {
        "embedding": ["batch", 2],
        "frames": ["batch", "length", 2],
        "halves": ["batch", "halves_length", 2],
        "halves_again": ["batch", "halves_length"],
    }
    assert check_cases([("onnx", files, cases)])[0].check()


def test_the_files_can_be_verified_again(onnx_files, picture_model):
    assert verify(onnx_files, picture_model, batch_sizes=(2,), seed=5).ok
    assert verify(onnx_files["encode"].parent, endpoints_of(picture_model)).ok
    assert {row.endpoint for row in verify(onnx_files["decode"], picture_model).rows} == {"decode"}


def test_another_model_does_not_verify(onnx_files, picture_model):
    other = keras.models.clone_model(picture_model)
    other.set_weights([weight + 0.1 for weight in picture_model.get_weights()])
    with pytest.raises(VerificationError, match="onnx +serving_default +output"):
        verify(onnx_files, other)


def test_codes_are_int32(onnx, onnx_files):
    outputs = onnx.load(onnx_files["encode"]).graph.output
    types = {value.name: value.type.tensor_type.elem_type for value in outputs}
    assert types == {"codes": onnx.TensorProto.INT32, "embedding": onnx.TensorProto.FLOAT}


def test_exact_gelu_converts(onnx, dense_model, endpoint_of, tmp_path):
    files = to_onnx(
        dense_model,
        tmp_path,
        endpoints={"serving_default": endpoint_of(lambda x: {"y": ops.gelu(40 * x - 20, approximate=False)})},
    )
    assert onnx.load(files["serving_default"]).graph.output[0].name == "y"


def test_an_infinite_value_that_is_not_chosen_changes_nothing(dense_model, endpoint_of, tmp_path):
    """In arithmetic for `where`, 0 times infinity would be NaN."""

    def function(x):
        kept = ops.where(x > 0.5, x, ops.where(x >= 0, -np.inf, 0.0))
        chosen = ops.where(x > 2, ops.where(x > 2, np.inf, x), 3 * x)
        return {"y": kept, "z": ops.where(ops.isfinite(kept), kept + chosen, -1.0)}

    (file,) = to_onnx(dense_model, tmp_path, endpoints={"serving_default": endpoint_of(function)}).values()
    session = pytest.importorskip("onnxruntime").InferenceSession(file)
    x = np.array([[0.25, 0.75, 1.0, 0.5]], "float32")
    y, z = session.run(["y", "z"], {session.get_inputs()[0].name: x})
    np.testing.assert_array_equal(y, np.array([[-np.inf, 0.75, 1.0, -np.inf]], "float32"))
    np.testing.assert_allclose(z, np.array([[-1.0, 3.0, 4.0, -1.0]], "float32"), rtol=1e-6)


def test_one_tensor_under_two_names_and_an_input_handed_through(onnx, dense_model, endpoint_of, tmp_path):
    def function(x):
        y = 2 * x
        return {"b": y, "a": y, "same": x}

    files = to_onnx(dense_model, tmp_path, endpoints={"serving_default": endpoint_of(function)})
    assert {value.name for value in onnx.load(files["serving_default"]).graph.output} == {"a", "b", "same"}


@pytest.mark.parametrize(
    ("function", "operations"),
    [
        (lambda x: {"y": tf.math.digamma(x), "z": tf.linalg.cholesky(x[:, :1, None])}, "Cholesky, Digamma"),
        (lambda x: {"y": tf.map_fn(lambda v: tf.math.lgamma(v), x)}, "Lgamma"),
        (lambda x: {"y": ops.argmin(x, axis=-1)}, "Bitcast"),
    ],
    ids=["in the graph", "in the body of a loop", "Keras argmin"],
)
def test_an_operation_without_equal_is_refused_and_leaves_nothing(
    onnx, dense_model, endpoint_of, tmp_path, function, operations
):
    with pytest.raises(
        InputError, match=f"`score` uses .* without an equivalent in ONNX opset 17: .*{operations}"
    ) as caught:
        to_onnx(dense_model, tmp_path / "new", endpoints={"score": endpoint_of(function)})
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_file_that_differs_leaves_nothing_and_keeps_the_older_files(
    onnx, dense_model, endpoint_of, tmp_path
):
    to_onnx(dense_model, tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def sabotaged(x):
        return {"output": x + float(tf.inside_function())}

    with pytest.raises(VerificationError, match="onnx +serving_default +output"):
        to_onnx(dense_model, tmp_path, endpoints={"serving_default": endpoint_of(sabotaged)})
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            lambda x: {"x": 2 * x},
            r"`score` must not have the names of its inputs .* Received: \['x'\] in both",
        ),
        (lambda x: {"y": x + tf.random.normal((4,))}, "not deterministic"),
    ],
)
def test_unusable_endpoints_leave_nothing(onnx, dense_model, endpoint_of, tmp_path, function, message):
    with pytest.raises(InputError, match=message):
        to_onnx(dense_model, tmp_path / "new", endpoints={"score": endpoint_of(function)})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("opset", [19, 13, "17", 17.0, True, None])
def test_opsets_the_converter_does_not_know_are_refused(onnx, dense_model, tmp_path, opset):
    message = f"opset must be an integer from 14 to 18. Received: opset={opset!r}.$"
    with pytest.raises(InputError, match=message):
        to_onnx(dense_model, tmp_path, opset=opset)


def test_opset_18_is_written_on_demand(onnx, dense_model, tmp_path):
    file = to_onnx(dense_model, tmp_path, opset=18)["serving_default"]
    assert {entry.version for entry in onnx.load(file).opset_import if not entry.domain} == {18}


def test_export_is_quiet(onnx, dense_model, tmp_path, capfd, caplog):
    with caplog.at_level(logging.INFO):
        to_onnx(dense_model, tmp_path)
    assert capfd.readouterr().out == "" and not [r for r in caplog.records if "onnx" in r.name]


def test_an_optimisation_that_fails_is_left_out(onnx, dense_model, tmp_path, monkeypatch):
    optimizer, tried = pytest.importorskip("tf2onnx.optimizer"), []

    class Failing:
        def optimize(self, graph, iteration):
            tried.append(iteration)
            raise RuntimeError("no")

    optimizers = {"failing": Failing, **optimizer._get_optimizers()}
    monkeypatch.setattr(optimizer, "_get_optimizers", lambda: optimizers)
    monkeypatch.delenv("TF2ONNX_CATCH_ERRORS", raising=False)
    (file,) = to_onnx(dense_model, tmp_path).values()  # verified
    assert file.is_file() and len(tried) > 1
    assert "TF2ONNX_CATCH_ERRORS" not in os.environ


def test_a_batch_of_any_size_runs(onnx_files, picture_model):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(onnx_files["serving_default"], providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).random((17, 8, 8, 1), "float32")
    # float32 rounding of two convolutions
    np.testing.assert_allclose(session.run(["output"], {"image": image})[0], picture_model(image), atol=1e-5)


@pytest.mark.parametrize("name", ["manifest.json", "encode.onnx"])
def test_a_file_of_the_user_is_not_replaced(onnx, picture_model, tmp_path, name):
    (tmp_path / name).write_text('{"name": "my web app"}')
    files = to_onnx(picture_model, tmp_path, endpoints=["encode"])
    assert files == {"encode": tmp_path / "1" / "encode.onnx"}
    assert (tmp_path / name).read_text() == '{"name": "my web app"}'
    assert Artifact.open(tmp_path).path == tmp_path / "1"


@pytest.mark.parametrize("kind", ["TextVectorization", "StringLookup", "IntegerLookup", "strings"])
def test_strings_and_lookup_tables_are_refused_in_one_line(kind, onnx, tmp_path, capfd):
    options = {"TextVectorization": {"vocabulary": ["red"]}, "StringLookup": {"vocabulary": ["red"]}}
    options["IntegerLookup"] = {"vocabulary": [3]}
    x = keras.Input((1,), dtype="int64" if kind == "IntegerLookup" else "string", name="x")
    if kind == "strings":
        y = keras.layers.Lambda(lambda text: tf.strings.length(text), output_shape=(1,), dtype="int32")(x)
    else:
        y = getattr(keras.layers, kind)(**options[kind])(x)
    capfd.readouterr()
    with pytest.raises(InputError, match="must have neither strings nor lookup tables in ONNX") as caught:
        to_onnx(keras.Model(x, y), tmp_path / "new", batch_sizes=(2,))
    assert "\n" not in str(caught.value) and "`serving_default`" in str(caught.value)
    assert not list(tmp_path.iterdir()) and capfd.readouterr() == ("", "")


def test_an_endpoint_after_the_lookup_is_exported_without_messages(onnx, nearest_layer, tmp_path):
    x = keras.Input((1,), dtype="string", name="x")
    y = keras.layers.Embedding(4, 3)(keras.layers.StringLookup(vocabulary=["red"])(x))
    model = keras.Model(x, keras.layers.Dense(2)(nearest_layer()(y)))
    messages, handler = [], logging.Handler()
    handler.emit = messages.append
    logging.getLogger("tensorflow").addHandler(handler)
    try:
        files = to_onnx(model, tmp_path, endpoints=["decode"], batch_sizes=(2,))
    finally:
        logging.getLogger("tensorflow").removeHandler(handler)
    assert list(files) == ["decode"] and not messages


def test_the_text_of_an_assertion_is_no_string_of_an_endpoint(onnx, dense_model, endpoint_of, tmp_path):
    def checked(x):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x >= 0), ["x must be positive", x])]):
            return {"y": 2 * x}

    assert to_onnx(dense_model, tmp_path, endpoints={"score": endpoint_of(checked)}, batch_sizes=(2,))
