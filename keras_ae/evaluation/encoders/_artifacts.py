"""Exported encoders from any source: SavedModels and ONNX files."""

import difflib
import json
from pathlib import Path

import numpy as np
import tensorflow as tf  # loads SavedModels

from keras_ae.errors import InputError, require
from keras_ae.evaluation.encoders._onnx_features import features_axis, makers
from keras_ae.export_folders import MANIFEST, check_files, export_folder, read_manifest
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

    Args:
        loaded: the SavedModel.
        signature: name of the signature.
        output_name: the output that is the embedding; `None`: it is found by `embedding_names`.

    Attributes:
        inputs: `{name: (shape, dtype)}`; a free size is `None`, and the dtype of strings is `None`.
        outputs: `{name: (shape, dtype)}` of all outputs.
        chosen: the argument `output_name`.
        assumed_layout: layout of an input of images whose axes do not show it; `None`: it must be given.
    """

    assumed_layout = "nhwc"

    def __init__(self, loaded, signature, output_name=None):
        self._loaded = loaded  # must outlive its signatures, which hold no variables
        self._function = loaded.signatures[signature]
        specs = self._function.structured_input_signature[1]
        self.inputs = {name: _of_spec(spec) for name, spec in sorted(specs.items())}
        specs = self._function.structured_outputs
        self.outputs = {name: _of_spec(spec) for name, spec in specs.items()}
        self.chosen = output_name
        if output_name not in (None, *self.outputs):
            raise unknown_output(output_name, f"the signature {signature}", self.outputs)

    def __call__(self, inputs, names=None):
        outputs = self._function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: outputs[name].numpy() for name in names or self.outputs}

    def features(self, name):
        """Return `None`: the graph does not show which axis of an output has the features."""


class OnnxFunction:
    """ONNX file as a function from named arrays to named arrays; attributes as in `SavedModelFunction`.

    Args:
        path: the file.
        output_name: the output or inner tensor that is the embedding; `None`: found by `embedding_names`.
    """

    assumed_layout = None

    def __init__(self, path, output_name=None):
        self._path, self.chosen = path, output_name
        self._session = _onnx_session(path, path)
        outputs = [one.name for one in self._session.get_outputs()]
        if output_name is not None and output_name not in outputs:
            self._session = _session_of_inner(path, output_name, outputs)
        self.inputs = {one.name: _of_onnx(one) for one in self._session.get_inputs()}
        self.outputs = {one.name: _of_onnx(one) for one in self._session.get_outputs()}

    def __call__(self, inputs, names=None):
        names = list(names or self.outputs)
        kinds = {name: object if kind is None else kind for name, (_, kind) in self.inputs.items()}
        feed = {name: np.asarray(value, kinds[name]) for name, value in inputs.items()}
        return dict(zip(names, self._session.run(names, feed), strict=True))

    def features(self, name):
        """Return the axis of an output with the features, "first" or "last", as the operators show it."""
        try:
            return features_axis(_graph(self._path), name)
        except ImportError:  # onnxruntime alone runs the file, and the shape of the output decides
            return None


def open_artifact(path: Path, endpoint: str | None = None, output_name: str | None = None):
    """Return `(encode, decode or None)` of a SavedModel directory, an ONNX directory or an ONNX file.

    Args:
        path: the file, the directory, or a directory that contains versions of an export.
        endpoint: name of the signature or file that encodes; `None`: `encode`, else `serving_default`, else
            the only one.
        output_name: the output, or inner tensor of an ONNX file, that is the embedding.

    Raises:
        InputError: there is no encoder, there are several and none is called `encode`, or it has no such
            output; the files of an export of this package are damaged.
    """
    if path.suffix == ".onnx":
        # our own exports have the decoder next to the encoder
        beside = path.with_name(f"{DECODE}.onnx")
        ours = path.stem == ENCODE and beside.is_file()
        _check_export(path.parent, [path.name, *([beside.name] if ours else [])])
        return OnnxFunction(path, output_name), OnnxFunction(beside) if ours else None
    folder = _folder(path)
    _check_export(folder)
    if (folder / "saved_model.pb").is_file():
        return _of_saved_model(folder, endpoint, output_name)
    files = {file.stem: file for file in sorted(folder.glob("*.onnx"))}
    if not files:
        raise InputError(
            f"{path} must be a .keras file, a SavedModel (with saved_model.pb in it or in a version below "
            "it), an .onnx file, or a directory of these. Received: none of them."
        )
    name = _chosen(list(files), endpoint, path)
    decode = OnnxFunction(files[DECODE]) if name == ENCODE and DECODE in files else None
    return OnnxFunction(files[name], output_name), decode


def preprocessing_in(path: Path) -> Preprocessing | None:
    """Return the preprocessing of an artifact from its `manifest.json`, or `None` without a manifest.

    Raises:
        InputError: the manifest is damaged.
    """
    folder = path.parent if path.suffix == ".onnx" else _folder(path)
    try:
        return Preprocessing.of((_manifest(folder) or {}).get("preprocessing"))
    except (ValueError, TypeError) as error:
        raise InputError(f"{folder / MANIFEST} is damaged ({error}). Export the model again.") from error


def _manifest(folder):
    """Return the manifest, that of this package checked; `None` if something else made the export."""
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged ({error}). Export the model again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is damaged (it must be a JSON object). Export the model again.")
    return read_manifest(folder) if "format_version" in content else content


def _check_export(folder, names=None):
    """Raise an error if files of an export of this package are damaged."""
    manifest = _manifest(folder)
    if manifest is not None and "format_version" in manifest:
        shared = manifest.get("shared_weights")
        check_files(folder, manifest, names if names is None or shared is None else [*names, shared])


def run_batch(function, inputs: dict, names: list | None = None) -> dict:
    """Return outputs for a batch, also of no examples, or if the function takes only batches of a fixed size.

    Args:
        function: `SavedModelFunction` or `OnnxFunction`.
        inputs: `{name: array}`.
        names: the outputs; `None`: all.
    """
    fixed = next((shape[0] for shape, _ in function.inputs.values() if shape and shape[0]), None)
    length = len(next(iter(inputs.values())))
    if not length:  # some graphs fail without examples: the outputs of other examples show the shapes
        blank = {name: _blank(np.asarray(value), fixed or 1) for name, value in inputs.items()}
        return {name: value[:0] for name, value in function(blank, names).items()}
    if not fixed or fixed == length:
        return function(inputs, names)
    parts = []
    for start in range(0, length, fixed):
        rows = np.minimum(np.arange(start, start + fixed), length - 1)  # fill up with the last example
        outputs = function({name: np.asarray(value)[rows] for name, value in inputs.items()}, names)
        parts.append({name: value[: length - start] for name, value in outputs.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _blank(empty, length):
    """Return zeros, or empty strings, for a batch without examples."""
    return np.full((length, *empty.shape[1:]), "" if empty.dtype.kind in "OSU" else 0, empty.dtype)


def _of_saved_model(folder, endpoint, output_name):
    try:
        loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # TensorFlow raises many classes for a damaged directory
        reason = str(error).split("\n")[0]
        raise InputError(f"{folder} is not a readable SavedModel ({reason}).") from error
    names = [name for name in loaded.signatures if not name.startswith("__")]
    name = _chosen(names, endpoint, folder)
    decode = SavedModelFunction(loaded, DECODE) if name == ENCODE and DECODE in names else None
    return SavedModelFunction(loaded, name, output_name), decode


def unknown_output(name, origin, outputs, inner=()):
    """Return the error for an output or inner tensor that does not exist, with names that do."""
    listed = ", ".join(outputs)
    similar = difflib.get_close_matches(name, [*outputs, *inner], n=3)
    parts = [f"The outputs are {listed}."]
    if inner:
        parts.append(f"The last inner tensors are {', '.join(list(inner)[-5:])}.")
    if similar:
        parts.append(f"Perhaps you meant {', '.join(similar)}.")
    kind = "an output or an inner tensor" if inner else "an output"
    return InputError(f"output_name must be {kind} of {origin}. Received: {name!r}. {' '.join(parts)}")


def _onnx_session(model, path):
    """Return the session of a file or of the bytes of a changed one."""
    runtime = require("onnxruntime", extra="onnx")
    options = runtime.SessionOptions()
    # weights in files next to a model that is given as bytes
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(path.parent))
    try:
        model = model if isinstance(model, bytes) else str(model)
        return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime raises classes of its own
        reason = str(error).split("\n")[0]
        raise InputError(f"{path} is not a readable ONNX model ({reason}).") from error


def _graph(path):
    return require("onnx", extra="onnx").load(str(path), load_external_data=False).graph


def _session_of_inner(path, name, outputs):
    """Return a session whose additional output is an inner tensor."""
    onnx = require("onnx", extra="onnx")
    model = onnx.load(str(path), load_external_data=False)
    constants = {one.name for one in model.graph.initializer}
    inner = [made for made in makers(model.graph) if made not in constants]
    if name not in inner:
        raise unknown_output(name, path.name, outputs, [one for one in inner if one not in outputs])
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    return _onnx_session(model.SerializeToString(), path)


def _chosen(names, endpoint, path):
    if endpoint in names:
        return endpoint
    # as TensorFlow Serving, and `keras.Model.export`, which also writes `serve`
    only = names[0] if len(names) == 1 else None
    usual = next((name for name in (ENCODE, "serving_default") if name in names), only)
    if endpoint is None and usual:
        return usual
    wanted = f"the endpoint {endpoint!r}" if endpoint else f"an endpoint `{ENCODE}`, or a single one"
    raise InputError(
        f"{path} must have {wanted}. Received: {', '.join(sorted(names)) or 'none'}. Choose one by endpoint=."
    )


def _folder(path):
    """Return the directory itself, or the subdirectory of its highest version."""
    folder = export_folder(path)
    numbered_by_others = not (folder / MANIFEST).is_file() and any(path.glob("*.onnx"))
    return path if numbered_by_others else folder


def _of_spec(spec):
    shape = tuple(spec.shape) if spec.shape.rank is not None else ()
    return shape, None if spec.dtype == tf.string else spec.dtype.as_numpy_dtype


def _of_onnx(one):
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in one.shape)
    name = one.type.removeprefix("tensor(").removesuffix(")")
    return shape, None if name == "string" else NUMPY_TYPES.get(name, name)
