"""Errors and warnings for users; `checks.py` has the checks of arrays and tensors that raise them."""

import functools
import importlib
import warnings
from collections.abc import Callable
from types import ModuleType


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
