"""Named functions of a model for export, and the check of their inputs."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_ae.errors import InputError, check_finite, in_range, range_error


@dataclass(frozen=True)
class Endpoint:
    """Named, deterministic function of a model, for export.

    SavedModel, ONNX, the verification and the documentation are all generated from the same table of
    endpoints.

    Attributes:
        function: takes the tensors of `inputs` by keyword and returns a dict of
            named tensors. Axis 0 of every input and output is the batch.
        inputs: `{name: tf.TensorSpec}`; the spec carries the same name. An axis
            after the batch whose size is `None` is a free length.
        formats: the formats this endpoint can be written in.
        sample: optional; maps `{name: array}` of uniform random inputs in [0, 1)
            (floats) or zeros (integers) to valid inputs, such as codes
            below the size of the codebook. Used by the verification only.
        margin: optional; takes the inputs and returns, with shape `(batch,)`, the
            smallest relative gap between the best and the second-best score of
            any code of that example. An example below 1e-5 is a tie: its codes may
            differ between two runtimes.
        tables: lookup tables that the function reads; a SavedModel keeps them.
        files: optional; `{name: write}` of the files that an ONNX file needs next to it, such as a
            vocabulary: `write(path)` creates the file.
        unit: shortest valid length, in steps of the free lengths, such as the number of samples in a
            frame, or the number of frames needed for a mean and a standard deviation. Verification and
            warm-up multiply their lengths by it, and no example is shorter.
        value_ranges: `{input: (low, high)}` of valid values, such as codes below the size of the codebook.
            Kept in the manifest and checked when an artifact is run.
    """

    function: Callable[..., dict]
    inputs: Mapping[str, tf.TensorSpec]
    formats: tuple[str, ...] = ("saved_model", "onnx")
    sample: Callable[[dict], dict] | None = None
    margin: Callable[..., tf.Tensor] | None = None
    tables: Sequence = ()
    files: Mapping[str, Callable[[Path], object]] = field(default_factory=dict)
    unit: int = 1
    value_ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def with_labels(table: Mapping[str, Endpoint], name: str, count: int | None) -> dict[str, Endpoint]:
    """Return endpoints that declare the range of their input of labels, and draw labels as examples.

    Args:
        table: endpoints; those without this input are not changed.
        name: name of the input, such as `labels` or `speaker`.
        count: number of labels; `None`: unknown, nothing is changed.
    """

    def with_drawn(sample):
        def drawn(inputs):
            labels = np.random.default_rng(0).integers(0, count, inputs[name].shape)
            made = {} if sample is None else sample(inputs)
            return {**inputs, **made, name: labels.astype("int32")}

        return drawn

    def with_range(endpoint):
        if count is None or name not in endpoint.inputs:
            return endpoint
        ranges = {**endpoint.value_ranges, name: (0, count - 1)}
        return replace(endpoint, sample=with_drawn(endpoint.sample), value_ranges=ranges)

    return {key: with_range(endpoint) for key, endpoint in table.items()}


CONVERT = "Convert it as the training data were converted."
STORAGE = ("uint8", "int8", "uint16", "int16")  # dtypes in which pixels and samples are stored


def checked_input(
    label: str,
    value: ArrayLike,
    dtype: str,
    value_range: tuple[float, float] | None = None,
    lengths: np.ndarray | None = None,
) -> np.ndarray:
    """Convert `value` to an array of `dtype` where the conversion is unambiguous.

    Floats may have any precision, and integers any dtype that can represent their values. Pixels and samples
    in their stored form (8 or 16 bits) are rejected as floats, unless `value_range` is the range of their
    dtype.

    Args:
        label: name of the input in errors.
        value: the array.
        dtype: dtype of the input: a float or integer type of NumPy, "bool", or "string".
        value_range: `(low, high)` of its values; `None`: unknown.
        lengths: number of real positions on axis 1 of each example; the padding after them is not checked.

    Raises:
        InputError: the dtype differs and the conversion is ambiguous; a value is not finite, or out of
            range.

    Example:

    >>> checked_input("x", [[0, 0.5]], "float32", (0, 1)).dtype
    dtype('float32')
    """
    array = as_plain_array(label, value)
    if dtype == "string":
        return _strings(label, array)
    wanted = np.dtype(dtype)
    _check_dtype(label, array, wanted, value_range)
    counted = _counted(array, lengths)
    check_finite(array, label, counted)
    real = array if counted is None else array[counted]
    if real.size:
        _check_range(label, real, wanted, value_range)
    return array.astype(wanted)


def as_plain_array(label: str, value: ArrayLike) -> np.ndarray:
    """Return `np.asarray(value)`, or raise `InputError` for rows of different lengths."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise _ragged(label) from error
    rows = (list, tuple, np.ndarray, tf.RaggedTensor)
    if array.dtype == object and any(isinstance(one, rows) for one in array.ravel()):
        raise _ragged(label)
    return array


