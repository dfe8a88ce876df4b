"""Log-likelihood of an example given what a decoder returns."""

import math

from keras import ops

from keras_ae.losses.discrete_distributions import bernoulli_log_prob

LIKELIHOODS = ("bernoulli", "gaussian")


def log_likelihood_of(likelihood, target, parameters, scale=1.0):
    """`log p(target | parameters)` in nats, elementwise.

    Args:
        likelihood: `"bernoulli"` (the parameters are logits) or `"gaussian"` (means).
        target: `(batch, ...)`.
        parameters: `(batch, ...)`.
        scale: standard deviation of the Gaussian.

    Example:

    >>> round(float(ops.exp(log_likelihood_of("bernoulli", ops.ones(()), ops.zeros(())))), 4)
    0.5
    """
    if likelihood == "bernoulli":
        return bernoulli_log_prob(parameters, target)
    constant = math.log(scale) + 0.5 * math.log(2 * math.pi)
    return -0.5 * ops.square((target - parameters) / scale) - constant
