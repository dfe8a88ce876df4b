"""Exported artifacts, which run without the code of the model."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.export.manifest import MANIFEST, read_manifest
from keras_ae.export.signature import summary
from keras_ae.export.verification_process import RUNNERS
from keras_ae.models.endpoint import as_plain_array, checked_input, lengths_of
from keras_ae.models.preprocessing import Preprocessing
from keras_ae.tables import as_columns, check_table, values_of
from keras_ae.tables.values import has_column_names


class Artifact:
    """Exported model: a version of a SavedModel, or the ONNX files of a directory.

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
        self.preprocessing = Preprocessing.of(manifest.get("preprocessing"))
        self._run: Callable | None = None

    @classmethod
    def open(cls, path: str | os.PathLike) -> "Artifact":
        """Open an artifact.

        Args:
            path: a version directory, the directory above it (whose highest version is opened), an ONNX
                directory, or an ONNX file.

        Raises:
            InputError: the path does not exist or is not an artifact, or the artifact is incomplete.
        """
        path = Path(path)
        if not path.exists():
            raise InputError(
                f"path must be an exported artifact. Received: path={path}, which does not exist."
            )
        if path.is_file():
            return cls(path.parent, _of_one_file(path))
        if not (path / MANIFEST).exists() and versions(path):
            path = path / str(versions(path)[-1])
        manifest = read_manifest(path)
        artifact = cls(path, manifest)
        missing = [file.name for file in artifact._files() if not file.exists()]
        if missing:
            raise InputError(
                f"The artifact in {path} is incomplete: {', '.join(missing)} is missing. Export it again."
            )
        return artifact

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
        try:
            if self._run is None:
                self._run = RUNNERS[self.format](self._location())
            return self._run(endpoint, arrays)
        except ImportError:
            raise
        except Exception as error:  # each runtime raises classes of its own for a damaged file
            raise InputError(
                f"`{endpoint}` of the artifact in {self.path} cannot be run, perhaps a file is cut short "
                f"({summary(error)}). Export it again."
            ) from error

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
        if self.format == "onnx":
            return [
                *self._location().values(),
                *(self.path / name for name in self.manifest.get("files", [])),
            ]
        return [self.path / "saved_model.pb", self.path / "variables" / "variables.index"]


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


def versions(directory: Path) -> list[int]:
    """Return the version numbers in a base directory in ascending order."""
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())


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
    return {**manifest, "endpoints": {path.stem: manifest["endpoints"][path.stem]}}


def _fit(label, value, spec, lengths):
    shape = np.shape(value) if hasattr(value, "shape") else as_plain_array(label, value).shape
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
