"""Files for TensorFlow Serving next to a SavedModel: configuration, example requests, warm-up records."""

import csv
import io
import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError, several, whole_number
from keras_ae.export.artifact import Artifact
from keras_ae.export.manifest import renew_contents
from keras_ae.export_folders import version_folders

MAX_WARMUP_RECORDS = 1000  # the server rejects more
BATCH_SIZES = (1, 2, 4, 8, 16, 32)
_MODELS = """\
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
    model_version_policy {{ {policy} }}
  }}
}}
"""
_BATCHING = """\
{notes}max_batch_size {{ value: {request} }}
enable_large_batch_splitting {{ value: true }}
max_execution_batch_size {{ value: {largest} }}
{allowed}
batch_timeout_micros {{ value: 2000 }}
max_enqueued_batches {{ value: {enqueued} }}
num_batch_threads {{ value: {threads} }}
pad_variable_length_inputs: {pad}
"""
_COMMANDS = """\
# Run these in the directory of this file. TensorFlow {tensorflow} wrote the model:
# take a server of that version or newer.
{notes}docker run --rm -p 8500:8500 -p 8501:8501 \\
  --mount {base} \\
  --mount "type=bind,\\"source=$PWD\\",target=/config" tensorflow/serving \\
  --model_config_file=/config/models.config{batching}
curl http://localhost:8501/v1/models/{name}
curl http://localhost:8501/v1/models/{name}/metadata
"""
_ENABLE_BATCHING = " \\\n  --enable_batching --batching_parameters_file=/config/batching.config"


