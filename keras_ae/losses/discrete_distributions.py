"""Divergences and log-probabilities of categorical and Bernoulli variables given by logits.

All functions use `log_softmax` and `softplus`: results stay finite for logits of any size. Logits may be
infinite: `-inf` forbids a class, or a bit of 1, and adds nothing to a divergence. A pair
`(G, K)` of axes is G variables of K classes, and an axis of bits is so many Bernoulli
variables; both are independent, so their terms are added.
"""

import math

from keras import ops


def categorical_kl(logits, prior_logits):
    """`KL(softmax(logits) || softmax(prior_logits))` in nats, `(..., K)` -> `(...)`.

    Example:

    >>> round(float(categorical_kl(ops.array([50.0, 0.0]), ops.zeros(2)) / math.log(2.0)), 4)
    1.0
    >>> round(float(categorical_kl(ops.array([0.0, 0.0, -math.inf]), ops.zeros(3)) - math.log(1.5)), 4)
    0.0
    """
    log_q, log_p = ops.log_softmax(logits, axis=-1), ops.log_softmax(prior_logits, axis=-1)
    return ops.sum(expected_where_possible(ops.exp(log_q), log_q, log_p), axis=-1)


def bernoulli_kl(logits, prior_logits):
    """`KL(sigmoid(logits) || sigmoid(prior_logits))` in nats, elementwise.

    `q log(q / p) + (1 - q) log((1 - q) / (1 - p))`, where `q = sigmoid(l)`, `log q = -softplus(-l)`.

    Example:

    >>> float(bernoulli_kl(ops.array(1.5), ops.array(1.5)))
    0.0
    """
    one = expected_where_possible(ops.sigmoid(logits), -ops.softplus(-logits), -ops.softplus(-prior_logits))
    zero = expected_where_possible(ops.sigmoid(-logits), -ops.softplus(logits), -ops.softplus(prior_logits))
    return one + zero


def expected_where_possible(probability, log_q, log_p=0.0):
    """Return `probability * (log_q - log_p)`; 0 where the probability is 0, forward and backward."""
    possible = probability > 0
    # selected before the product: 0 * inf is NaN, and so would be its gradient
    difference = ops.where(possible, log_q, 0.0) - ops.where(possible, log_p, 0.0)
    return probability * difference


def categorical_log_prob(logits, one_hot):
    """Return `log softmax(logits)_k` of the class of `one_hot`, `(..., K)` -> `(...)`.

    Example:

    >>> round(float(categorical_log_prob(ops.array([0.0, 0.0, -math.inf]), ops.array([1.0, 0, 0]))), 4)
    -0.6931
    """
    return ops.sum(expected_where_possible(one_hot, ops.log_softmax(logits, axis=-1)), axis=-1)


def bernoulli_log_prob(logits, bits):
    """`log Bernoulli(bits; sigmoid(logits)) = b l - softplus(l)` in nats, elementwise.

    Bits between 0 and 1 give the cross-entropy, as in the likelihood of grey pixels.

    Example:

    >>> round(float(ops.exp(bernoulli_log_prob(ops.array(0.0), ops.array(1.0)))), 4)
    0.5
    >>> bernoulli_log_prob(ops.array([-math.inf, -math.inf]), ops.array([0.0, 1.0])).numpy().tolist()
    [0.0, -inf]
    """
    certain = ops.abs(logits) == math.inf
    finite = ops.where(certain, 0.0, logits)
    contradicted = ops.where(logits > 0, bits < 1, bits > 0)
    of_certain = ops.where(contradicted, -math.inf, 0.0)
    return ops.where(certain, of_certain, bits * finite - ops.softplus(finite))


def relaxed_categorical_log_prob(logits, log_sample, temperature):
    """Log-density of the Gumbel-softmax at the sample `y`, given as `log_sample = log y`.

    ```
    log p(y) = log (K-1)! + (K-1) log t - K logsumexp_k(l_k - t log y_k) + sum_k (l_k - (t + 1) log y_k)
    ```

    with normalised logits. It takes the logarithm of the sample because a sample at a low
    temperature has entries that float32 cannot represent. Classes whose logit is `-inf` are left out, and
    `K` is the number of the others.

    Args:
        logits: `(..., K)`.
        log_sample: `(..., K)`, `log_softmax((logits + gumbel) / temperature)`.
        temperature: scalar `t`.

    Returns:
        `(...)`, with respect to the Lebesgue measure on the first `K - 1` entries.

    Reference:
        Maddison et al., 2017, https://arxiv.org/abs/1611.00712, equation 2.
    """
    allowed = logits > -math.inf
    classes = ops.sum(ops.cast(allowed, "int32"), axis=-1)
    factorials = ops.array([0.0, *(math.lgamma(k) for k in range(1, logits.shape[-1] + 1))], logits.dtype)
    log_sample = ops.where(allowed, log_sample, 0.0)
    score = ops.log_softmax(logits, axis=-1) - temperature * log_sample
    total = ops.sum(ops.where(allowed, score - log_sample, 0.0), axis=-1)
    number = ops.cast(classes, logits.dtype)
    constant = ops.take(factorials, classes) + (number - 1) * ops.log(ops.cast(temperature, logits.dtype))
    return constant - number * ops.logsumexp(score, axis=-1) + total


def relaxed_bernoulli_log_prob(logits, sample_logits, temperature):
    """Log-density of the binary concrete at `y = sigmoid(sample_logits)`, elementwise.

    `log t + l - t s - 2 softplus(l - t s) - log y - log(1 - y)`, with `s = logit y`.
    A bit with an infinite logit is certain: 0 for the sample of the same infinity, `-inf` for others.

    Args:
        logits: of the Bernoulli variable that is relaxed.
        sample_logits: `(logits + logistic noise) / temperature`.
        temperature: scalar `t`.

    Reference:
        Maddison et al., 2017, https://arxiv.org/abs/1611.00712, appendix B.
    """
    logits, sample_logits = ops.convert_to_tensor(logits), ops.convert_to_tensor(sample_logits)
    certain = ops.abs(logits) == math.inf
    of_certain = ops.where(sample_logits == logits, 0.0, -math.inf)
    # selected before the arithmetic: inf - inf is NaN, and so would be its gradient
    logits, sample_logits = ops.where(certain, 0.0, logits), ops.where(certain, 0.0, sample_logits)
    difference = logits - temperature * sample_logits
    log_jacobian = ops.softplus(sample_logits) + ops.softplus(-sample_logits)  # -log y - log(1 - y)
    log_temperature = ops.log(ops.cast(temperature, logits.dtype))
    of_variable = log_temperature + difference - 2 * ops.softplus(difference) + log_jacobian
    return ops.where(certain, of_certain, of_variable)
