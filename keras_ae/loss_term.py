"""Former path of `keras_ae.ops.LossTerm` and `keras_ae.ops.scalars`."""

from keras_ae.ops.terms import LossTerm, scalars

__all__ = ["LossTerm", "scalars"]
