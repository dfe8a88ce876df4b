"""Penalties: correlation between the channels of an embedding, and the gradient norm of a critic."""

from collections.abc import Callable

import tensorflow as tf  # keras.ops has no gradients inside of a loss
from keras import ops

from keras_ae.ops.core import Tensor, sum_over_replicas, where_counted

_EPSILON = 1e-5  # added to the variance of a channel


def channel_correlation(z: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the mean squared correlation of pairs of different channels; 0 if all are uncorrelated.

    ```
    r_cd = cov(z_c, z_d) / sqrt((var z_c + 1e-5) (var z_d + 1e-5))           over all positions of a batch
    mean over c != d of r_cd^2
    ```

    Even standardised channels may all carry the same few directions, and hide the rest in directions of
    small variance, to which distances and penalties of `z` are insensitive. Under `tf.distribute` the
    positions are those of the global batch.

    Args:
        z: `(batch, ..., channels)`, with at least two channels.
        weights: `(batch, ...)`, weight of each position, such as a mask; missing trailing axes are added.

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


def gradient_penalty(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """Return the gradient penalty `(|grad_u critic(u)| - 1)^2`, `(batch,)` float32.

    It is computed at `u = mix * real + (1 - mix) * fake`.

    The gradient is that of each example's own score; its norm is over all other axes. A critic that
    ignores padding has no gradient there.

    Args:
        critic: a function from `(batch, ...)` to scores `(batch,)`; each score may depend on its own
            example only.
        real, fake: `(batch, ...)`.
        mix: `(batch,)`, in [0, 1].

    Example:

    >>> x = ops.ones((2, 3))
    >>> gradient_penalty(lambda u: ops.sum(4.0 * u[:, :1], axis=1), x, 0.0 * x, ops.ones(2)).numpy().tolist()
    [9.0, 9.0]

    Reference:
        Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028.
    """
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    mix = ops.reshape(ops.cast(mix, "float32"), (-1, *[1] * (len(real.shape) - 1)))
    between = mix * real + (1.0 - mix) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        score = ops.sum(ops.cast(critic(between), "float32"))
    gradient = tape.gradient(score, between)
    squares = ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))
    # the square root has no finite gradient at 0
    return ops.square(ops.sqrt(ops.maximum(squares, 1e-12)) - 1.0)
