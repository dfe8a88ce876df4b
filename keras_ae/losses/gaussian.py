"""Kullback-Leibler divergence of a diagonal Gaussian from the standard one."""

from keras import ops


def gaussian_kl(mean, log_variance):
    """`KL(N(mean, exp(log_variance)) || N(0, 1))` in nats, elementwise.

    `(mean^2 + exp(log_variance) - 1 - log_variance) / 2`

    Reference:
        Kingma and Welling, 2014, appendix B, https://arxiv.org/abs/1312.6114.

    Example:

    >>> float(gaussian_kl(ops.ones(()), ops.zeros(())))
    0.5
    """
    return 0.5 * (ops.square(mean) + ops.exp(log_variance) - 1.0 - log_variance)
