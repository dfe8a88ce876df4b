"""Examples of weight 0, which may hold anything."""

import keras
from keras import ops

from keras_ae.ops import finite_padding


def finite_where_weightless(inputs, sample_weight):
    """`inputs` without NaN and infinity in examples of weight 0, which networks would make gradients of."""
    if sample_weight is None:
        return inputs
    weights = ops.reshape(sample_weight, (-1,))

    def finite(leaf):
        floats = hasattr(leaf, "dtype") and keras.backend.is_float_dtype(leaf.dtype)
        return finite_padding(leaf, weights) if floats else leaf

    return keras.tree.map_structure(finite, inputs)
