"""Auto-encoders beyond reconstruction for Keras 3: build, train with `fit`, measure, export."""

import importlib

from keras_ae import layers, losses, metrics, models, networks, optimizers
from keras_ae.errors import InputError
from keras_ae.numpy_scalars import take_numpy_scalars

take_numpy_scalars("keras_ae")

__version__ = "0.1.0"
# Loaded at first use, because they need packages other than Keras and TensorFlow.
_LAZY = ("evaluation", "export", "training")
__all__ = ["InputError", "layers", "losses", "metrics", "models", "networks", "optimizers"]


def __getattr__(name):
    if name in _LAZY:
        return importlib.import_module(f"keras_ae.{name}")
    raise AttributeError(f"module 'keras_ae' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_LAZY})
