"""Errors and warnings for users, and checks of arrays and tensors that raise them.

The checks import NumPy, Keras and TensorFlow themselves: the options of commands are checked without them.
"""

import functools
import importlib
import operator
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

TOLERANCE = 1e-3  # share of a range's width: for half precision, and for resampling filters that overshoot


class InputError(ValueError):
    """Error for invalid input: its message says what was expected, what was received and what to do."""


class DataWarning(UserWarning):
    """Warning that names data that a reader left out, or kept although they are suspicious.

    The command line prints it as one line.
    """


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise an `ImportError` that names the extra to install.

    Example:

    >>> require("json", extra="all").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # incompatible versions of packages raise many kinds of errors at import
        raise ImportError(
            f"This needs the package `{module.split('.')[0]}`, which could not be imported ({error}). "
            f"Install it with: pip install 'keras-ae[{extra}]'"
        ) from error


def renamed_arguments(**names: str) -> Callable[[Callable], Callable]:
    """Decorate a function so that it accepts former names of its keyword arguments, `former="present"`.

    Example:

    >>> @renamed_arguments(colour="color")
    ... def paint(color):
    ...     return color
    >>> with warnings.catch_warnings(action="ignore"):
    ...     paint(colour="red")
    'red'
    """

    def decorate(function):
        @functools.wraps(function)
        def accepting(*args, **kwargs):
            for former in names.keys() & kwargs.keys():
                present = names[former]
                if present in kwargs:
                    raise TypeError(
                        f"{function.__name__} must be given {present} once. "
                        f"Received: {present} and {former}, its former name."
                    )
                text = f"The argument {former} of {function.__name__} is now {present}."
                warnings.warn(text, DeprecationWarning, stacklevel=2)
                kwargs[present] = kwargs.pop(former)
            return function(*args, **kwargs)

        return accepting

    return decorate


def integers_in(
    name: str, values: Any, num_values: int | None, least: int = 0
) -> "tf.Tensor | keras.KerasTensor":
    """Return `values` as int32, each from `least` to `num_values - 1`.

    The effect of values out of range depends on the device: a CPU raises an error in the middle of a graph
    or reads another row, a GPU returns zeros. Here, such eager values raise an error; in a graph, where no
    error can be raised on every device, they are clamped to the range.

    Args:
        name: name of the argument, for the message.
        values: array or tensor of integers; whole numbers of a float dtype are accepted too.
        num_values: upper end of the range, exclusive; `None`: unknown, all values are accepted.
        least: lower end of the range.

    Raises:
        InputError: eager values that are out of range, or not integers.

    Example:

    >>> integers_in("codes", [0, 3, 1], 4).numpy().tolist()
    [0, 3, 1]
    """
    from keras import ops

    values = ops.convert_to_tensor(values)
    if num_values is None:
        return ops.cast(values, "int32")
    if is_eager(values):
        check_integers(name, values, num_values, least)
        return ops.cast(values, "int32")
    values = ops.minimum(ops.maximum(values, _cast(least, values)), _cast(num_values - 1, values))
    return ops.cast(values, "int32")


