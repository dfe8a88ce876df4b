"""Optimizers."""

from keras_ae.optimizers.fused_adam import FusedAdam

__all__ = ["FusedAdam"]
