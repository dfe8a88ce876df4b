"""Former path of `keras_ae.files.write_atomically`."""

from keras_ae.files import write_atomically

__all__ = ["write_atomically"]
