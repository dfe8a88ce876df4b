"""Exported artifacts, which run without the code of the model."""

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.export.signature import reason, summary
from keras_ae.export.verification_process import OPENERS
from keras_ae.export_folders import MANIFEST, check_files, export_folder, incomplete, read_manifest
from keras_ae.models.endpoint import as_plain_array, checked_input, lengths_of
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.tables import as_columns, check_table, values_of
from keras_ae.tables.values import has_column_names


class Artifact:
    """Exported model: a version of a SavedModel or of ONNX files.

    It stays the version that was opened when another one is exported, and can be pickled for other
    processes, which open it again.

    Attributes:
        path: the directory of the artifact.
        format: "saved_model" or "onnx".
        manifest: the contents of `manifest.json`.
        preprocessing: the steps from raw data to the inputs, a `models.Preprocessing`; `None` if the model
            does not declare them.

    Example:

    >>> import tempfile
    >>> import keras
    >>> from keras_ae.export import to_onnx
    >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     _ = to_onnx(model, directory)
    ...     artifact = Artifact.open(directory)
    ...     print(artifact.run("serving_default", x=np.zeros((3, 4)))["output"].shape)
    (3, 2)
    """

    def __init__(self, path: Path, manifest: dict):
        self.path = path
        self.manifest = manifest
        self.format = manifest["format"]
        self.preprocessing = _preprocessing(path, manifest)
        self._opened = path
        self._state: dict | None = None
        self._function_of: Callable | None = None
        self._functions: dict[str, Callable] = {}

    @classmethod
    def open(cls, path: str | os.PathLike) -> "Artifact":
        """Open an artifact, and compare its files with the sizes and hashes in its manifest.

        Args:
            path: a version directory, the directory above it (whose highest version is opened), an
                ONNX file, or a directory of ONNX files without versions, of an earlier version of keras_ae.

        Raises:
            InputError: the path does not exist or is not an artifact, or the artifact is incomplete or
                damaged.
        """
        path = Path(path)
        if not path.exists():
            raise InputError(
                f"path must be an exported artifact. Received: path={path}, which does not exist."
            )
        while True:
            folder = path.parent if path.is_file() else export_folder(path)
            try:
                return cls._of(path, folder)
            except InputError:
                if path.is_file() or export_folder(path) == folder:
                    raise
                # a version was published meanwhile, in place of an export without versions

    @classmethod
    def _of(cls, path, folder):
        before = _state([folder / MANIFEST])
        artifact = cls(folder, _of_one_file(path) if path.is_file() else read_manifest(folder))
        artifact._opened = path if path.is_file() else folder
        files = artifact._files()
        missing = [file.relative_to(folder).as_posix() for file in files if not file.exists()]
        if missing:
            raise incomplete(folder, missing)
        artifact._state = {**before, **_state(files)}
        check_files(folder, artifact.manifest)
        artifact._check_unchanged()
        return artifact

    def __reduce__(self):
        return _reopened, (self._opened.absolute(), self.manifest)

    def __repr__(self):
        known = "unknown" if self.preprocessing is None else self.preprocessing.to_dict()
        endpoints = ", ".join(self.manifest["endpoints"])
        return f"<Artifact {self.path}, {self.format}, endpoints {endpoints}, preprocessing {known}>"

    def run(self, endpoint: str, **inputs: Any) -> dict[str, np.ndarray]:
        """Return the outputs of an endpoint.

        Inputs must be preprocessed as `preprocessing` describes. Invalid inputs raise an error, such as
        8-bit pixels instead of values in [0, 1], codes that are not integers, and NaN.

        Raises:
            InputError: the endpoint does not exist, the inputs have other names, shapes, dtypes or ranges,
                or the artifact is damaged.
        """
        specs = self._endpoint(endpoint)["inputs"]
        if specs.keys() != inputs.keys():
            raise InputError(
                f"The inputs of `{endpoint}` must be {sorted(specs)}. Received: {sorted(inputs)}."
            )
        lengths = {name: inputs[name] for name in specs if name.endswith("lengths")}
        arrays = {
            name: self._fitted(
                f"Input `{name}` of `{endpoint}`", inputs[name], spec, lengths_of(name, lengths)
            )
            for name, spec in specs.items()
        }
        empty = any(not len(array) for array in arrays.values())
        function = self._function(endpoint)
        try:
            outputs = function(self._example(endpoint, arrays) if empty else arrays)
        except (ImportError, MemoryError):
            raise
        except Exception as error:  # each runtime raises classes of its own
            shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
            raise InputError(
                f"`{endpoint}` of the artifact in {self.path} fails on {shapes}: {reason(error)}"
            ) from error
        return {name: value[:0] for name, value in outputs.items()} if empty else outputs

    def _function(self, endpoint):
        """Return the function of an endpoint, loaded when it is first used."""
        if endpoint not in self._functions:
            try:
                if self._function_of is None:
                    self._function_of = OPENERS[self.format](self._location())
                function = self._function_of(endpoint)
            except (ImportError, MemoryError):
                raise
            except Exception as error:
                self._check_unchanged()
                listed = "contents" in self.manifest
                cause = "with these versions of its runtime" if listed else "perhaps a file is cut short"
                raise InputError(
                    f"`{endpoint}` of the artifact in {self.path} cannot be loaded, {cause} "
                    f"({summary(error)}). Export it again."
                ) from error
            self._check_unchanged()
            self._functions[endpoint] = function
        return self._functions[endpoint]

    def _check_unchanged(self):
        """Raise an error if files have changed since the artifact was opened: they may be of two exports."""
        if self._state is not None and self._state != _state(self._state):
            raise InputError(
                f"The files of the artifact in {self.path} must not change while it is open. "
                "Received: other files, perhaps of another export. Open it again."
            )

    def _example(self, endpoint, arrays):
        """Return inputs of one example, whose outputs show the shapes of the outputs of an empty batch."""
        rows = self.manifest.get("verification", [])
        lengths = [row.get("length") for row in rows if row.get("endpoint") == endpoint]
        length = max((length for length in lengths if isinstance(length, int)), default=1)
        specs = self._endpoint(endpoint)["inputs"]
        return {name: _ones(specs[name], array.shape[1:], length) for name, array in arrays.items()}

    def input_shape(self, endpoint: str, name: str) -> tuple[int | None, ...]:
        """Return the shape of an input, with `None` for free sizes."""
        specs = self._endpoint(endpoint)["inputs"]
        if name not in specs:
            raise InputError(
                f"name must be one of the inputs {sorted(specs)} of `{endpoint}`. Received: name={name!r}."
            )
        return tuple(specs[name]["shape"])

    def _fitted(self, label, value, spec, lengths):
        """Return an input as an array; a table with named columns, or with categories, is converted."""
        if not spec.get("table") or self.preprocessing is None:
            return _fit(label, value, spec, lengths)
        columns = as_columns(self.preprocessing.columns)
        if not has_column_names(value):
            value = as_plain_array(label, value)
        if has_column_names(value) or value.dtype.kind in "OUS":
            array = values_of(value, columns)
        else:
            array = value.astype("float32")
        check_table(array, columns, label)
        return array

    def _endpoint(self, name):
        endpoints = self.manifest["endpoints"]
        if name not in endpoints:
            raise InputError(
                f"endpoint must be one of {sorted(endpoints)} in {self.path}. Received: endpoint={name!r}."
            )
        return endpoints[name]

    def _location(self):
        if self.format == "saved_model":
            return self.path
        return {name: self.path / f"{name}.onnx" for name in self.manifest["endpoints"]}

    def _files(self):
        names = [*self.manifest.get("contents", {}), *self.manifest.get("files", [])]
        if self.format == "onnx":
            names += [f"{name}.onnx" for name in self.manifest["endpoints"]]
        else:
            names += ["saved_model.pb", "variables/variables.index"]
        return [self.path / name for name in dict.fromkeys(names)]