def _ragged(label):
    return InputError(
        f"{label} must be one array. Received: rows of different lengths. Pad them, and pass `lengths` if the"
        " model takes them."
    )


def lengths_of(name: str, lengths: dict) -> ArrayLike | None:
    """Return the entry of `{input: lengths}` for `name`: `<name>_lengths`, else `lengths`, else `None`."""
    own = lengths.get(f"{name}_lengths")
    return lengths.get("lengths") if own is None and name == "x" else own


def _check_dtype(label, array, wanted, value_range):
    if array.dtype == wanted:
        return
    # Integers of another dtype are accepted here; `_check_range` compares their values with the range.
    whole = wanted.kind in "iu" and array.dtype.kind in "biu"
    if not whole and not np.can_cast(array.dtype, wanted, "same_kind"):
        raise InputError(f"{label} must be {wanted}. Received: dtype {array.dtype}.{_hint_of(array, wanted)}")
    if wanted.kind == "f" and array.dtype.name in STORAGE:
        limits = np.iinfo(array.dtype)
        if value_range is None:
            raise InputError(
                f"{label} must be {wanted}. Received: dtype {array.dtype}, as pixels and samples are stored. "
                f"{CONVERT} If the model takes these numbers as they are, pass x.astype({wanted.name!r})."
            )
        if tuple(value_range) != (float(limits.min), float(limits.max)):
            raise InputError(
                f"{label} must be {wanted} with values in {_written(value_range)}. "
                f"Received: dtype {array.dtype}. {_remedy(array.dtype, value_range)}"
            )


def _check_range(label, real, wanted, value_range):
    low, high = real.min(), real.max()
    limits = np.iinfo(wanted) if wanted.kind in "iu" else np.finfo(wanted) if wanted.kind == "f" else None
    if limits is not None and (low < limits.min or high > limits.max):
        raise InputError(
            f"{label} must be {wanted}, from {limits.min} to {limits.max}. "
            f"Received: values from {low} to {high} ({real.dtype})."
        )
    floats = wanted.kind == "f"
    if value_range is not None and not in_range(low, high, value_range, exact=not floats):
        raise range_error(label, low, high, value_range, advice=CONVERT if floats else "")


def _counted(array, lengths):
    """Return a bool array, true at real positions, in the shape of `array`; `None` if all are real."""
    if lengths is None or array.ndim < 2 or np.shape(lengths) != array.shape[:1]:
        return None
    real = np.arange(array.shape[1]) < np.asarray(lengths)[:, None]
    return np.broadcast_to(real.reshape(*real.shape, *[1] * (array.ndim - 2)), array.shape)


def _strings(label, array):
    ours = array.dtype.kind in "US" or (
        array.dtype.kind == "O" and all(isinstance(one, (str, bytes)) for one in array.ravel())
    )
    if not ours and array.size:
        kinds = sorted({type(one).__name__ for one in array.ravel().tolist()})
        raise InputError(f"{label} must be strings. Received: {', '.join(kinds)}.")
    return array


def _hint_of(array, wanted):
    if wanted.kind in "iu" and array.dtype.kind == "f":
        return " Codes, lengths and ids are whole numbers; an embedding is not a code."
    return ""


def _written(value_range):
    return "[" + ", ".join(f"{bound:g}" for bound in value_range) + "]"


def _remedy(dtype, value_range):
    largest = np.iinfo(dtype).max
    if dtype.kind == "u" and tuple(value_range) == (0.0, 1.0):
        uint8 = ", or export with uint8_images=True and call `encode_uint8`" if dtype == np.uint8 else ""
        return f"Pass x / {largest}{uint8}."
    return CONVERT
