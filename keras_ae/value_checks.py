"""Checks of arrays that the user gives: finite values, in a range."""

import numpy as np

from keras_ae.errors import InputError

TOLERANCE = 1e-3  # of the width of a range: half precision, and filters that overshoot when they resample


def check_finite(values, name, counted=None, *, first_row=0):
    """Raise `InputError` where an array of floats contains NaN or infinity.

    Args:
        values: array, the examples first.
        name: of the argument, for the message.
        counted: bool, shaped as `values`: elsewhere they may be anything. `None`: all count.
        first_row: number of the first row, where `values` are a part of an array.
    """
    if values.dtype.kind != "f" or not values.size:
        return
    bad = np.atleast_1d(~np.isfinite(values) if counted is None else ~np.isfinite(values) & counted)
    rows = bad.reshape(len(bad), -1).any(axis=1)
    if rows.any():
        kinds = "NaN" if np.isnan(np.atleast_1d(values)[bad]).any() else "infinite values"
        raise InputError(
            f"{name} must be finite. Received: {kinds} in {int(rows.sum())} of {len(rows)} rows, the first "
            f"is row {first_row + int(rows.argmax())}. Leave these rows out, or fix the code that made them."
        )


def in_range(lowest, highest, value_range, *, exact=False) -> bool:
    """Whether the least and the largest of some values lie in `(low, high)`; false for NaN.

    Unless `exact`, they may lie outside by `TOLERANCE`.
    """
    low, high = value_range
    slack = 0 if exact else TOLERANCE * (high - low)
    return bool(lowest >= low - slack and highest <= high + slack)


def range_error(name, lowest, highest, value_range, *, source="", advice="") -> InputError:
    """Return the error for values outside of `(low, high)`, a range that the setting `source` sets."""
    low, high = value_range
    return InputError(
        f"{name} must lie in [{low:g}, {high:g}]{source and f' for {source}'}. "
        f"Received: values in [{lowest:g}, {highest:g}].{advice and f' {advice}'}"
    )
