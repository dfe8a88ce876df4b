import json
import os
import subprocess

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from tensorflow.core.framework import tensor_pb2

from keras_ae.errors import InputError
from keras_ae.export import Artifact, serving_config, to_saved_model, write_warmup
from keras_ae.export.cases import padding_case
from keras_ae.models.endpoint import Endpoint

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
        ("allowed_batch_sizes", 6, INT64, "repeated"),
        ("pad_variable_length_inputs", 7, BOOL),
        ("enable_large_batch_splitting", 8, MESSAGE, "s.BoolValue"),
        ("max_execution_batch_size", 9, MESSAGE, "s.Int64Value"),
    )
    message(file, "BoolValue", ("value", 1, BOOL))
    message(file, "Latest", ("num_versions", 1, INT64))
    message(file, "All")
    message(file, "Specific", ("versions", 1, INT64, "repeated"))
    kinds = [
        (name, 100 + i, MESSAGE, f"s.{name.title()}") for i, name in enumerate(("latest", "all", "specific"))
    ]
    message(file, "Policy", *kinds)
    message(
        file,
        "ModelConfig",
        ("name", 1, STRING),
        ("base_path", 2, STRING),
        ("model_platform", 4, STRING),
        ("model_version_policy", 7, MESSAGE, "s.Policy"),
    )
    message(file, "ModelConfigList", ("config", 1, MESSAGE, "s.ModelConfig", "repeated"))
    message(file, "ModelServerConfig", ("model_config_list", 1, MESSAGE, "s.ModelConfigList"))
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


def batching(server, files):
    return text_format.Parse(files["batching.config"], server("BatchingParameters")())


def model(server, files):
    parsed = text_format.Parse(files["models.config"], server("ModelServerConfig")())
    return parsed.model_config_list.config[0]


def fake_artifact(directory, manifest, versions=("1",)):
    """Write what `Artifact.open` requires of a SavedModel, without the graph."""
    for version in versions:
        (directory / version / "variables").mkdir(parents=True)
        (directory / version / "manifest.json").write_text(json.dumps(manifest))
        (directory / version / "saved_model.pb").touch()
        (directory / version / "variables" / "variables.index").touch()
    return directory


