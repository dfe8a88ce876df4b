"""Values of a factor, some of which may be missing."""

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation._checks import describe

PANDAS_MISSING = ("NAType", "NaTType")
FEW = 10  # number of classes that is accepted for any number of examples
SHOWN = 3  # values listed in an error message


def as_factor(values, name: str = "y") -> np.ndarray:
    """Return the values of one factor `(examples,)`: floats for quantities, anything else for classes.

    `None`, NaN, pandas' NA and masked entries are missing values. The result has NaN for them among floats,
    and `None` in an array of objects otherwise.

    Raises:
        InputError: `values` has another shape or type, infinite values, or missing values only.

    Example:

    >>> as_factor(["a", None]).tolist(), as_factor([1.5, None]).tolist()
    (['a', None], [1.5, nan])
    """
    masked = np.ma.getmaskarray(values) if isinstance(values, np.ma.MaskedArray) else None
    values = np.asarray(values)
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    if values.ndim != 1 or values.dtype.kind not in "iubfUSO":
        raise InputError(
            f"{name} must be one number or label per example, (examples,). Received: {describe(values)}. "
            "Probe several targets one by one, as evaluation.leakage does."
        )
    known = is_known(values)
    if masked is not None:
        known &= ~masked.reshape(len(values))
    if not known.any():
        raise InputError(
            f"{name} must have at least one known value. Received: {len(values)} missing values."
        )
    present = values[known]
    if values.dtype.kind == "O":
        present = _plain(present)
    if present.dtype.kind == "f":
        return _quantities(present, known, name)
    if known.all():
        return present
    found = np.full(len(values), None, object)
    found[known] = present
    return found


def is_known(values: np.ndarray) -> np.ndarray:
    """Return a bool array `(examples,)` that is true where a value is not missing."""
    if values.dtype.kind == "f":
        return ~np.isnan(values)
    if values.dtype.kind != "O":
        return np.ones(len(values), bool)
    return np.array([not _is_missing(value) for value in values], bool)


def known_values(values: np.ndarray) -> np.ndarray:
    """Return the values of `as_factor` that are not missing, as an array of numbers or strings."""
    present = values[is_known(values)]
    return _plain(present) if present.dtype.kind == "O" else present


def classes_of(values: np.ndarray, name: str = "y") -> np.ndarray:
    """Return the classes of a factor as 0, 1, ..., and -1 where the value is missing.

    Floats are classes if all of them are whole numbers.

    Raises:
        InputError: the factor is a quantity, or has a different value for most of the examples.

    Example:

    >>> classes_of(as_factor(["b", None, "a"])).tolist()
    [1, -1, 0]
    """
    present = known_values(values)
    distinct, numbers = np.unique(present, return_inverse=True)
    quantity = present.dtype.kind == "f" and (present % 1 != 0).any()
    if quantity or len(distinct) > max(FEW, len(present) / 2):
        few = ", ".join(str(one) for one in distinct[:SHOWN].tolist())
        what = "a quantity" if quantity else "a different value for most of the examples"
        raise InputError(
            f"{name} must be a factor with classes that repeat. Received: {what}, {len(distinct)} different "
            f"values in {len(present)} examples ({few}, ...). Cut it into bins: "
            "np.digitize(values, np.quantile(values, [0.25, 0.5, 0.75]))."
        )
    found = np.full(len(values), -1)
    found[is_known(values)] = numbers.reshape(-1)
    return found


def _quantities(present, known, name):
    if not np.isfinite(present).all():
        raise InputError(
            f"{name} must be finite. Received: infinity in {int(np.isinf(present).sum())} of {len(known)} "
            "examples. Leave these examples out."
        )
    found = np.full(len(known), np.nan)
    found[known] = present
    return found


def _plain(objects):
    """Return objects as numbers if all are numbers, as bools if all are bools, else as strings."""
    array = np.array(objects.tolist())
    return array if array.ndim == 1 and array.dtype.kind in "iubf" else objects.astype(str)


def _is_missing(value):
    if value is None or type(value).__name__ in PANDAS_MISSING or value is np.ma.masked:
        return True
    return isinstance(value, float | np.floating) and bool(np.isnan(value))
