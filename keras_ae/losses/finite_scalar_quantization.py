"""What keeps the channels of finite scalar quantisation where the tanh has a gradient."""

from keras import ops

from keras_ae.ops.core import where_counted
from keras_ae.ops.terms import weighted_mean

FLAT = 2.0  # tanh(2) = 0.96, in the outermost level of up to 27; there the slope is 0.07


def saturation_loss(x, weights=None):
    """`mean max(|x| - 2, 0)^2` of the argument of a tanh: 0 where it is not saturated.

    Args:
        x: `(vectors, ...)`.
        weights: `(vectors,)`, 1 = real.

    Returns:
        scalar, mean over real elements.

    Example:

    >>> float(saturation_loss(ops.array([[-5.0, 1.0]])))
    4.5
    """
    x = where_counted(x, weights)
    return weighted_mean(ops.square(ops.relu(ops.abs(x) - FLAT)), weights)
