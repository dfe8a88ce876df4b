"""Exported encoders from any source: SavedModels and ONNX files."""

import difflib
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

    Args:
        loaded: the SavedModel.
        signature: name of the signature.
        output_name: the output to compute; `None`: all.

    Attributes:
        inputs: `{name: (shape, dtype)}`; a free size is `None`, and the dtype of strings is `None`.
        outputs: `{name: shape}`.
        layout: layout of outputs that are maps; `None`: that of the input.
        assumed_layout: layout of an input of images whose axes do not show it; `None`: it must be given.
    """

    layout, assumed_layout = None, "nhwc"

    def __init__(self, loaded, signature, output_name=None):
        self._loaded = loaded  # must outlive its signatures, which hold no variables
        self._function = loaded.signatures[signature]
        specs = self._function.structured_input_signature[1]
        self.inputs = {name: _of_spec(spec) for name, spec in sorted(specs.items())}
        specs = self._function.structured_outputs
        self.outputs = {name: _of_spec(spec)[0] for name, spec in specs.items()}
        if output_name is not None:
            if output_name not in self.outputs:
                raise unknown_output(output_name, f"the signature {signature}", self.outputs)
            self.outputs = {output_name: self.outputs[output_name]}

    def __call__(self, **inputs):
        outputs = self._function(**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: outputs[name].numpy() for name in self.outputs}


class OnnxFunction:
    """ONNX file as a function from named arrays to named arrays; attributes as in `SavedModelFunction`.

    Args:
        path: the file.
        output_name: the output or inner tensor to compute; `None`: all outputs.
    """

    assumed_layout = None

    def __init__(self, path, output_name=None):
        self._session, self.layout = _onnx_session(path, path), None
        outputs = [one.name for one in self._session.get_outputs()]
        if output_name is not None and output_name not in outputs:
            self._session, self.layout = _session_of_inner(path, output_name, outputs)
        self.inputs = {one.name: _of_onnx(one) for one in self._session.get_inputs()}
        named = [one for one in self._session.get_outputs() if output_name in (None, one.name)]
        self.outputs = {one.name: _of_onnx(one)[0] for one in named}
        self._names = list(self.outputs)

    def __call__(self, **inputs):
        feed = {
            name: np.asarray(value, object if dtype is None else dtype)
            for (name, value), (_, dtype) in zip(
                inputs.items(), [self.inputs[name] for name in inputs], strict=True
            )
        }
        return dict(zip(self._names, self._session.run(self._names, feed), strict=True))


def open_artifact(path: Path, endpoint: str | None = None, output_name: str | None = None):
    """Return `(encode, decode or None)` of a SavedModel directory, an ONNX directory or an ONNX file.

    Args:
        path: the file, the directory, or a directory that contains versions of a SavedModel.
        endpoint: name of the signature or file that encodes; `None`: `encode`, else `serving_default`, else
            the only one.
        output_name: the output, or inner tensor of an ONNX file, that is computed; `None`: all outputs.

    Raises:
        InputError: there is no encoder, there are several and none is called `encode`, or it has no such
            output.
    """
    if path.suffix == ".onnx":
        # our own exports have the decoder next to the encoder
        beside = path.with_name(f"{DECODE}.onnx")
        ours = path.stem == ENCODE and beside.is_file()
        return OnnxFunction(path, output_name), OnnxFunction(beside) if ours else None
    folder = _version(path)
    if (folder / "saved_model.pb").is_file():
        return _of_saved_model(folder, endpoint, output_name)
    files = {file.stem: file for file in sorted(path.glob("*.onnx"))}
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


# operators with channels on axis 1
MAPS_FIRST = ("Conv", "ConvTranspose", "BatchNormalization", "InstanceNormalization", "MaxPool")
MAPS_FIRST += ("AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Resize")


def _session_of_inner(path, name, outputs):
    """Return a session whose additional output is an inner tensor, and the layout of this tensor."""
    onnx = require("onnx", extra="onnx")
    model = onnx.load(str(path), load_external_data=False)
    constants = {one.name for one in model.graph.initializer}
    makers = {
        output: node for node in model.graph.node if node.op_type != "Constant" for output in node.output
    }
    if name not in makers or name in constants:
        raise unknown_output(name, path.name, outputs, [one for one in makers if one not in outputs])
    model.graph.output.append(onnx.ValueInfoProto(name=name))
    return _onnx_session(model.SerializeToString(), path), _layout_of_inner(makers, name)


def _layout_of_inner(makers, name):
    """Return the layout of maps in an inner tensor from the nearest operator that defines one."""
    while name in makers:
        node = makers[name]
        if node.op_type in MAPS_FIRST:
            return "nchw"
        if node.op_type == "Transpose":
            (order,) = [list(one.ints) for one in node.attribute if one.name == "perm"] or [[]]
            return {(0, 2, 3, 1): "nhwc", (0, 3, 1, 2): "nchw"}.get(tuple(order))
        name = next((one for one in node.input if one in makers), "")
    return None


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
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in one.shape)
    name = one.type.removeprefix("tensor(").removesuffix(")")
    return shape, None if name == "string" else NUMPY_TYPES.get(name, name)
