"""Arrays of the user as the inputs of an exported model: of the right dtype, in the right range."""

import numpy as np

from keras_ae.errors import InputError

SLACK = 1e-3  # of a range: rounding, and a resize that overshoots a little
STORAGE = ("uint8", "int8", "uint16", "int16")  # what pixels and samples are stored as


def checked_input(
    label: str,
    value,
    dtype: str,
    value_range: tuple[float, float] | None = None,
    lengths: np.ndarray | None = None,
) -> np.ndarray:
    """`value` as an array of `dtype`, if it can be meant as one.

    Floats may come in any precision, integers in any that holds their values. Pixels and samples as they
    are stored (8 or 16 bits) are no floats of a model, unless `value_range` is the range of their dtype.

    Args:
        label: what the input is called in errors.
        value: the array.
        dtype: of the input: a float or integer type of NumPy, "bool", or "string".
        value_range: `(low, high)` of its values; `None`: unknown.
        lengths: real positions of axis 1 of each example; what lies behind them is not looked at.

    Raises:
        InputError: the dtype cannot be meant; a value is not finite, or out of range.

    Example:

    >>> checked_input("x", [[0, 0.5]], "float32", (0, 1)).dtype
    dtype('float32')
    """
    array = as_plain_array(label, value)
    if dtype == "string":
        return _strings(label, array)
    wanted = np.dtype(dtype)
    _check_dtype(label, array, wanted, value_range)
    real = _real(array, lengths)
    if real.size:
        _check_values(label, real, array.dtype, wanted, value_range)
    return array.astype(wanted)


def as_plain_array(label: str, value) -> np.ndarray:
    """`np.asarray`; an `InputError` for rows of different lengths."""
    try:
        return np.asarray(value)
    except ValueError as error:
        raise InputError(
            f"{label} must be one array. Received: rows of different lengths; pad them, and pass `lengths`."
        ) from error


def lengths_of(name: str, lengths: dict):
    """Among `{input: lengths}`, those of the input `name`: `<name>_lengths`, else `lengths`; or `None`."""
    own = lengths.get(f"{name}_lengths")
    return lengths.get("lengths") if own is None and name == "x" else own


def _check_dtype(label, array, wanted, value_range):
    if array.dtype == wanted:
        return
    # the values of whole numbers are compared with the range of the dtype below
    whole = wanted.kind in "iu" and array.dtype.kind in "biu"
    if not whole and not np.can_cast(array.dtype, wanted, "same_kind"):
        raise InputError(f"{label} must be {wanted}. Received: dtype {array.dtype}.{_hint_of(array, wanted)}")
    if wanted.kind == "f" and array.dtype.name in STORAGE:
        limits = np.iinfo(array.dtype)
        if value_range is None:
            raise InputError(
                f"{label} must be {wanted}. Received: dtype {array.dtype}, as pixels and samples are stored. "
                "Convert it as the training data were converted; if the model takes these numbers as they "
                f"are, pass x.astype({wanted.name!r})."
            )
        if tuple(value_range) != (float(limits.min), float(limits.max)):
            raise InputError(
                f"{label} must be {wanted} with values in {_written(value_range)}. "
                f"Received: dtype {array.dtype}. {_remedy(array.dtype, value_range)}"
            )


def _check_values(label, real, dtype, wanted, value_range):
    low, high = real.min(), real.max()  # both hand a NaN on
    if not (np.isfinite(low) and np.isfinite(high)):
        raise InputError(f"{label} must be finite. Received: NaN or infinity; repair or drop those examples.")
    limits = np.iinfo(wanted) if wanted.kind in "iu" else np.finfo(wanted) if wanted.kind == "f" else None
    if limits is not None and (low < limits.min or high > limits.max):
        raise InputError(
            f"{label} must be {wanted}, from {limits.min} to {limits.max}. "
            f"Received: values from {low} to {high} ({dtype})."
        )
    if value_range is None:
        return
    slack = SLACK * (value_range[1] - value_range[0]) if wanted.kind == "f" else 0
    if low < value_range[0] - slack or high > value_range[1] + slack:
        raise InputError(
            f"{label} must have values in {_written(value_range)}. "
            f"Received: values from {low:g} to {high:g} ({dtype}). "
            + ("Convert it as the training data were converted." if wanted.kind == "f" else "")
        )


def _real(array, lengths):
    """The values that an endpoint reads."""
    if lengths is None or array.ndim < 2 or np.shape(lengths) != array.shape[:1]:
        return array
    return array[np.arange(array.shape[1]) < np.asarray(lengths)[:, None]]


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
    return "Convert it as the training data were converted."