@pytest.fixture
def manifest(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest.pop("contents", None)
    return manifest


def test_the_configuration_names_the_model_and_serves_the_newest_version(server, saved):
    files = serving_config("pictures", saved.parent)
    parsed = model(server, files)
    assert (parsed.name, parsed.base_path, parsed.model_platform) == (
        "pictures",
        "/models/pictures",
        "tensorflow",
    )
    assert parsed.model_version_policy.latest.num_versions == 1
    assert not parsed.model_version_policy.HasField("specific")
    assert tf.__version__ in files["commands.sh"]


def test_the_policy_of_versions_is_an_argument(server, manifest, tmp_path):
    fake_artifact(tmp_path, manifest, ("1", "2", "10"))

    def policy(directory=tmp_path, **given):
        return model(server, serving_config("m", directory, **given)).model_version_policy

    assert policy(version_policy="all").HasField("all")
    assert list(policy(version_policy=2).specific.versions) == [2]
    assert list(policy(version_policy=[1, 10]).specific.versions) == [1, 10]
    assert policy(tmp_path / "10").HasField("latest")
    with pytest.raises(InputError, match=r"highest version, 10, with version_policy='latest'"):
        policy(tmp_path / "2")  # the server would answer with version 10
    assert list(policy(tmp_path / "2", version_policy=2).specific.versions) == [2]


def test_requests_larger_than_a_batch_are_split(server, saved):
    found = batching(server, serving_config("pictures", saved))
    assert found.enable_large_batch_splitting.value
    assert found.max_batch_size.value == 1024  # with splitting, the largest request
    assert found.max_execution_batch_size.value == 32 == found.allowed_batch_sizes[-1]
    assert found.num_batch_threads.value >= 1
    found = batching(server, serving_config("pictures", saved, batch_sizes=(3, 2000), max_request_size=5000))
    assert list(found.allowed_batch_sizes) == [3, 2000] and found.max_batch_size.value == 5000
    assert found.max_execution_batch_size.value == 2000
    # the queue takes several of the largest requests
    assert found.max_enqueued_batches.value * 2000 >= 4 * 5000


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"batch_sizes": (4, 2)}, r"batch_sizes must be increasing. Received: batch_sizes=\(4, 2\)"),
        ({"batch_sizes": (2, 2)}, "must be increasing"),
        ({"batch_sizes": ()}, r"must be a sequence of at least one value. Received: batch_sizes=\(\)"),
        ({"batch_sizes": 8}, "must be a sequence"),
        ({"batch_sizes": (0, 2)}, "an integer of at least 1. Received: batch_sizes=0"),
        ({"batch_sizes": (True, 2)}, "an integer of at least 1. Received: batch_sizes=True"),
        ({"max_request_size": 16}, "max_request_size must be an integer of at least 32"),
        ({"version_policy": "newest"}, 'must be "latest", "all", a version'),
        ({"version_policy": 3}, r"must be among \[1\] in .* Received: \[3\]"),
        ({"version_policy": True}, "version_policy must be an integer"),
        ({"version_policy": ()}, "version_policy must be a sequence of at least one"),
        ({"name": "my model"}, "must consist of ASCII letters.* Received: name='my model'"),
        ({"name": 'a"} b'}, "must consist of ASCII letters"),
        ({"name": "a\n"}, "must consist of ASCII letters"),
        ({"name": "日本"}, "must consist of ASCII letters"),
        ({"name": ".."}, "must consist of ASCII letters"),
        ({"name": ""}, "must consist of ASCII letters"),
        ({"name": None}, "must consist of ASCII letters"),
    ],
)
def test_settings_that_a_server_would_refuse_are_one_line(saved, given, message):
    with pytest.raises(InputError, match=message) as caught:
        serving_config(**{"name": "pictures", "directory": saved.parent, **given})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["plain", "two words", 'a, "quoted": $HOME `id`', "日本's"])
def test_the_commands_reach_docker_whatever_the_folders_are_called(name, manifest, tmp_path):
    base = fake_artifact(tmp_path / name, manifest)
    there = tmp_path / "two, words"
    for folder in (there, tmp_path / "bin"):
        folder.mkdir()
    for program in ("docker", "curl"):
        (tmp_path / "bin" / program).write_text('#!/bin/sh\nprintf "%s\\0" "$0" "$@"; printf "\\n\\0"\n')
        (tmp_path / "bin" / program).chmod(0o755)
    files = serving_config("m-1.x_y", base)
    environment = {"PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-ec", files["commands.sh"]], env=environment, cwd=there, capture_output=True, text=True
    )
    calls = [call.rstrip("\0").split("\0") for call in done.stdout.split("\n\0")[:-1]]
    docker, *curls = calls

    def quoted(source):  # a line of comma-separated values
        return '"' + source.replace('"', '""') + '"' if set(source) & set(',"') else source

    mounts = [value for option, value in zip(docker, docker[1:], strict=False) if option == "--mount"]
    source = quoted(f"source={base}")
    assert mounts == [
        f"type=bind,{source},target=/models/m-1.x_y",
        f'type=bind,"source={there}",target=/config',
    ]
    urls = [call[-1] for call in curls]
    assert urls[0] == "http://localhost:8501/v1/models/m-1.x_y" and not done.stderr
    assert urls[2:] == ["http://localhost:8501/v1/models/m-1.x_y:predict"] * 3
    assert [call[2] for call in curls[2:]] == ["@serving_default.json", "@encode.json", "@decode.json"]


