"""Third-party packages beyond Keras and TensorFlow, imported where they are used."""

import importlib
from types import ModuleType


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise an `ImportError` that names the extra to install.

    Example:

    >>> require("json", extra="all").dumps([1])
    '[1]'
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # a package that is too new for another one fails in many ways
        raise ImportError(
            f"This needs the package `{module.split('.')[0]}`, which could not be imported ({error}). "
            f"Install it with: pip install 'keras-ae[{extra}]'"
        ) from error
