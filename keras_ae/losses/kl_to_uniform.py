"""Kullback-Leibler divergence of a discrete code from the uniform prior."""

import math

from keras import ops

from keras_ae.losses.discrete_distributions import expected_where_possible


def categorical_kl_to_uniform(logits):
    """`KL(q || uniform) = log K - H(q)` in nats, `(..., K)` -> `(...)`.

    Example:

    >>> float(categorical_kl_to_uniform(ops.zeros((1, 8)))[0])
    0.0
    """
    log_q = ops.log_softmax(logits, axis=-1)
    return math.log(logits.shape[-1]) + ops.sum(expected_where_possible(ops.exp(log_q), log_q), axis=-1)


def bernoulli_entropy(logits):
    """`H(sigmoid(l)) = softplus(l) - l sigmoid(l)` in nats, elementwise; 0 for infinite logits."""
    certain = ops.abs(logits) == math.inf
    finite = ops.where(certain, 0.0, logits)
    return ops.where(certain, 0.0, ops.softplus(finite) - finite * ops.sigmoid(finite))


def bernoulli_kl_to_uniform(logits):
    """`sum_bits log 2 - H(q_bit)` in nats, `(..., bits)` -> `(...)`."""
    return ops.sum(math.log(2.0) - bernoulli_entropy(logits), axis=-1)
