"""Exported encoders from any source: SavedModels and ONNX files."""

import json
from pathlib import Path

import numpy as np
import tensorflow as tf  # loads SavedModels

from keras_ae.errors import InputError, require
from keras_ae.models.preprocessing import Preprocessing

ENCODE, DECODE = "encode", "decode"
NUMPY_TYPES = {
    "float": "float32",
    "float16": "float16",
    "double": "float64",
    "int32": "int32",
    "int64": "int64",
}


class SavedModelFunction:
    """Signature of a SavedModel as a function from named arrays to named arrays.

    Attributes:
        inputs: `{name: (shape, dtype)}`; a free size is `None`, and the dtype of strings is `None`.
    """

    def __init__(self, loaded, signature):
        self._loaded = loaded  # must outlive its signatures, which hold no variables
        self._function = loaded.signatures[signature]
        specs = self._function.structured_input_signature[1]
        self.inputs = {name: _of_spec(spec) for name, spec in sorted(specs.items())}

    def __call__(self, **inputs):
        outputs = self._function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in outputs.items()}


class OnnxFunction:
    """ONNX file as a function from named arrays to named arrays; attributes as in `SavedModelFunction`."""

    def __init__(self, path):
        runtime = require("onnxruntime", extra="onnx")
        try:
            self._session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises classes of its own
            reason = str(error).split("\n")[0]
            raise InputError(f"{path} is not a readable ONNX model ({reason}).") from error
        self.inputs = {one.name: _of_onnx(one) for one in self._session.get_inputs()}
        self._names = [one.name for one in self._session.get_outputs()]

    def __call__(self, **inputs):
        feed = {
            name: np.asarray(value, object if dtype is None else dtype)
            for (name, value), (_, dtype) in zip(
                inputs.items(), [self.inputs[name] for name in inputs], strict=True
            )
        }
        return dict(zip(self._names, self._session.run(None, feed), strict=True))


def open_artifact(path: Path, endpoint: str | None = None):
    """Return `(encode, decode or None)` of a SavedModel directory, an ONNX directory or an ONNX file.

    Args:
        path: the file, the directory, or a directory that contains versions of a SavedModel.
        endpoint: name of the signature or file that encodes; `None`: `encode`, else the only one.

    Raises:
        InputError: there is no encoder, or there are several and none is called `encode`.
    """
    if path.suffix == ".onnx":
        # our own exports have the decoder next to the encoder
        beside = path.with_name(f"{DECODE}.onnx")
        ours = path.stem == ENCODE and beside.is_file()
        return OnnxFunction(path), OnnxFunction(beside) if ours else None
    folder = _version(path)
    if (folder / "saved_model.pb").is_file():
        return _of_saved_model(folder, endpoint)
    files = {file.stem: file for file in sorted(path.glob("*.onnx"))}
    if not files:
        raise InputError(
            f"{path} must be a .keras file, a SavedModel (with saved_model.pb in it or in a version below "
            "it), an .onnx file, or a directory of these. Received: none of them."
        )
    name = _chosen(list(files), endpoint, path)
    decode = OnnxFunction(files[DECODE]) if name == ENCODE and DECODE in files else None
    return OnnxFunction(files[name]), decode


def preprocessing_in(path: Path) -> Preprocessing | None:
    """Return the preprocessing of an artifact from its `manifest.json`, or `None` without a manifest.

    Raises:
        InputError: the manifest is damaged.
    """
    folder = path.parent if path.suffix == ".onnx" else _version(path)
    manifest = folder / "manifest.json"
    if not manifest.is_file():  # exported by something else
        return None
    try:
        content = json.loads(manifest.read_text())
        return Preprocessing.of(content.get("preprocessing"))
    except (ValueError, AttributeError) as error:
        raise InputError(f"{manifest} is damaged ({error}). Export the model again.") from error


def run_batch(function, inputs: dict) -> dict:
    """Return the outputs for a batch, also if the function takes only batches of a fixed size."""
    fixed = next((shape[0] for shape, _ in function.inputs.values() if shape and shape[0]), None)
    length = len(next(iter(inputs.values())))
    if not fixed or fixed == length:
        return function(**inputs)
    parts = []
    for start in range(0, length, fixed):
        rows = np.minimum(np.arange(start, start + fixed), length - 1)  # fill up with the last example
        outputs = function(**{name: np.asarray(value)[rows] for name, value in inputs.items()})
        parts.append({name: value[: length - start] for name, value in outputs.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _of_saved_model(folder, endpoint):
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow raises many classes for a damaged directory
        reason = str(error).split("\n")[0]
        raise InputError(f"{folder} is not a readable SavedModel ({reason}).") from error
    names = [name for name in loaded.signatures if not name.startswith("__")]
    name = _chosen(names, endpoint, folder)
    decode = SavedModelFunction(loaded, DECODE) if name == ENCODE and DECODE in names else None
    return SavedModelFunction(loaded, name), decode


def _chosen(names, endpoint, path):
    if endpoint in names:
        return endpoint
    if endpoint is None and (ENCODE in names or len(names) == 1):
        return ENCODE if ENCODE in names else names[0]
    wanted = f"the endpoint {endpoint!r}" if endpoint else f"an endpoint `{ENCODE}`, or a single one"
    raise InputError(
        f"{path} must have {wanted}. Received: {', '.join(sorted(names)) or 'none'}. Choose one by endpoint=."
    )


def _version(path):
    """Return the directory itself, or the subdirectory of its highest version."""
    if (path / "saved_model.pb").is_file() or not path.is_dir():
        return path
    numbers = [int(child.name) for child in path.iterdir() if child.name.isdecimal()]
    return path / str(max(numbers)) if numbers else path


def _of_spec(spec):
    shape = tuple(spec.shape) if spec.shape.rank is not None else ()
    return shape, None if spec.dtype == tf.string else spec.dtype.as_numpy_dtype


def _of_onnx(one):
    shape = tuple(size if isinstance(size, int) else None for size in one.shape)
    name = one.type.removeprefix("tensor(").removesuffix(")")
    return shape, None if name == "string" else NUMPY_TYPES.get(name, name)