def serving_config(
    name: str,
    directory: str | os.PathLike,
    *,
    version_policy: str | int | Sequence[int] = "latest",
    batch_sizes: Sequence[int] = BATCH_SIZES,
    max_request_size: int | None = None,
) -> dict[str, str]:
    """Generate the files for a server of one exported model from its manifest.

    The server merges concurrent requests to batches. It pads requests of different lengths only if all free
    axes have their lengths and the export has shown that padding does not change the outputs. Otherwise
    `commands.sh` starts the server without batching, because it rejects batches of different lengths.

    Args:
        name: name of the model on the server, of ASCII letters, digits, "-", "." and "_".
        directory: base directory of the versions, or the directory of one version.
        version_policy: "latest": the server always serves the highest version, also one that is exported
            later; "all": every version; an integer or a sequence of integers: these versions only.
        batch_sizes: increasing sizes of the batches that are executed; smaller batches are filled up to the
            next size, larger requests are split.
        max_request_size: largest number of examples in a request; the server rejects more. `None`: 1024, or
            the largest batch size if that is larger.

    Returns:
        `{file name: text}`: `models.config` and `batching.config` for the server,
        `<endpoint>.json` with a request of one example for each endpoint, and
        `commands.sh` with the commands that start the server and send the requests.

    Raises:
        InputError: the directory does not contain a SavedModel from `to_saved_model`, or an argument is not
            valid.
    """
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):
        raise InputError(
            "name must consist of ASCII letters, digits, '-', '.' and '_', and not begin with '-' or '.', "
            f"because the server does not decode URLs. Received: name={name!r}."
        )
    sizes, request = _checked_sizes(batch_sizes, max_request_size)
    artifact, policy = _served(directory, version_policy)
    endpoints = artifact.manifest["endpoints"]
    unpadded, free = _padding(endpoints)
    files = {
        "models.config": _MODELS.format(name=name, policy=policy),
        "batching.config": _BATCHING.format(
            notes="".join(f"# {note}\n" for note in unpadded),
            request=request,
            largest=sizes[-1],
            allowed="\n".join(f"allowed_batch_sizes: {size}" for size in sizes),
            enqueued=max(100, 4 * -(-request // sizes[-1])),
            threads=os.cpu_count() or 1,
            pad=str(free and not unpadded).lower(),
        ),
    }
    commands = _COMMANDS.format(
        name=name,
        base=shlex.quote(_mount(artifact.path.parent.resolve(), f"/models/{name}")),
        tensorflow=artifact.manifest["versions"]["tensorflow"],
        notes="# Without batching, because requests of different lengths cannot be merged.\n"
        * bool(unpadded),
        batching="" if unpadded else _ENABLE_BATCHING,
    )
    for endpoint, entry in endpoints.items():
        rows = [row for row in artifact.manifest["verification"] if row["endpoint"] == endpoint]
        inputs = {key: _example(key, spec, rows[0]["length"]) for key, spec in entry["inputs"].items()}
        files[f"{endpoint}.json"] = json.dumps({"signature_name": endpoint, "inputs": inputs}) + "\n"
        file = shlex.quote(f"@{endpoint}.json")
        commands += f"curl -d {file} http://localhost:8501/v1/models/{name}:predict\n"
    return {**files, "commands.sh": commands}


def _checked_sizes(batch_sizes, max_request_size):
    """Return the sizes of batches and the largest size of a request."""
    sizes = [whole_number("batch_sizes", size, low=1) for size in several("batch_sizes", batch_sizes)]
    if sizes != sorted(set(sizes)):
        raise InputError(f"batch_sizes must be increasing. Received: batch_sizes={tuple(sizes)}.")
    request = max(1024, sizes[-1]) if max_request_size is None else max_request_size
    return sizes, whole_number("max_request_size", request, low=sizes[-1])


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


def _served(directory, version_policy):
    """Return the artifact that answers requests without a version, and the policy of the server as text."""
    artifact = _opened(Path(directory))
    base = artifact.path.parent
    found = version_folders(base)
    if isinstance(version_policy, str):
        policies = {"latest": "latest { num_versions: 1 }", "all": "all { }"}
        if version_policy not in policies:
            raise InputError(
                'version_policy must be "latest", "all", a version or a sequence of versions. '
                f"Received: version_policy={version_policy!r}."
            )
        if int(artifact.path.name) < max(found):
            raise InputError(
                f"directory must be the base directory or its highest version, {max(found)}, with "
                f"version_policy={version_policy!r}. Received: {directory}. "
                f"Pass version_policy={int(artifact.path.name)} to serve this version only."
            )
        return artifact, policies[version_policy]
    chosen = [version_policy] if np.ndim(version_policy) == 0 else several("version_policy", version_policy)
    numbers = [whole_number("version_policy", number, low=0) for number in chosen]
    missing = [number for number in numbers if number not in found]
    if missing:
        raise InputError(f"version_policy must be among {sorted(found)} in {base}. Received: {missing}.")
    return _opened(found[max(numbers)]), f"specific {{ {' '.join(f'versions: {n}' for n in numbers)} }}"


def _opened(directory):
    artifact = Artifact.open(directory)
    if artifact.format != "saved_model" or not artifact.path.name.isdecimal():
        raise InputError(
            "directory must contain a version of a SavedModel in a numbered directory. "
            f"Received: {artifact.path}."
        )
    return artifact


def _padding(endpoints):
    """Return the reasons against padding, and whether any input has a free axis after the batch."""
    free = {
        name: entry
        for name, entry in endpoints.items()
        if any(axis for spec in entry["inputs"].values() for axis in spec["axes"][1:])
    }
    again = {"allowed": False, "reason": "an earlier version of keras_ae wrote this export: export again"}
    found = {name: entry.get("padding", again) for name, entry in free.items()}
    reasons = [f"no padding: {entry['reason']}" for entry in found.values() if not entry["allowed"]]
    return list(dict.fromkeys(reasons)), bool(free)


def _mount(source, target):
    """Return the value of docker's option --mount, which is a line of comma-separated values."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}"])
    return line.getvalue()


def _example(name, spec, length):
    """Return one example of ones, which are valid pictures and ids, with the verified free length."""
    sizes = [1, *(length if size is None else size for size in spec["shape"][1:])]
    if spec["dtype"] == "string":
        return np.full(sizes, "word").tolist()
    value = length if length and (name == "lengths" or name.endswith("_lengths")) else 1
    low, high = spec.get("value_range") or (value, value)
    return np.full(sizes, min(max(value, low), high), spec["dtype"]).tolist()


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