def locate(
    artifact: str | os.PathLike | Mapping[str, Path],
) -> tuple[str, Path | dict[str, Path], list[str] | None]:
    """Return format, location and endpoints (`None`: unknown) of an artifact, with or without a manifest.

    Args:
        artifact: `{endpoint: ONNX file}`, or a directory or file as in `Artifact.open`.
    """
    if isinstance(artifact, Mapping):
        return "onnx", {name: Path(path) for name, path in artifact.items()}, list(artifact)
    path = Path(artifact)
    if (path / "saved_model.pb").exists() and not (path / MANIFEST).exists():
        return "saved_model", path, None
    opened = Artifact.open(path)
    return opened.format, opened._location(), list(opened.manifest["endpoints"])


def _of_one_file(path):
    if path.suffix != ".onnx":
        raise InputError(
            f"path must be an artifact or an .onnx file listed in a manifest. Received: path={path}."
        )
    manifest = read_manifest(path.parent)
    if path.stem not in manifest["endpoints"]:
        raise InputError(
            f"path must be an .onnx file listed in {path.parent / MANIFEST}. Received: path={path}."
        )
    needed = (path.name, manifest.get("shared_weights"))
    contents = {name: entry for name, entry in manifest.get("contents", {}).items() if name in needed}
    own = {"endpoints": {path.stem: manifest["endpoints"][path.stem]}, "files": []}
    return {**manifest, **own, **({"contents": contents} if "contents" in manifest else {})}


def _preprocessing(path, manifest):
    try:
        return Preprocessing.of(manifest.get("preprocessing"))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(
            f"The preprocessing in {path / MANIFEST} is not valid ({reason(error)}). Export the model again."
        ) from error


def _state(paths):
    """Return `{path: (inode, size, time of change)}`, `None` for files that do not exist."""
    found: dict[Path, tuple | None] = {}
    for path in paths:
        try:
            status = path.stat()
            found[path] = status.st_ino, status.st_size, status.st_mtime_ns
        except OSError:
            found[path] = None
    return found


def _reopened(path, manifest):
    """Return a pickled artifact."""
    artifact = Artifact.open(path)
    if artifact.manifest != manifest:
        raise InputError(f"{path} must contain the export that was pickled. Received: another export.")
    return artifact


def _ones(spec, sizes, length):
    """Return one example of ones, which are valid pictures, lengths and ids, of the given sizes unless 0."""
    sizes = [1, *(size or length for size in sizes)]
    if spec["dtype"] == "string":
        return np.full(sizes, "word")
    low, high = spec.get("value_range") or (-math.inf, math.inf)
    return np.full(sizes, min(max(1, low), high), spec["dtype"])


def _fit(label, value, spec, lengths):
    value = as_plain_array(label, value)
    shape = value.shape
    fits = len(shape) == len(spec["shape"]) and all(
        size in (None, actual) for size, actual in zip(spec["shape"], shape, strict=True)
    )
    if not fits:
        raise InputError(
            f"{label} must have the shape {_shape(spec['axes'], spec['shape'])}. Received: {shape}."
        )
    return checked_input(label, value, spec["dtype"], spec.get("value_range"), lengths)


def _shape(axes, sizes):
    return "(" + ", ".join(str(axis or size) for axis, size in zip(axes, sizes, strict=True)) + ")"
