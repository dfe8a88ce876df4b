"""Conversion of NumPy scalars in settings: `np.float32(0.5)` and `np.int64(3)` become 0.5 and 3."""

import contextlib
import functools
import inspect
from collections.abc import Callable
from typing import Any


def plain(value: Any) -> Any:
    """Return `value` with each NumPy scalar in it as the Python number, string or bool of its value.

    Lists, tuples and dictionaries are searched; arrays of one axis or more are not changed.

    Example:

    >>> import numpy as np
    >>> plain([np.int64(8), (np.float32(0.5), "a")])
    [8, (0.5, 'a')]
    """
    if type(value) in (list, tuple):
        return type(value)(plain(part) for part in value)
    if type(value) is dict:
        return {key: plain(part) for key, part in value.items()}
    if type(value).__module__ == "builtins":  # the command line shows its help without NumPy
        return value
    import numpy as np

    scalar = isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0)
    return value.item() if scalar else value


def take_numpy_scalars(package: str) -> None:
    """Let the constructors of all classes registered for `package` accept NumPy scalars.

    The attributes and the configuration of an object then contain plain Python values, which `json` and
    comparisons require.
    """
    import keras

    for name, registered in keras.saving.get_custom_objects().items():
        if name.startswith(f"{package}>") and inspect.isclass(registered):
            _wrap_constructor(registered)
            for base in registered.__mro__[1:]:
                if base.__module__.startswith(f"{package}.") and "__init__" in vars(base):
                    _wrap_constructor(base)


def _wrap_constructor(kind: Any) -> None:
    kind.__init__ = with_plain_arguments(kind.__init__)


def with_plain_arguments(function: Callable) -> Callable:
    """Return `function` with `plain` applied to its arguments.

    Example:

    >>> import numpy as np
    >>> type(with_plain_arguments(max)(np.int64(3), np.int64(2)))
    <class 'int'>
    """
    if hasattr(function, "takes_numpy_scalars"):
        return function

    @functools.wraps(function)
    def called(*args, **kwargs):
        return function(*plain(args), **plain(kwargs))

    with contextlib.suppress(ValueError):  # builtins have no signature
        # Keras reads the names of a constructor's arguments, and does not follow `__wrapped__`.
        vars(called)["__signature__"] = inspect.signature(function)
    vars(called)["takes_numpy_scalars"] = True
    return called
