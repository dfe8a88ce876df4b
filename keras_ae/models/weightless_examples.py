"""Examples of weight 0, which may contain NaN."""

import keras
from keras import ops

from keras_ae.ops.core import finite_padding


def finite_where_weightless(inputs, sample_weight):
    """Return `inputs` with zeros for NaN and infinity in examples of weight 0.

    They would otherwise reach the gradients of the networks.
    """
    if sample_weight is None:
        return inputs
    weights = ops.reshape(sample_weight, (-1,))

    def finite(leaf):
        floats = hasattr(leaf, "dtype") and keras.backend.is_float_dtype(leaf.dtype)
        return finite_padding(leaf, weights) if floats else leaf

    return keras.tree.map_structure(finite, inputs)
