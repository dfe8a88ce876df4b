"""ONNX: one file per endpoint, verified with numpy and ONNX Runtime alone."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras

from keras_ae.errors import InputError, require
from keras_ae.export.cases import Case, make_cases
from keras_ae.export.endpoints import select
from keras_ae.export.manifest import MANIFEST, read_manifest, write_manifest
from keras_ae.export.onnx_graph import convert_endpoint, name_axes
from keras_ae.export.raw_inputs import preprocessing_for, with_uint8_images
from keras_ae.export.verification import TOLERANCE, check_cases
from keras_ae.files import staging_directory
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.preprocessing import Preprocessing

OPSETS = range(14, 19)  # the opsets that tf2onnx tests; it rejects 19


def to_onnx(
    model: keras.Model,
    directory: str | os.PathLike,
    *,
    endpoints: Mapping[str, Endpoint] | Iterable[str] | None = None,
    opset: int = 17,
    batch_sizes: Sequence[int] = (1, 3),
    lengths: Sequence[int] = (5, 8),
    tolerance: tuple[float, float] = TOLERANCE,
    preprocessing: Preprocessing | Mapping | None = None,
    uint8_images: bool = False,
) -> dict[str, Path]:
    """Write a verified `directory/<endpoint>.onnx` for each endpoint, and further files that they require.

    Inputs and outputs keep their names, and free axes are named, such as `batch` and `length`. The
    files are written and verified in a temporary directory, and replace older files only then. If the
    outputs of a file differ from those of the model, no file is written.

    Args:
        model: a model that `endpoints_of` accepts, or any model with a table of `endpoints`. A
            model that does not compute in float32 is rebuilt in float32.
        directory: directory for the files and `manifest.json`.
        endpoints: a table of endpoints, or names from `endpoints_of(model)`; `None`: all.
        opset: version of the ONNX operators, 14 to 18.
        batch_sizes: batch sizes to verify.
        lengths: sizes of the free axes to verify, in multiples of the endpoint's `unit`,
            such as the number of samples per frame.
        tolerance: relative and absolute tolerance of floats.
        preprocessing: the steps from raw data to the inputs, for a model that does not declare them: a
            dict or a `models.Preprocessing`. They are stored in the manifest and checked by `Artifact.run`.
        uint8_images: whether to add the endpoint `encode_uint8`, which takes stored images with values
            from 0 to 255 and scales them to the declared range of values.

    Returns:
        `{endpoint: file}`.

    Raises:
        InputError: the model, an endpoint or the directory cannot be used, a file that no export wrote
            would be replaced, or an operation has no ONNX equivalent.
        VerificationError: the outputs of a file differ from those of the model.

    Example:

    >>> import tempfile
    >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     print([path.name for path in to_onnx(model, directory).values()])
    ['serving_default.onnx']
    """
    for package in ("tf2onnx", "onnx", "onnxruntime"):
        require(package, extra="onnx")
    if opset not in OPSETS:
        raise InputError(f"opset must be from {OPSETS[0]} to {OPSETS[-1]}. Received: opset={opset}.")
    directory = Path(directory)
    known = preprocessing_for(model, preprocessing)
    further: Callable = partial(with_uint8_images, preprocessing=known) if uint8_images else dict
    model, table = select(model, endpoints, "onnx", further)
    _refuse_others(directory, table)
    with staging_directory(directory) as temporary:
        cases = make_cases(table, batch_sizes, lengths)
        files, described = write_onnx(table, cases, temporary, opset)
        report = check_cases([("onnx", files, cases)], tolerance)[0].check()
        beside = write_files(table, temporary)
        own = {"opset": opset, "files": beside}
        write_manifest(temporary, model, "onnx", described, report, preprocessing=known, **own)
        return _publish(temporary, directory, files, beside)


def write_onnx(
    endpoints: Mapping[str, Endpoint], cases: Sequence[Case], directory: Path, opset: int = 17
) -> tuple[dict[str, Path], dict[str, dict]]:
    """Write one unverified file per endpoint, and return the files and their descriptions."""
    files, described = {}, {}
    for name, endpoint in endpoints.items():
        own = [case for case in cases if case.endpoint == name]
        proto, described[name] = convert_endpoint(name, endpoint, own, opset)
        name_axes(name, proto, described[name])
        files[name] = directory / f"{name}.onnx"
        files[name].write_bytes(proto.SerializeToString())
    return files, described


def write_files(endpoints: Mapping[str, Endpoint], directory: Path) -> list[str]:
    """Write the further files that the endpoints require, and return their names."""
    writers = {name: write for endpoint in endpoints.values() for name, write in endpoint.files.items()}
    for name, write in writers.items():
        write(directory / name)
    return sorted(writers)


def _refuse_others(directory, endpoints):
    """Raise an error if files would be replaced that no export wrote, that is, without a manifest."""
    beside = {name for endpoint in endpoints.values() for name in endpoint.files}
    names = [MANIFEST, *(f"{name}.onnx" for name in endpoints), *sorted(beside)]
    existing = next((directory / name for name in names if (directory / name).exists()), None)
    if existing is None:
        return
    try:
        read_manifest(directory)
    except InputError:
        raise InputError(
            f"{existing} exists and was not written by an export, so it is not replaced: "
            "export to another directory, or remove the file."
        ) from None


def _publish(temporary, directory, files, beside):
    # remove the manifest first: opening the directory during the replacement then raises an error
    (directory / MANIFEST).unlink(missing_ok=True)
    for name in beside:
        (temporary / name).replace(directory / name)
    published = {name: file.replace(directory / file.name) for name, file in files.items()}
    (temporary / MANIFEST).replace(directory / MANIFEST)
    return published
