import json

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow.core.framework import tensor_pb2

from keras_ae.errors import InputError
from keras_ae.export import Artifact, serving_config, write_warmup

FIELD = descriptor_pb2.FieldDescriptorProto
INT64, STRING, BOOL, MESSAGE = FIELD.TYPE_INT64, FIELD.TYPE_STRING, FIELD.TYPE_BOOL, FIELD.TYPE_MESSAGE


def message(file, name, *fields):
    """Add a message type with fields (name, number, type, type name or repeated)."""
    added = file.message_type.add(name=name)
    for field, number, kind, *more in fields:
        repeated = "repeated" in more
        type_name = next((f".{item}" for item in more if item != "repeated"), None)
        label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
        added.field.add(name=field, number=number, type=kind, label=label, type_name=type_name)
    return added


def add_with_dependencies(pool, file):
    for dependency in file.dependencies:
        add_with_dependencies(pool, dependency)
    pool.AddSerializedFile(file.serialized_pb)


@pytest.fixture(scope="module")
def server():
    """The server's own message types, as its published .proto files declare them."""
    pool = descriptor_pool.DescriptorPool()
    add_with_dependencies(pool, tensor_pb2.DESCRIPTOR)
    file = descriptor_pb2.FileDescriptorProto(name="serving.proto", package="s", syntax="proto3")
    file.dependency.append(tensor_pb2.DESCRIPTOR.name)
    message(file, "Int64Value", ("value", 1, INT64))
    message(file, "ModelSpec", ("name", 1, STRING), ("signature_name", 3, STRING))
    request = message(
        file,
        "PredictRequest",
        ("model_spec", 1, MESSAGE, "s.ModelSpec"),
        ("inputs", 2, MESSAGE, "s.PredictRequest.InputsEntry", "repeated"),
    )
    entry = request.nested_type.add(name="InputsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=STRING, label=FIELD.LABEL_OPTIONAL)
    entry.field.add(
        name="value", number=2, type=MESSAGE, label=FIELD.LABEL_OPTIONAL, type_name=".tensorflow.TensorProto"
    )
    message(file, "PredictLog", ("request", 1, MESSAGE, "s.PredictRequest"))
    message(file, "PredictionLog", ("predict_log", 6, MESSAGE, "s.PredictLog"))
    message(
        file,
        "BatchingParameters",
        ("max_batch_size", 1, MESSAGE, "s.Int64Value"),
        ("batch_timeout_micros", 2, MESSAGE, "s.Int64Value"),
        ("max_enqueued_batches", 3, MESSAGE, "s.Int64Value"),
        ("num_batch_threads", 4, MESSAGE, "s.Int64Value"),
        ("pad_variable_length_inputs", 7, BOOL),
    )
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"s.{name}"))


def records(directory):
    path = directory / "assets.extra" / "tf_serving_warmup_requests"
    return [record.numpy() for record in tf.data.TFRecordDataset(str(path))]


def test_warmup_records_parse_as_the_server_parses_them(server, tmp_path):
    samples = {
        "encode": {
            "x": np.arange(600, dtype="float32").reshape(2, 300),
            "lengths": np.array([3, 300], "int32"),
        },
        "encode_text": {"text": np.array([b"two words"])},
    }
    write_warmup(tmp_path, samples)
    for record, (endpoint, inputs) in zip(records(tmp_path), samples.items(), strict=True):
        log = server("PredictionLog").FromString(record)
        request = log.predict_log.request
        assert request.model_spec.signature_name == endpoint
        assert request.inputs.keys() == inputs.keys()
        for name, value in inputs.items():
            parsed = tensor_pb2.TensorProto.FromString(request.inputs[name].SerializeToString())
            np.testing.assert_array_equal(tf.make_ndarray(parsed).astype(value.dtype), value)


def test_an_exported_version_has_one_warmup_request_per_endpoint(server, saved):
    logs = [server("PredictionLog").FromString(record) for record in records(saved)]
    names = {log.predict_log.request.model_spec.signature_name for log in logs}
    assert names == {"serving_default", "encode", "decode"}


def test_more_records_than_a_server_takes_are_refused(tmp_path):
    with pytest.raises(InputError, match="at most 1000 warm-up requests. Received: 1001"):
        write_warmup(tmp_path, {f"e{i}": {} for i in range(1001)})


def test_the_configuration_names_the_model_and_its_version(server, saved):
    files = serving_config("pictures", saved.parent)
    assert 'base_path: "/models/pictures"' in files["models.config"]
    assert "specific { versions: 1 }" in files["models.config"]
    batching = text_format.Parse(files["batching.config"], server("BatchingParameters")())
    assert batching.max_batch_size.value == 32 and batching.num_batch_threads.value >= 1
    assert not batching.pad_variable_length_inputs
    assert f'-v "{saved.parent}:/models/pictures"' in files["commands.sh"]
    assert tf.__version__ in files["commands.sh"]


def test_the_example_requests_run_on_the_model(saved):
    files = serving_config("pictures", saved.parent)
    artifact = Artifact.open(saved)
    for endpoint in artifact.manifest["endpoints"]:
        request = json.loads(files[f"{endpoint}.json"])
        assert request["signature_name"] == endpoint
        specs = artifact.manifest["endpoints"][endpoint]["inputs"]
        inputs = {name: np.array(value, specs[name]["dtype"]) for name, value in request["inputs"].items()}
        assert all(len(value) == 1 for value in artifact.run(endpoint, **inputs).values())
        assert f"curl -d @{endpoint}.json http://localhost:8501/v1/models/pictures/" in files["commands.sh"]


def test_free_lengths_are_padded_by_the_server(saved, tmp_path):
    (tmp_path / "1").mkdir()
    manifest = json.loads((saved / "manifest.json").read_text())
    codes = {"shape": [None, None], "axes": ["batch", "length"], "dtype": "int32"}
    manifest["endpoints"]["decode"]["inputs"]["codes"] = codes
    manifest["verification"] = [{**row, "length": 5} for row in manifest["verification"]]
    del manifest["contents"]
    (tmp_path / "1" / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "1" / "saved_model.pb").touch()
    (tmp_path / "1" / "variables").mkdir()
    (tmp_path / "1" / "variables" / "variables.index").touch()
    files = serving_config("pictures", tmp_path)
    assert "pad_variable_length_inputs: true" in files["batching.config"]
    assert json.loads(files["decode.json"])["inputs"] == {"codes": [[1, 1, 1, 1, 1]]}


def test_only_a_saved_model_is_configured(onnx_files):
    with pytest.raises(InputError, match="must contain a version of a SavedModel"):
        serving_config("pictures", onnx_files["encode"].parent)
