"""Auto-encoders beyond reconstruction for Keras 3: build, train with `fit`, measure, export."""

import importlib
import sys
from typing import TYPE_CHECKING

from keras_ae.errors import InputError
from keras_ae.numpy_scalars import take_numpy_scalars

if TYPE_CHECKING:
    from keras_ae import layers, losses, metrics, models, networks, optimizers

__version__ = "0.1.0"
# Their import registers the classes to which saved models refer, and loads TensorFlow.
_CLASSES = ("layers", "losses", "metrics", "models", "networks", "optimizers")
# Loaded at first use, because they need packages other than Keras and TensorFlow.
_LAZY = ("evaluation", "export", "training")
__all__ = ["InputError", "layers", "losses", "metrics", "models", "networks", "optimizers"]


def register_classes() -> None:
    """Import all classes, so that Keras loads saved models that contain them.

    `import keras_ae` does this, except in a process that starts the command line: `keras-ae` shows its help
    and checks its options before it imports TensorFlow.
    """
    for name in _CLASSES:
        importlib.import_module(f"keras_ae.{name}")
    take_numpy_scalars("keras_ae")


def _starts_command_line() -> bool:
    """Return whether the package is imported for `keras-ae` or `python -m keras_ae`."""
    if sys.argv[:1] == ["-m"]:  # while Python searches the module that it is to run
        module = sys.orig_argv[-len(sys.argv)].removeprefix("-m")
        return module in (__name__, f"{__name__}.training.cli")
    return getattr(sys.modules.get("keras_ae_command"), "starting", False)


def __getattr__(name):
    if name in _CLASSES:  # before the work of a command begins
        register_classes()
    if name in (*_CLASSES, *_LAZY):
        return importlib.import_module(f"keras_ae.{name}")
    raise AttributeError(f"module 'keras_ae' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_CLASSES, *_LAZY})


if not _starts_command_line():
    register_classes()
