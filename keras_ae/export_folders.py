"""Folders of exported models: versions, manifests and checksums.

An export is a folder with `manifest.json` that is never changed after it has got its name, a version number:
`edge/1`, `edge/2`. Of several versions, the highest one is used. Exports of ONNX files by earlier versions of
the package have no number; their files are in `edge` itself.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from keras_ae.errors import InputError

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
FORMATS = ("saved_model", "onnx")
SHA256 = re.compile("[0-9a-f]{64}")
# TensorFlow Serving reads versions as int64, and ignores folders of larger numbers
LARGEST_VERSION = 2**63 - 1


def version_folders(directory: Path) -> dict[int, Path]:
    """Return `{version: path}` of the entries of a base directory that are named by numbers, ascending.

    Example:

    >>> version_folders(Path("no/such/export"))
    {}
    """
    if not directory.is_dir():
        return {}
    paths = [path for path in directory.iterdir() if re.fullmatch("0*[0-9]{1,19}", path.name)]
    numbers = sorted((int(path.name), path) for path in paths)  # of 1 and 0001, the last one
    return {number: path for number, path in numbers if number <= LARGEST_VERSION}


def export_folder(path: Path) -> Path:
    """Return the folder of the artifact in `path`: that of the highest version, or `path` itself.

    Example:

    >>> export_folder(Path("no/such/export")).as_posix()
    'no/such/export'
    """
    if (path / "saved_model.pb").is_file():
        return path
    folders = list(version_folders(path).values())
    if (path / MANIFEST).is_file():  # an export without versions, or a file of the user
        folders = [folder for folder in folders if (folder / MANIFEST).is_file()]
    return folders[-1] if folders else path


def publish_version(temporary: Path, directory: Path, version: int | None = None) -> Path:
    """Rename the finished artifact to `directory/<version>` and return this path.

    A reader sees the artifact with all of its files, or not at all.

    Args:
        temporary: the artifact, in a hidden folder of `directory`.
        directory: base directory of the versions.
        version: the number; `None`: one more than the highest number that exists.

    Raises:
        InputError: the number is in use, or there is no higher one.
    """
    while True:
        number = max(version_folders(directory), default=0) + 1 if version is None else version
        if number > LARGEST_VERSION:
            raise InputError(
                f"{directory} must not contain version {LARGEST_VERSION}, after which there is no next one. "
                "Pass a free version, or choose another directory."
            )
        target = directory / str(number)
        try:
            return temporary.rename(target)
        except OSError as error:
            if not target.exists():
                raise
            if version is not None:
                raise version_in_use(directory, version) from error
            # another export has used the number meanwhile: try the next one


def version_in_use(directory: Path, version: int) -> InputError:
    """Return the error for a version that exists already."""
    return InputError(f"Version {version} is already in {directory}. Choose another, or leave it out.")


def refuse_other_format(directory: Path, format: str) -> None:
    """Raise an error if `directory` contains exports in another format than `format`.

    Only the highest version is used, by a server too, so all versions of a directory have one format.

    Raises:
        InputError: the highest version has another format.
    """
    folder = export_folder(directory)
    try:
        found = read_manifest(folder)["format"]
    except InputError:
        found = "saved_model" if (folder / "saved_model.pb").is_file() else format
    if found != format:
        raise InputError(
            f"directory must contain exports of one format. Received: {directory}, which contains "
            f"{'ONNX files' if found == 'onnx' else 'SavedModels'}. Choose another directory."
        )


def checksums(folder: Path) -> dict[str, dict[str, Any]]:
    """Return `{name: {"size", "sha256"}}` of all files below `folder` except its manifest.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.txt").write_text("abc")
    >>> checksums(folder)["a.txt"]["sha256"][:8]
    'ba7816bf'
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: _checksum(path) for name, path in names.items() if name != MANIFEST}


def check_files(folder: Path, manifest: Mapping[str, Any], names: Iterable[str] | None = None) -> None:
    """Raise an error unless files of an artifact are those that its manifest lists.

    Args:
        folder: folder of the artifact.
        manifest: its manifest; those of earlier versions of the package list no sizes and hashes.
        names: the files to check; names that are not listed are ignored. `None`: all that are listed.

    Raises:
        InputError: a file is missing, or has another size or other contents.
    """
    listed = manifest.get("contents", {})
    chosen = {name: listed[name] for name in (listed if names is None else names) if name in listed}
    missing = [name for name in chosen if not (folder / name).is_file()]
    if missing:
        raise incomplete(folder, missing)
    for name, entry in chosen.items():
        try:
            size = (folder / name).stat().st_size
            problem = f"{size} bytes" if size != entry["size"] else ""
            if not problem and _checksum(folder / name) != entry:
                problem = "other contents"
        except OSError as error:
            raise InputError(f"{folder / name} cannot be read ({error.strerror}).") from error
        if problem:
            raise InputError(
                f"The artifact in {folder} is damaged: {name} must have the {entry['size']} bytes that were "
                f"exported. Received: {problem}. Copy the export again, or export the model again."
            )


