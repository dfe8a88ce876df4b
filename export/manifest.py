"""Metadata of an artifact in `manifest.json`."""

import dataclasses
import datetime
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_ae.errors import InputError
from keras_ae.export.raw_inputs import with_value_ranges
from keras_ae.export.verification_report import VerificationReport, VerificationRow
from keras_ae.export_folders import FORMAT_VERSION, MANIFEST, checksums, export_folder, read_manifest
from keras_ae.files import write_atomically
from keras_ae.models.preprocessing import Preprocessing

_PACKAGES = {
    "saved_model": ("keras-ae", "keras", "tensorflow"),
    "onnx": ("keras-ae", "keras", "tensorflow", "tf2onnx", "onnx"),
}


def write_manifest(
    directory: Path,
    model: keras.Model,
    format: str,
    endpoints: Mapping[str, dict],
    report: VerificationReport,
    *,
    preprocessing: Preprocessing | None = None,
    **further: Any,
) -> dict:
    """Write `manifest.json` into a finished artifact, with the size and SHA-256 of its files.

    Args:
        directory: directory of the artifact.
        model: the exported model.
        format: "saved_model" or "onnx".
        endpoints: `{name: description}` with the results of `describe_endpoint`.
        report: the verification that the artifact passed.
        preprocessing: preprocessing of the inputs; the range of values is also stored with each input.
        **further: format-specific entries, such as `opset`.
    """
    manifest = {
        "format_version": FORMAT_VERSION,
        "format": format,
        "model": type(model).__name__,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": {name: _version(name) for name in _PACKAGES[format]},
        "weights_sha256": weights_sha256(model),
        "preprocessing": None if preprocessing is None else preprocessing.to_dict(),
        **further,
        "endpoints": with_value_ranges(endpoints, preprocessing),
        "verification": [dataclasses.asdict(row) for row in report.rows],
        "contents": checksums(directory),
    }
    _write(directory, manifest)
    return manifest


def renew_contents(directory: Path) -> None:
    """Write the sizes and hashes of the files into the manifest again, if there is one."""
    if (directory / MANIFEST).exists():
        _write(directory, {**read_manifest(directory), "contents": checksums(directory)})


def verification_table(directory: str | os.PathLike) -> str:
    """Return the verification of the artifact in `directory` from when it was written, as aligned text.

    Args:
        directory: directory of an artifact, or of its versions, of which the highest is taken.

    Raises:
        InputError: there is no artifact, or its manifest is damaged.
    """
    folder = export_folder(Path(directory))
    try:
        rows = [VerificationRow(**row) for row in read_manifest(folder)["verification"]]
        return VerificationReport(tuple(rows)).table()
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{folder / MANIFEST} must contain a valid verification. Received: {type(error).__name__} "
            f"({error}). Export the model again."
        ) from error


def _write(directory, manifest):
    write_atomically(directory / MANIFEST, json.dumps(manifest, indent=2, allow_nan=False) + "\n")


def weights_sha256(model: keras.Model) -> str:
    """Hash the shapes, dtypes and values of all weights in order, without the names that Keras numbers."""
    digest = hashlib.sha256()
    for weight in model.get_weights():
        digest.update(f"{weight.shape}{weight.dtype}".encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # a checkout, or a build with another name
        return "not installed"
