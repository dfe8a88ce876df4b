"""ONNX: versions with one file per endpoint, verified with numpy and ONNX Runtime alone."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras

from keras_ae.errors import InputError, require, whole_number
from keras_ae.export.cases import Case, make_cases
from keras_ae.export.endpoints import select
from keras_ae.export.manifest import write_manifest
from keras_ae.export.onnx_graph import WeightPool, convert_endpoint, name_axes
from keras_ae.export.raw_inputs import preprocessing_for, with_uint8_images
from keras_ae.export.verification import TOLERANCE, check_cases
from keras_ae.export_folders import MANIFEST, publish_version, read_manifest, refuse_other_format
from keras_ae.files import staging_directory
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.preprocessing import Preprocessing

WEIGHTS = "weights.data"
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
    shared_weights: bool = True,
) -> dict[str, Path]:
    """Write a verified `directory/<version>/<endpoint>.onnx` for each endpoint, and files that they require.

    Inputs and outputs keep their names, and free axes are named, such as `batch` and `length`. The
    files are written and verified in a temporary directory, which is then renamed to one more than the
    highest version. If the outputs of a file differ from those of the model, no file is written.

    Args:
        model: a model that `endpoints_of` accepts, or any model with a table of `endpoints`. A
            model that does not compute in float32 is rebuilt in float32.
        directory: base directory, which contains the versions.
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
        shared_weights: whether weights of 1 KiB or more that several files contain are written once, to
            `weights.data`, which these files need next to them; `False`: each file is complete.

    Returns:
        `{endpoint: file}`.

    Raises:
        InputError: the model, an endpoint or the directory cannot be used, or an operation has no ONNX
            equivalent.
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
    opset = whole_number("opset", opset, OPSETS[0], OPSETS[-1])
    directory = Path(directory)
    refuse_other_format(directory, "onnx")
    known = preprocessing_for(model, preprocessing)
    further: Callable = partial(with_uint8_images, preprocessing=known) if uint8_images else dict
    model, table = select(model, endpoints, "onnx", further)
    with staging_directory(directory) as temporary:
        cases = make_cases(table, batch_sizes, lengths)
        files, described = write_onnx(table, cases, temporary, opset, shared_weights)
        report = check_cases([("onnx", files, cases)], tolerance)[0].check()
        own = {"opset": opset, "files": write_files(table, temporary)}
        if (temporary / WEIGHTS).exists():
            own["shared_weights"] = WEIGHTS
        write_manifest(temporary, model, "onnx", described, report, preprocessing=known, **own)
        published = publish_version(temporary, directory)
        _remove_former_layout(directory)
        return {name: published / file.name for name, file in files.items()}


def write_onnx(
    endpoints: Mapping[str, Endpoint],
    cases: Sequence[Case],
    directory: Path,
    opset: int = 17,
    shared_weights: bool = True,
) -> tuple[dict[str, Path], dict[str, dict]]:
    """Write one unverified file per endpoint, and return the files and their descriptions."""
    pool = WeightPool()
    protos, described = {}, {}
    for name, endpoint in endpoints.items():
        own = [case for case in cases if case.endpoint == name]
        protos[name], described[name] = convert_endpoint(name, endpoint, own, opset)
        name_axes(name, protos[name], described[name])
        if shared_weights:
            pool.take(protos[name])
    pool.give_back(directory / WEIGHTS)
    files = {name: directory / f"{name}.onnx" for name in protos}
    for name, file in files.items():
        file.write_bytes(protos[name].SerializeToString())
    return files, described


def write_files(endpoints: Mapping[str, Endpoint], directory: Path) -> list[str]:
    """Write the further files that the endpoints require, and return their names."""
    writers = {name: write for endpoint in endpoints.values() for name, write in endpoint.files.items()}
    for name, write in writers.items():
        write(directory / name)
    return sorted(writers)


def _remove_former_layout(directory):
    """Remove an export without a version, which would otherwise be taken for the newest one."""
    try:
        manifest = read_manifest(directory)
    except InputError:  # there is none, or a file of the user has its name
        return
    names = {*(f"{name}.onnx" for name in manifest["endpoints"]), *manifest.get("files", [])}
    names |= manifest.get("contents", {}).keys()
    for name in (*names, MANIFEST):  # the manifest is the last, so that the next export removes what is left
        if (directory / name).is_file():
            (directory / name).unlink()
