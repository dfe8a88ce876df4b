"""SavedModels: all endpoints in one versioned directory for TensorFlow Serving."""

import contextlib
import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import keras
import tensorflow as tf
from tensorflow.saved_model.experimental import TrackableResource

from keras_ae.errors import InputError, whole_number
from keras_ae.export.cases import Case, make_cases, padding_case
from keras_ae.export.endpoints import select
from keras_ae.export.manifest import write_manifest
from keras_ae.export.raw_inputs import preprocessing_for, with_uint8_images
from keras_ae.export.samples import free_lengths
from keras_ae.export.serving import write_warmup
from keras_ae.export.signature import describe_endpoint, positional, reason, specs_of
from keras_ae.export.verification import TOLERANCE, check_cases
from keras_ae.export_folders import (
    LARGEST_VERSION,
    publish_version,
    refuse_other_format,
    version_folders,
    version_in_use,
)
from keras_ae.files import staging_directory
from keras_ae.models.endpoint import Endpoint
from keras_ae.models.preprocessing import Preprocessing


def to_saved_model(
    model: keras.Model,
    directory: str | os.PathLike,
    *,
    endpoints: Mapping[str, Endpoint] | Iterable[str] | None = None,
    version: int | None = None,
    warmup: bool = False,
    tables: Sequence = (),
    batch_sizes: Sequence[int] = (1, 3),
    lengths: Sequence[int] = (5, 8),
    tolerance: tuple[float, float] = TOLERANCE,
    preprocessing: Preprocessing | Mapping | None = None,
    uint8_images: bool = False,
) -> Path:
    """Write a verified SavedModel to `directory/<version>`.

    Each endpoint becomes a signature. The artifact is written to a temporary directory, verified
    in a process without Keras, and then moved to its place by one rename. If its outputs differ
    from those of the model, there is no artifact.

    Args:
        model: a model that `endpoints_of` accepts, or any model with a table of `endpoints`. A
            model that does not compute in float32 is rebuilt in float32.
        directory: base directory, which contains the versions.
        endpoints: a table of endpoints, or names from `endpoints_of(model)`; `None`: all.
        version: positive integer; `None`: one more than the highest existing version.
        warmup: whether to add requests that a server runs before it accepts others.
        tables: lookup tables, or layers that contain them, that an endpoint reads. Those of the model and of
            the variables of the functions of its endpoints are found without this argument.
        batch_sizes: batch sizes to verify.
        lengths: sizes of the free axes to verify, in multiples of the endpoint's `unit`,
            such as the number of samples per frame.
        tolerance: relative and absolute tolerance of floats.
        preprocessing: the steps from raw data to the inputs, for a model that does not declare them: a
            dict or a `models.Preprocessing`. They are stored in the manifest and checked by `Artifact.run`.
        uint8_images: whether to add the endpoint `encode_uint8`, which takes stored images with values
            from 0 to 255 and scales them to the declared range of values.

    Returns:
        the directory of the version.

    Raises:
        InputError: the model, an endpoint, the version or the directory cannot be used.
        VerificationError: the outputs of the SavedModel differ from those of the model.

    Example:

    >>> import tempfile
    >>> model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(2)])
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     print(to_saved_model(model, directory).name)
    1
    """
    directory = Path(directory)
    _check_version(directory, version)
    refuse_other_format(directory, "saved_model")
    known = preprocessing_for(model, preprocessing)
    further = partial(with_uint8_images, preprocessing=known) if uint8_images else dict
    model, table = select(model, endpoints, "saved_model", further)
    with staging_directory(directory) as temporary:
        cases = make_cases(table, batch_sizes, lengths)
        described = write_saved_model(table, cases, temporary, tables)
        cases_of_padding = describe_padding(table, described, lengths)
        report = check_cases([("saved_model", temporary, [*cases, *cases_of_padding])], tolerance)[0].check()
        if warmup:
            write_warmup(temporary, {case.endpoint: case.inputs for case in cases})
        write_manifest(temporary, model, "saved_model", described, report, preprocessing=known)
        return publish_version(temporary, directory, version)


