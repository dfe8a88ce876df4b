"""What a batch of bits should look like: each bit fair, no two alike."""

from keras import ops

from keras_ae.ops.core import sum_over_replicas, where_counted


def bit_balance_loss(probabilities, weights=None):
    """`mean_bits (2 mean_n p_n - 1)^2`: 0 where each bit is 1 half of the time, 1 where none varies.

    Args:
        probabilities: `(vectors, bits)`, the probability of a 1.
        weights: `(vectors,)`, 1 = real; `None`: all real.

    Returns:
        scalar; the mean is that of the global batch under replicas. 0 where nothing is real.

    Example:

    >>> float(bit_balance_loss(ops.array([[1.0, 1.0], [1.0, 0.0]])))  # a constant bit, a fair one
    0.5

    Reference:
        Weiss et al., 2008 (spectral hashing, balance of the bits).
    """
    probabilities, shares = where_counted(probabilities, weights), _shares(probabilities, weights)
    mean = sum_over_replicas(ops.sum(shares * (2 * probabilities - 1), axis=0))
    return ops.mean(ops.square(mean))


def bit_decorrelation_loss(probabilities, weights=None):
    """`mean_(i != j) (16 cov(p_i, p_j)^2)`: 0 where the bits are uncorrelated, 1 where fair bits are copies.

    Args and returns as in `bit_balance_loss`; 0 also for a single bit. It costs
    vectors x bits^2, and no table of codes.

    Example:

    >>> float(bit_decorrelation_loss(ops.array([[1.0, 1.0], [0.0, 0.0]])))  # a bit and its copy
    1.0
    """
    bits = probabilities.shape[-1]
    if bits == 1:
        return ops.zeros((), probabilities.dtype)
    signs, shares = 2 * where_counted(probabilities, weights) - 1, _shares(probabilities, weights)
    mean = sum_over_replicas(ops.sum(shares * signs, axis=0))
    centred = signs - mean
    covariance = sum_over_replicas(ops.matmul(ops.transpose(centred), shares * centred))
    others = 1 - ops.eye(bits, dtype=covariance.dtype)
    return ops.sum(others * ops.square(covariance)) / (bits * (bits - 1))


def _shares(probabilities, weights):
    """`(vectors, 1)`: the weight of each vector of this replica in a mean over the global batch."""
    weights = ops.ones_like(probabilities[:, 0]) if weights is None else ops.cast(weights, "float32")
    return ops.divide_no_nan(weights, sum_over_replicas(ops.sum(weights)))[:, None]
