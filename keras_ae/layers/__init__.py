"""Layers that drop into any Keras model."""

from keras_ae.layers.binary_bottleneck import BinaryBottleneck
from keras_ae.layers.bottleneck import Bottleneck
from keras_ae.layers.gaussian_bottleneck import GaussianBottleneck
from keras_ae.layers.gumbel_one_hot import GumbelOneHot
from keras_ae.layers.vector_quantizer import VectorQuantizer

__all__ = [
    "BinaryBottleneck",
    "Bottleneck",
    "GaussianBottleneck",
    "GumbelOneHot",
    "VectorQuantizer",
]
