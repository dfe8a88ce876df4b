"""Process that runs exported artifacts without Keras and keras_ae, which cannot be imported here.

It is started as a file: python -I verification_process.py DIRECTORY. The directory contains
`job.json`, a list of `{"format", "path", "calls": [{"endpoint", "inputs"}]}`, and
`inputs.npz` with the keys artifact/call/name. The process writes `outputs.npz` with keys of
the same form, and `errors.json`, `{artifact/call: message}`.
"""

import functools
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def open_saved_model(path: str | Path) -> Callable:
    """Load a SavedModel, and return a function from an endpoint to its function `inputs -> outputs`."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))  # must outlive its signatures, which hold no variables

    def function_of(endpoint):
        signature = loaded.signatures[endpoint]

        def run(inputs):
            outputs = signature(**{name: tf.constant(value) for name, value in inputs.items()})
            return {name: as_array(value.numpy()) for name, value in outputs.items()}

        return run

    return function_of


def open_onnx(paths: Mapping[str, str | Path]) -> Callable:
    """Return a function that loads an endpoint of `{endpoint: file}` as a function `inputs -> outputs`."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal: errors are raised, and would be printed as well

    def function_of(endpoint):
        session = onnxruntime.InferenceSession(
            str(paths[endpoint]), options, providers=["CPUExecutionProvider"]
        )
        names = [output.name for output in session.get_outputs()]

        def run(inputs):
            return dict(zip(names, map(as_array, session.run(names, dict(inputs))), strict=True))

        return run

    return function_of


def as_array(value: object) -> np.ndarray:
    """Return strings as fixed-width bytes, which do not require pickle, and other values unchanged."""
    return np.asarray(value, "S") if np.asarray(value).dtype == object else np.asarray(value)


OPENERS: dict[str, Callable[..., Callable]] = {"saved_model": open_saved_model, "onnx": open_onnx}


def run_artifact(
    index: int,
    artifact: dict,
    arrays: Mapping[str, np.ndarray],
    outputs: dict[str, np.ndarray],
    errors: dict[str, str],
) -> None:
    """Make all calls of one artifact, and record the message of each call that fails."""
    try:
        function_of = functools.cache(OPENERS[artifact["format"]](artifact["path"]))
    except Exception as error:
        errors |= {f"{index}/{number}": str(error) for number in range(len(artifact["calls"]))}
        return
    for number, call in enumerate(artifact["calls"]):
        key = f"{index}/{number}"
        try:
            inputs = {name: arrays[f"{key}/{name}"] for name in call["inputs"]}
            outputs |= {
                f"{key}/{name}": value for name, value in function_of(call["endpoint"])(inputs).items()
            }
        except Exception as error:
            errors[key] = f"{type(error).__name__}: {error}"


def main(directory: Path) -> None:
    """Run the job in `directory`."""
    # the artifact must not depend on these packages: importing either of them fails from here on
    # typeshed leaves out that None in sys.modules blocks an import
    sys.modules["keras"] = sys.modules["keras_ae"] = None  # type: ignore[assignment]
    outputs: dict[str, Any] = {}
    errors: dict[str, str] = {}
    with np.load(directory / "inputs.npz") as arrays:
        for index, artifact in enumerate(json.loads((directory / "job.json").read_text())):
            run_artifact(index, artifact, arrays, outputs, errors)
    np.savez(directory / "outputs.npz", **outputs)
    (directory / "errors.json").write_text(json.dumps(errors))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
