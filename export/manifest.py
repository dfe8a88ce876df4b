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
from keras_ae.models.preprocessing import Preprocessing

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
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
    """Write `manifest.json` into a finished artifact.

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
    }
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=2, allow_nan=False) + "\n")
    return manifest


def read_manifest(directory: Path) -> dict:
    """Read the manifest in `directory`.

    Raises:
        InputError: there is no manifest, or it cannot be read.
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_text())
        version, _, _ = manifest["format_version"], manifest["format"], manifest["endpoints"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"An artifact of keras_ae.export must contain a readable {MANIFEST}. Received: {directory} "
            f"({type(error).__name__}). Export the model again."
        ) from error
    if version != FORMAT_VERSION:
        raise InputError(
            f"The format version in {directory / MANIFEST} must be {FORMAT_VERSION}. Received: {version}. "
            "Read it with the version of keras_ae that wrote it, or export again."
        )
    return manifest


def verification_table(directory: str | os.PathLike) -> str:
    """Return the verification of the artifact in `directory` from when it was written, as aligned text."""
    rows = (VerificationRow(**row) for row in read_manifest(Path(directory))["verification"])
    return VerificationReport(tuple(rows)).table()


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
