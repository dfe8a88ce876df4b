"""Former path of `keras_ae.errors.DataWarning`."""

from keras_ae.errors import DataWarning

__all__ = ["DataWarning"]
