"""The two squared errors of vector quantisation."""

from keras import ops

from keras_ae.ops import weighted_mean


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
    return weighted_mean(ops.square(x - ops.stop_gradient(quantized)), weights)


def codebook_loss(x, quantized, weights=None):
    """`mean (sg[x] - q)^2`: moves the chosen codes towards the encoder's output.

    Args and returns as in `commitment_loss`; the gradient goes to the codes.
    """
    return weighted_mean(ops.square(ops.stop_gradient(x) - quantized), weights)
