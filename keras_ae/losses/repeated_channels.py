"""How much the channels of an embedding repeat each other."""

from keras import ops

from keras_ae.ops.core import sum_over_replicas, where_counted

_EPSILON = 1e-5  # beside the variance of a channel


def channel_correlation(z, weights=None):
    """Mean squared correlation of two different channels: 0 where none tells what another one tells.

    ```
    r_cd = cov(z_c, z_d) / sqrt((var z_c + 1e-5) (var z_d + 1e-5))           over all positions of a batch
    mean over c != d of r_cd^2
    ```

    Standardised channels may still all carry the same few directions, and hide the rest in directions of
    small variance, where distances and penalties of `z` do not see it. Under `tf.distribute` the
    positions are those of the global batch.

    Args:
        z: `(batch, ..., channels)`, two channels at least.
        weights: `(batch, ...)`; how much a position counts, such as a mask; axes that it lacks at the end
            are added.

    Returns:
        float32 scalar in [0, 1].

    Example:

    >>> z = ops.array([[1.0, 1.0], [-1.0, -1.0], [2.0, 2.0], [-2.0, -2.0]])
    >>> round(float(channel_correlation(z)), 3), float(channel_correlation(z * ops.array([1.0, 0.0])))
    (1.0, 0.0)

    Reference:
        Bardes et al., 2022, VICReg, https://arxiv.org/abs/2105.04906.
    """
    channels = z.shape[-1]
    z = ops.cast(z, "float32")
    counts = ops.ones_like(z[..., 0])
    if weights is not None:
        trailing = (1,) * (len(counts.shape) - len(weights.shape))
        counts *= ops.reshape(ops.cast(weights, "float32"), (*ops.shape(weights), *trailing))
    z, counts = ops.reshape(where_counted(z, counts), (-1, channels)), ops.reshape(counts, (-1, 1))
    total = sum_over_replicas(ops.sum(counts))
    z = z - ops.divide_no_nan(sum_over_replicas(ops.sum(counts * z, axis=0)), total)
    products = ops.matmul(ops.transpose(counts * z), z)
    covariance = ops.divide_no_nan(sum_over_replicas(products), total)
    scale = ops.rsqrt(ops.diagonal(covariance) + _EPSILON)
    squares = ops.square(covariance * scale[:, None] * scale[None, :])
    others = 1.0 - ops.eye(channels, dtype="float32")
    return ops.sum(squares * others) / (channels * (channels - 1))