def incomplete(folder: Path, missing: Iterable[str]) -> InputError:
    """Return the error for missing files of an artifact."""
    return InputError(
        f"The artifact in {folder} is incomplete: {', '.join(missing)} is missing. Export it again."
    )


def read_manifest(directory: Path) -> dict[str, Any]:
    """Read and check the manifest in `directory`.

    Raises:
        InputError: there is no manifest, it cannot be read, or its entries are not valid.
    """
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        problem = _problem(manifest)
    except (OSError, ValueError, RecursionError) as error:
        problem, cause = type(error).__name__, error
    else:
        cause = None
    if problem:
        raise InputError(
            f"An artifact of keras_ae.export must contain a readable {MANIFEST}. Received: {directory} "
            f"({problem}). Export the model again."
        ) from cause
    if manifest["format_version"] != FORMAT_VERSION:
        raise InputError(
            f"The format version in {directory / MANIFEST} must be {FORMAT_VERSION}. "
            f"Received: {manifest['format_version']}. "
            "Read it with the version of keras_ae that wrote it, or export again."
        )
    return manifest


def _checksum(path):
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _problem(manifest):
    """Return what is wrong with a manifest, or an empty text."""
    if not isinstance(manifest, dict):
        return "it must be a JSON object"
    missing = [key for key in ("format_version", "format", "endpoints") if key not in manifest]
    if missing:
        return f"{', '.join(missing)} is missing"
    if manifest["format_version"] != FORMAT_VERSION:
        return ""  # another version of the package has other entries
    if manifest["format"] not in FORMATS:
        return f"format must be one of {', '.join(FORMATS)}"
    for key, kind in (("preprocessing", dict), ("verification", list), ("versions", dict)):
        if not isinstance(manifest.get(key), kind | None):
            return f"{key} is not a {kind.__name__}"
    return _problem_of_files(manifest) or _problem_of_endpoints(manifest["endpoints"])


def _problem_of_files(manifest):
    """The names of files must lie inside of the folder."""
    files, contents = manifest.get("files", []), manifest.get("contents", {})
    if not isinstance(files, list) or not isinstance(contents, dict):
        return "files must be a list, and contents a dict"
    shared = [manifest["shared_weights"]] if manifest.get("shared_weights") is not None else []
    for name in (*files, *shared, *contents):
        if not isinstance(name, str) or not _lies_inside(name):
            return f"{name!r} is not the name of a file of the artifact"
    for name, entry in contents.items():
        known = isinstance(entry, dict) and entry.keys() == {"size", "sha256"}
        if not known or type(entry["size"]) is not int or not SHA256.fullmatch(str(entry["sha256"])):
            return f"the size or sha256 of {name} is not valid"
    return ""


def _lies_inside(name):
    parts = PurePosixPath(name).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and not set(name) & set("\\:\0")


def _problem_of_endpoints(endpoints):
    if not isinstance(endpoints, dict):
        return "endpoints is not a dict"
    for name, entry in endpoints.items():
        sides = [entry.get("inputs"), entry.get("outputs")] if isinstance(entry, dict) else [None]
        if not name.isidentifier() or not all(isinstance(side, dict) for side in sides):
            return f"the endpoint {name!r} must be an identifier with inputs and outputs"
        for key, spec in ((key, spec) for side in sides for key, spec in side.items()):
            if not (isinstance(spec, dict) and _is_spec(spec)):
                return f"the shape, axes, dtype or value_range of {key!r} in {name} is not valid"
    return ""


def _is_spec(spec):
    import numpy as np

    shape, axes, dtype = spec.get("shape"), spec.get("axes"), spec.get("dtype")
    if not isinstance(shape, list) or not isinstance(axes, list) or len(shape) != len(axes):
        return False
    sizes = all(size is None or (type(size) is int and size >= 0) for size in shape)
    names = all(axis is None or isinstance(axis, str) for axis in axes)
    bounds = spec.get("value_range")
    ranged = bounds is None or (
        isinstance(bounds, list) and len(bounds) == 2 and all(type(one) in (int, float) for one in bounds)
    )
    if not (shape and shape[0] is None and sizes and names and ranged and isinstance(dtype, str)):
        return False
    try:
        return dtype == "string" or np.dtype(dtype).kind in "fiub"
    except TypeError:
        return False
