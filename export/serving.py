"""Files for TensorFlow Serving next to a SavedModel: configuration, example requests, warm-up records."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.export.artifact import Artifact
from keras_ae.export.manifest import renew_contents

MAX_WARMUP_RECORDS = 1000  # the server rejects more
_MODELS = """\
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: {version} }} }}
    version_labels {{ key: "stable" value: {version} }}
  }}
}}
"""
_BATCHING = """\
max_batch_size {{ value: 32 }}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: 100 }}
num_batch_threads {{ value: {threads} }}
pad_variable_length_inputs: {pad}
"""
_COMMANDS = """\
# Run these in the directory of this file. TensorFlow {tensorflow} wrote the model:
# take a server of that version or newer.
docker run --rm -p 8500:8500 -p 8501:8501 \\
  -v "{base}:/models/{name}" -v "$PWD:/config" tensorflow/serving \\
  --model_config_file=/config/models.config \\
  --allow_version_labels_for_unavailable_models \\
  --enable_batching --batching_parameters_file=/config/batching.config
curl http://localhost:8501/v1/models/{name}
curl http://localhost:8501/v1/models/{name}/metadata
"""


def serving_config(name: str, directory: str | os.PathLike) -> dict[str, str]:
    """Generate the files for a server of one exported model from its manifest.

    Args:
        name: name of the model on the server.
        directory: base directory of the versions, or the directory of one version.

    Returns:
        `{file name: text}`: `models.config` and `batching.config` for the server,
        `<endpoint>.json` with a request of one example for each endpoint, and
        `commands.sh` with the commands that start the server and send the requests.

    Raises:
        InputError: the directory does not contain a SavedModel from `to_saved_model`.
    """
    artifact = Artifact.open(directory)
    if artifact.format != "saved_model" or not artifact.path.name.isdecimal():
        raise InputError(
            "directory must contain a version of a SavedModel in a numbered directory. "
            f"Received: {artifact.path}."
        )
    endpoints = artifact.manifest["endpoints"]
    version = int(artifact.path.name)
    files = {
        "models.config": _MODELS.format(name=name, version=version),
        "batching.config": _BATCHING.format(
            threads=os.cpu_count() or 1, pad=str(_has_lengths(endpoints)).lower()
        ),
    }
    commands = _COMMANDS.format(
        name=name, base=artifact.path.parent.resolve(), tensorflow=artifact.manifest["versions"]["tensorflow"]
    )
    for endpoint, entry in endpoints.items():
        rows = [row for row in artifact.manifest["verification"] if row["endpoint"] == endpoint]
        inputs = {name: _example(spec, rows[0]["length"]) for name, spec in entry["inputs"].items()}
        files[f"{endpoint}.json"] = json.dumps({"signature_name": endpoint, "inputs": inputs}) + "\n"
        commands += f"curl -d @{endpoint}.json http://localhost:8501/v1/models/{name}/labels/stable:predict\n"
    return {**files, "commands.sh": commands}


def write_warmup(
    version_directory: str | os.PathLike, samples: Mapping[str, Mapping[str, np.ndarray]]
) -> Path:
    """Write one warm-up request per endpoint to `assets.extra/tf_serving_warmup_requests`.

    A server replays the requests before it serves a new version. Each record is a
    `tensorflow.serving.PredictionLog` in a TFRecord file. Its four nested messages are encoded
    by hand, to avoid a dependency on the package that defines them.

    Args:
        version_directory: directory of the SavedModel.
        samples: `{endpoint: {input: array}}`.
    """
    if len(samples) > MAX_WARMUP_RECORDS:
        raise InputError(
            f"samples must contain at most {MAX_WARMUP_RECORDS} warm-up requests. Received: {len(samples)}."
        )
    path = Path(version_directory) / "assets.extra" / "tf_serving_warmup_requests"
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for endpoint, inputs in samples.items():
            writer.write(_prediction_log(endpoint, inputs))
    renew_contents(Path(version_directory))
    return path


def _has_lengths(endpoints):
    return any(
        axis for entry in endpoints.values() for spec in entry["inputs"].values() for axis in spec["axes"][1:]
    )


def _example(spec, length):
    """Return one example of ones, which are valid pictures, lengths and ids, at the verified free length."""
    sizes = [1, *(length if size is None else size for size in spec["shape"][1:])]
    if spec["dtype"] == "string":
        return np.full(sizes, "word").tolist()
    return np.ones(sizes, spec["dtype"]).tolist()


def _prediction_log(endpoint, inputs):
    """Encode PredictionLog.predict_log (6) > PredictLog.request (1) > PredictRequest: model_spec, inputs."""
    # PredictRequest.model_spec (1), inputs (2)
    request = _field(1, _field(3, endpoint.encode()))  # ModelSpec.signature_name
    for name, array in inputs.items():
        tensor = tf.make_tensor_proto(array).SerializeToString()
        request += _field(2, _field(1, name.encode()) + _field(2, tensor))  # an entry of the map
    return _field(6, _field(1, request))


def _field(number, payload):
    """Encode a length-delimited protocol buffer field: key, length as a varint, bytes."""
    return bytes([number << 3 | 2]) + _varint(len(payload)) + payload


def _varint(value):
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