def write_saved_model(
    endpoints: Mapping[str, Endpoint], cases: Sequence[Case], directory: Path, tables: Sequence = ()
) -> dict[str, dict]:
    """Write an unverified SavedModel, and return the descriptions of its signatures."""
    archive = keras.export.ExportArchive()
    # track lookup tables only, because a tracked model would write each of its weights a second time
    for table in (*tables, *(table for endpoint in endpoints.values() for table in endpoint.tables)):
        archive.track(table)
    described, found = {}, tables_of([endpoint.function for endpoint in endpoints.values()])
    for name, endpoint in endpoints.items():
        traced = archive.add_endpoint(name, positional(name, endpoint), input_signature=specs_of(endpoint))
        own = [case for case in cases if case.endpoint == name]
        described[name] = describe_endpoint(endpoint, traced, own)
        captured = {id(outer) for outer, _ in traced.get_concrete_function().graph.captures}
        for table in [table for table in found if id(table.resource_handle) in captured]:
            archive.track(table)
    try:
        archive.write_out(directory, verbose=False)
    except tf.errors.OpError as error:  # "path; No space left on device"
        raise OSError(reason(error).rpartition("; ")[2]) from error
    except AssertionError as error:
        if "untracked" not in str(error):
            raise
        raise InputError(
            "endpoints must read lookup tables of the model or of their own functions. Received: one that "
            "reads another table. Pass it as `tables=[table]`."
        ) from error
    return described


def tables_of(roots: Iterable) -> list[TrackableResource]:
    """Return the lookup tables that can be reached from functions, layers and collections, each once."""
    found: list[TrackableResource] = []
    seen: dict[int, object] = {}  # with the objects, because the numbers of deleted ones are used again
    stack = list(roots)
    while stack:
        item = stack.pop()
        if id(item) in seen:
            continue
        seen[id(item)] = item
        if isinstance(item, TrackableResource):
            found.append(item)
        else:
            stack += _parts(item)
    return found


def _parts(item):
    """Return the objects that a function refers to, or that a layer, a module or a collection contains."""
    if isinstance(item, Mapping):
        return list(item.values())
    if isinstance(item, (list, tuple, set)):
        return list(item)
    if isinstance(item, partial):
        return [item.func, item.args, item.keywords]
    if inspect.ismethod(item):
        return [item.__self__, item.__func__]
    if inspect.isfunction(item):
        return [*_variables(item), item.__defaults__, item.__kwdefaults__]
    if hasattr(item, "python_function"):  # a tf.function
        return [item.python_function]
    return list(vars(item).values()) if isinstance(item, (keras.Layer, tf.Module)) else []


def _variables(function):
    """Return the values of the variables of a function that are defined outside of it."""
    found = []
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # a variable without a value
            found.append(cell.cell_contents)
    if function.__module__.partition(".")[0] in ("keras", "tensorflow"):
        return found  # their global variables are no tables
    known = function.__globals__
    return found + [known[name] for name in function.__code__.co_names if name in known]


def describe_padding(
    endpoints: Mapping[str, Endpoint], described: dict[str, dict], lengths: Sequence[int] = (5, 8)
) -> list[Case]:
    """Add `padding` to the descriptions of endpoints with free lengths, and return the padded batches.

    `{"allowed": bool, "reason": str}` states whether a server may pad requests of different lengths, which
    `padding_case` decides.
    """
    cases = []
    for name, endpoint in endpoints.items():
        if not free_lengths(endpoint.inputs):
            continue
        case, reason = padding_case(name, endpoint, lengths)
        described[name]["padding"] = {"allowed": not reason, "reason": reason}
        cases += [] if case is None else [case]
    return cases


def _check_version(directory, version):
    if version is None:
        return
    whole_number("version", version, 1, LARGEST_VERSION)
    if version in version_folders(directory):
        raise version_in_use(directory, version)
