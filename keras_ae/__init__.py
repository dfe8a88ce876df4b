"""Auto-encoders beyond reconstruction for Keras 3: build, train with `fit`, measure, export."""

from keras_ae import layers, losses, metrics, models, networks
from keras_ae.errors import InputError

__version__ = "0.1.0"
__all__ = ["InputError", "layers", "losses", "metrics", "models", "networks"]