def check_integers(name: str, values: Any, num_values: int | None, least: int = 0) -> None:
    """Raise `InputError` unless all `values` are integers from `least` to `num_values - 1`.

    With `num_values=None` any integers are accepted, such as labels that are only compared.
    """
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind not in "biuf" or (array.dtype.kind == "f" and not (array == np.floor(array)).all()):
        raise InputError(f"{name} must be integers. Received: dtype {array.dtype}, {_shown(array)}")
    if num_values is not None and array.size and (array.min() < least or array.max() >= num_values):
        raise InputError(
            f"{name} must be from {least} to {num_values - 1}. "
            f"Received: {name} from {array.min()} to {array.max()}"
        )


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int from `low` to `high`; truth values, floats and text are refused.

    Raises:
        InputError: `value` is not an integer in the range.

    Example:

    >>> whole_number("version", True, low=1)
    Traceback (most recent call last):
        ...
    keras_ae.errors.InputError: version must be an integer of at least 1. Received: version=True.
    """
    try:
        number = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < low or (high is not None and number > high):
        wanted = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise InputError(f"{name} must be an integer {wanted}. Received: {name}={value!r}.")
    return number


def several(name: str, values: Any) -> list:
    """Return the values of a sequence that is not empty, such as sizes.

    Raises:
        InputError: `values` is not a sequence, or empty.

    Example:

    >>> several("lengths", (5, 8))
    [5, 8]
    """
    try:
        found = [] if isinstance(values, (str, bytes)) else list(values)
    except TypeError:
        found = []
    if not found:
        raise InputError(f"{name} must be a sequence of at least one value. Received: {name}={values!r}.")
    return found


def embedding_rows(model: "keras.Model") -> int | None:
    """Return the number of rows of the `Embedding` layer that reads an input of a functional model.

    The integer input, such as a speaker, has this number of values. `None`: there is no such layer.
    """
    import keras

    inputs = {id(tensor) for tensor in getattr(model, "inputs", None) or ()}
    tables = [layer for layer in model.layers if isinstance(layer, keras.layers.Embedding)] if inputs else []
    rows = [
        table.input_dim
        for table in tables
        if any(id(tensor) in inputs for node in table._inbound_nodes for tensor in node.input_tensors)
    ]
    return min(rows, default=None)


def is_eager(values: Any) -> bool:
    """Return whether the values of a tensor are available now."""
    import keras
    import tensorflow as tf

    return tf.executing_eagerly() and not isinstance(values, keras.KerasTensor) and hasattr(values, "numpy")


def _cast(number, like):
    """Return `number` in the dtype of `like`, clamped to its range."""
    import tensorflow as tf
    from keras import ops

    dtype = tf.as_dtype(like.dtype)
    return ops.cast(max(dtype.min, min(number, dtype.max)) if dtype.is_integer else number, like.dtype)


def _shown(array):
    import numpy as np

    fractions = array[array != np.floor(array)] if array.dtype.kind == "f" else array
    return ", ".join(str(value) for value in fractions.reshape(-1)[:3])


def check_finite(
    values: "np.ndarray", name: str, counted: "np.ndarray | None" = None, *, first_row: int = 0
) -> None:
    """Raise `InputError` where an array of floats contains NaN or infinity.

    Args:
        values: array, with examples on axis 0.
        name: name of the argument, for the message.
        counted: bool array in the shape of `values`, true for values to check; `None`: all are checked.
        first_row: index of the first row, if `values` are a part of an array.
    """
    import numpy as np

    if values.dtype.kind != "f" or not values.size:
        return
    bad = np.atleast_1d(~np.isfinite(values) if counted is None else ~np.isfinite(values) & counted)
    rows = bad.reshape(len(bad), -1).any(axis=1)
    if rows.any():
        kinds = "NaN" if np.isnan(np.atleast_1d(values)[bad]).any() else "infinite values"
        raise InputError(
            f"{name} must be finite. Received: {kinds} in {int(rows.sum())} of {len(bad)} rows, the first "
            f"is row {first_row + int(rows.argmax())}. Leave these rows out, or fix the code that made them."
        )


def in_range(lowest: float, highest: float, value_range: tuple[float, float], *, exact: bool = False) -> bool:
    """Return whether the least and the largest of some values lie in `(low, high)`; false for NaN.

    Unless `exact`, they may lie outside by `TOLERANCE`.
    """
    low, high = value_range
    slack = 0 if exact else TOLERANCE * (high - low)
    return bool(lowest >= low - slack and highest <= high + slack)


def range_error(
    name: str,
    lowest: float,
    highest: float,
    value_range: tuple[float, float],
    *,
    source: str = "",
    advice: str = "",
) -> InputError:
    """Return the error for values outside of `(low, high)`, a range that the setting `source` sets."""
    low, high = value_range
    return InputError(
        f"{name} must lie in [{low:g}, {high:g}]{source and f' for {source}'}. "
        f"Received: values in [{lowest:g}, {highest:g}].{advice and f' {advice}'}"
    )
