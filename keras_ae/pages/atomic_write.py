"""`keras_ae.files.write_atomically`, under its former path."""

from keras_ae.files import write_atomically

__all__ = ["write_atomically"]