def test_the_example_requests_run_on_the_model(saved):
    files = serving_config("pictures", saved.parent)
    artifact = Artifact.open(saved)
    for endpoint in artifact.manifest["endpoints"]:
        request = json.loads(files[f"{endpoint}.json"])
        assert request["signature_name"] == endpoint
        specs = artifact.manifest["endpoints"][endpoint]["inputs"]
        inputs = {name: np.array(value, specs[name]["dtype"]) for name, value in request["inputs"].items()}
        assert all(len(value) == 1 for value in artifact.run(endpoint, **inputs).values())
        assert f"curl -d @{endpoint}.json http://localhost:8501/v1/models/pictures:" in files["commands.sh"]


FREE = {"shape": [None, None, 3], "axes": ["batch", "length", None], "dtype": "float32"}
LENGTHS = {"shape": [None], "axes": ["batch"], "dtype": "int32"}


@pytest.mark.parametrize(
    ("padding", "note"),
    [
        ({"allowed": True, "reason": ""}, ""),
        (
            {"allowed": False, "reason": "`encode` has no lengths for x axis 1"},
            "`encode` has no lengths for x axis 1",
        ),
        (None, "an earlier version of keras_ae wrote this export"),
    ],
)
def test_the_server_pads_only_what_the_export_has_shown_to_be_safe(server, manifest, tmp_path, padding, note):
    encode = manifest["endpoints"]["encode"]
    encode["inputs"] = {"x": FREE, "lengths": LENGTHS}
    encode |= {"padding": padding} if padding else {}
    manifest["verification"] = [{**row, "length": 5} for row in manifest["verification"]]
    files = serving_config("sounds", fake_artifact(tmp_path, manifest))
    assert batching(server, files).pad_variable_length_inputs is not bool(note)
    assert note in files["batching.config"]
    # without padding, a server with batching would reject requests of different lengths
    assert ("--enable_batching" in files["commands.sh"]) is not bool(note)
    request = json.loads(files["encode.json"])["inputs"]
    assert request == {"x": [[[1.0, 1.0, 1.0]] * 5], "lengths": [5]}


def sequence_endpoint(function, *others, lengths=True):
    inputs = {"x": tf.TensorSpec((None, None, 3), tf.float32)}
    inputs |= {"lengths": tf.TensorSpec((None,), tf.int32)} if lengths else {}
    return Endpoint(function, {**inputs, **dict(others)})


def test_a_padded_batch_is_compared_with_single_requests(sequence_model):
    endpoint = sequence_model.endpoints()["encode"]
    case, reason = padding_case("encode", endpoint)
    assert not reason and case.batch == 2 and list(case.inputs["lengths"]) == [5, 8]
    # padding repeats the first value of the request, as TensorFlow Serving does
    first = case.inputs["x"][0, 0, 0]
    assert first > 0 and (case.inputs["x"][0, 5:] == first).all()

    def mean(x, lengths):
        return {"y": tf.reduce_mean(x, axis=1)}

    for function, given, expected in (
        (mean, True, "padding changes the outputs of `encode` in spite of its lengths"),
        (mean, False, "`encode` has no lengths for x axis 1"),
    ):
        found = padding_case("encode", sequence_endpoint(function, lengths=given))
        assert found[1] == expected


def test_a_free_axis_that_no_lengths_count_is_not_padded():
    other = ("image", tf.TensorSpec((None, None, None, 1), tf.float32))
    endpoint = sequence_endpoint(lambda **inputs: inputs, other)
    assert padding_case("encode", endpoint) == (
        None,
        "`encode` has no lengths for image axis 1, image axis 2",
    )


def test_the_export_of_a_sequence_model_says_that_a_server_may_pad(server, sequence_model, tmp_path):
    path = to_saved_model(sequence_model, tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())
    assert manifest["endpoints"]["encode"]["padding"] == {"allowed": True, "reason": ""}
    assert {row["batch"] for row in manifest["verification"]} == {1, 2, 3}  # 2: the padded batch
    assert batching(server, serving_config("s", path)).pad_variable_length_inputs


def test_only_a_saved_model_is_configured(onnx_files):
    with pytest.raises(InputError, match="must contain a version of a SavedModel"):
        serving_config("pictures", onnx_files["encode"].parent)
