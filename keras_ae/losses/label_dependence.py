"""How much vectors tell of their labels, by a kernel: no classifier, no game."""

from keras import ops

_EPSILON = 1e-5  # beside the variance of a feature


def kernel_dependence(z, labels, sample_weight=None):
    """How much more alike vectors of one label are than vectors of two: 0 where `z` tells nothing of it.

    ```
    mean over pairs i != j of one label of k(z_i, z_j)  -  the same over pairs of two labels
    k(a, b) = exp(-|a - b|^2 / s)
    ```

    Every feature is standardised over the batch first, `s` is the mean of `|z_i - z_j|^2`, so that the
    scale of `z` does not matter. For labels that are equally frequent the expectation is proportional to the
    Hilbert-Schmidt independence criterion: at least 0, and 0 only where they are independent. The
    estimate of a batch is without bias up to `s`, so it is below 0 now and then.

    Args:
        z: `(batch, features)`.
        labels: int `(batch,)`.
        sample_weight: `(batch,)`; weights the pairs by the product.

    Returns:
        scalar; 0 where a batch has no pair of one label, or of two.

    Example:

    >>> z = ops.array([[0.0], [0.1], [1.0], [1.1]])
    >>> tells = kernel_dependence(z, ops.array([0, 0, 1, 1]))
    >>> bool(tells > kernel_dependence(z, ops.array([0, 1, 0, 1])))
    True

    Reference:
        Gretton et al., 2005, https://doi.org/10.1007/11564089_7.
    """
    z = ops.cast(z, "float32")
    count = ops.cast(ops.ones_like(z[:, 0]) if sample_weight is None else sample_weight, "float32")
    share = ops.divide_no_nan(count, ops.sum(count))[:, None]
    z = z - ops.sum(share * z, axis=0)
    z = z * ops.rsqrt(ops.sum(share * ops.square(z), axis=0) + _EPSILON)
    squares = ops.sum(ops.square(z), axis=1)
    distances = ops.relu(squares[:, None] + squares[None, :] - 2.0 * ops.matmul(z, ops.transpose(z)))
    pairs = count[:, None] * count[None, :] * (1.0 - ops.eye(ops.shape(z)[0], dtype="float32"))
    scale = ops.stop_gradient(_mean(distances, pairs))
    kernel = ops.exp(-ops.divide_no_nan(distances, scale))
    same = ops.cast(labels[:, None] == labels[None, :], "float32")
    one, two = pairs * same, pairs * (1.0 - same)
    both = ops.logical_and(ops.sum(one) > 0, ops.sum(two) > 0)
    return ops.where(both, _mean(kernel, one) - _mean(kernel, two), 0.0)


def _mean(values, weights):
    return ops.divide_no_nan(ops.sum(values * weights), ops.sum(weights))
