"""The two squared errors of vector quantisation."""

from keras import ops

from keras_ae.ops.core import where_counted
from keras_ae.ops.terms import weighted_mean


def commitment_loss(x, quantized, weights=None):
    """`mean (x - sg[q])^2`: keeps the encoder near the code it chose.

    Args:
        x: `(..., dim)` output of the encoder.
        quantized: `(..., dim)` the chosen codes.
        weights: `x.shape[:-1]`, 1 = real.

    Returns:
        scalar, mean over real elements.

    Reference:
        van den Oord et al., 2017, https://arxiv.org/abs/1711.00937, equation 3.
    """
    return _weighted_square(x - ops.stop_gradient(quantized), weights)


def codebook_loss(x, quantized, weights=None):
    """`mean (sg[x] - q)^2`: moves the chosen codes towards the encoder's output.

    Args and returns as in `commitment_loss`; the gradient goes to the codes.
    """
    return _weighted_square(ops.stop_gradient(x) - quantized, weights)


def orthogonality_loss(codes):
    """`|E E^T - I|^2 / K^2` of the codes scaled to unit length: pushes them apart in direction.

    `|E E^T - I|^2 = |E^T E|^2 - K`: O(K dim^2), without a table of K x K.

    Args:
        codes: `(K, dim)`.

    Returns:
        scalar.

    Reference:
        Shin et al., 2023, https://arxiv.org/abs/2112.00384, equation 7.

    Example:

    >>> round(float(orthogonality_loss(ops.array([[2.0, 0.0], [0.0, 3.0]]))), 6)
    0.0
    """
    unit = codes / ops.maximum(ops.norm(codes, axis=-1, keepdims=True), 1e-12)
    gram = ops.matmul(ops.transpose(unit), unit)
    return (ops.sum(ops.square(gram)) - codes.shape[0]) / codes.shape[0] ** 2


def _weighted_square(difference, weights):
    # over the elements first: the weights then meet vectors, not elements
    return weighted_mean(ops.mean(ops.square(where_counted(difference, weights)), axis=-1), weights)
