"""The loss of telling matched pairs from mismatched ones."""

import tensorflow as tf  # inside of traced training loops


def pair_discrimination_loss(matched, mismatched):
    """`L_D = mean softplus(-T(x_i, z_i)) + mean softplus(T(x_i, z_j)), j != i`, in nats.

    Two binary cross-entropies, each a mean of its own, however many pairs there are of either
    kind. The best `T` is `log p(x, z) / p(x) p(z)`, the loss then
    `2 log 2 - 2 JSD(p(x, z), p(x) p(z))`.

    Args:
        matched, mismatched: logits `T` of the pairs, of any shapes.

    Example:

    >>> round(float(pair_discrimination_loss(tf.zeros(3), tf.zeros((3, 2)))), 4)
    1.3863
    """
    return tf.reduce_mean(tf.nn.softplus(-matched)) + tf.reduce_mean(tf.nn.softplus(mismatched))
