"""Divergences and log-probabilities of categorical and Bernoulli variables given by logits.

Everything is made of `log_softmax` and `softplus`: logits of any size stay finite. A pair
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
    """
    log_q, log_p = ops.log_softmax(logits, axis=-1), ops.log_softmax(prior_logits, axis=-1)
    return ops.sum(ops.exp(log_q) * (log_q - log_p), axis=-1)


def bernoulli_kl(logits, prior_logits):
    """`KL(sigmoid(logits) || sigmoid(prior_logits))` in nats, elementwise.

    `q (l - l_0) - softplus(l) + softplus(l_0)`, where `q = sigmoid(l)`.

    Example:

    >>> float(bernoulli_kl(ops.array(1.5), ops.array(1.5)))
    0.0
    """
    difference = ops.sigmoid(logits) * (logits - prior_logits)
    return difference - ops.softplus(logits) + ops.softplus(prior_logits)


def categorical_log_prob(logits, one_hot):
    """`log softmax(logits)_k` of the class that `one_hot` names, `(..., K)` -> `(...)`."""
    return ops.sum(one_hot * ops.log_softmax(logits, axis=-1), axis=-1)


def bernoulli_log_prob(logits, bits):
    """`log Bernoulli(bits; sigmoid(logits)) = b l - softplus(l)` in nats, elementwise.

    Bits between 0 and 1 give the cross-entropy, as in the likelihood of grey pixels.

    Example:

    >>> round(float(ops.exp(bernoulli_log_prob(ops.array(0.0), ops.array(1.0)))), 4)
    0.5
    """
    return bits * logits - ops.softplus(logits)


def relaxed_categorical_log_prob(logits, log_sample, temperature):
    """Log-density of the Gumbel-softmax at the sample `y`, given as `log_sample = log y`.

    ```
    log p(y) = log (K-1)! + (K-1) log t - K logsumexp_k(l_k - t log y_k) + sum_k (l_k - (t + 1) log y_k)
    ```

    with normalised logits. It takes the logarithm of the sample because a sample at a low
    temperature has entries that no float32 holds.

    Args:
        logits: `(..., K)`.
        log_sample: `(..., K)`, `log_softmax((logits + gumbel) / temperature)`.
        temperature: scalar `t`.

    Returns:
        `(...)`, with respect to the Lebesgue measure on the first `K - 1` entries.

    Reference:
        Maddison et al., 2017, https://arxiv.org/abs/1611.00712, equation 2.
    """
    classes = logits.shape[-1]
    constant = math.lgamma(classes) + (classes - 1) * ops.log(ops.cast(temperature, logits.dtype))
    score = ops.log_softmax(logits, axis=-1) - temperature * log_sample
    normaliser = classes * ops.logsumexp(score, axis=-1)
    return constant - normaliser + ops.sum(score - log_sample, axis=-1)


def relaxed_bernoulli_log_prob(logits, sample_logits, temperature):
    """Log-density of the binary concrete at `y = sigmoid(sample_logits)`, elementwise.

    `log t + l - t s - 2 softplus(l - t s) - log y - log(1 - y)`, with `s = logit y`.

    Args:
        logits: of the Bernoulli variable that is relaxed.
        sample_logits: `(logits + logistic noise) / temperature`.
        temperature: scalar `t`.

    Reference:
        Maddison et al., 2017, https://arxiv.org/abs/1611.00712, appendix B.
    """
    difference = logits - temperature * sample_logits
    log_jacobian = ops.softplus(sample_logits) + ops.softplus(-sample_logits)  # -log y - log(1 - y)
    log_temperature = ops.log(ops.cast(temperature, logits.dtype))
    return log_temperature + difference - 2 * ops.softplus(difference) + log_jacobian
