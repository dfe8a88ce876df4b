"""Bounds on mutual information from the scores of all pairs of a batch, as losses.

Row `n` of the scores belongs to the vector of example `n`, `[m, l]` to location `l` of
example `m`: `n = m` is a matched pair, `n != m` a mismatched one. All three losses are in
nats; a batch without a single mismatched pair tells nothing, and its loss is 0.
"""

import math

from keras import ops

from keras_ae.ops.core import where_counted

ABSENT = -1e9  # logarithm of no weight: exp of it is 0 in float32, and so is its gradient


def jensen_shannon_mi(scores, mask=None, weights=None):
    """Binary cross-entropy of matched against mismatched pairs, less `2 log 2`.

    ```
    loss = mean_n mean_l softplus(-u[n, n, l]) + mean_{m != n} mean_l softplus(u[n, m, l]) - 2 log 2
    ```

    Each of the two means counts by itself, however many mismatched pairs there are. At its
    least the loss is `-2 JSD(p(x, z) || p(x) p(z))`, between `-2 log 2` and 0.

    Args:
        scores: `(examples, examples, locations)`, or `(examples, examples)`: `u`, any real numbers.
        mask: `(examples, locations)`, 1 = a real location; `None`: all.
        weights: `(examples,)`, of each example; `None`: all alike.

    Returns:
        scalar.

    Reference:
        Nowozin et al., 2016, https://arxiv.org/abs/1606.00709;
        Hjelm et al., 2019, equation 4, https://arxiv.org/abs/1808.06670.

    Example:

    >>> round(float(jensen_shannon_mi(ops.zeros((4, 4)))), 6)
    0.0
    """
    pairs = _Pairs(scores, mask, weights)
    matched = ops.sum(pairs.matched_share * ops.softplus(-pairs.matched))
    mismatched = ops.sum(pairs.mismatched_share * ops.softplus(pairs.scores))
    return (matched + mismatched - 2.0 * math.log(2.0)) * pairs.any_mismatched


def info_nce(scores, mask=None, weights=None):
    """Cross-entropy of picking the own location among it and all locations of other examples.

    ```
    loss = -mean_n mean_l log( exp u[n, n, l] / (exp u[n, n, l] + sum_{m != n, k} exp u[n, m, k]) )
    I >= log C - loss,    C = 1 + number of locations of the other examples
    ```

    The other locations of the own example are no candidates. The bound cannot exceed
    `log C`: it wants large batches.

    Args:
        scores, mask: as in `jensen_shannon_mi`.
        weights: `(examples,)`; a candidate counts by its weight.

    Returns:
        scalar, at least 0.

    Reference:
        van den Oord et al., 2018, equation 4, https://arxiv.org/abs/1807.03748;
        Hjelm et al., 2019, equation 5, https://arxiv.org/abs/1808.06670.

    Example:

    >>> round(float(info_nce(ops.zeros((8, 8)))), 4) == round(math.log(8), 4)
    True
    """
    pairs = _Pairs(scores, mask, weights)
    candidates = pairs.scores + _log(pairs.mismatched_weight)
    others = ops.logsumexp(ops.reshape(candidates, (ops.shape(candidates)[0], -1)), axis=1)
    return ops.sum(pairs.matched_share * ops.softplus(others[:, None] - pairs.matched))


def donsker_varadhan(scores, mask=None, weights=None):
    """Negative Donsker-Varadhan bound: matched mean against the log-mean-exp of the mismatched.

    ```
    loss = -( mean_n mean_l u[n, n, l] - log mean_{m != n} mean_l exp u[n, m, l] ),    I >= -loss
    ```

    One mean over all mismatched pairs of the batch stands inside of the logarithm: its
    gradient is biased in small batches.

    Args:
        scores, mask, weights: as in `jensen_shannon_mi`.

    Returns:
        scalar.

    Reference:
        Belghazi et al., 2018, https://arxiv.org/abs/1801.04062;
        Hjelm et al., 2019, equation 2, https://arxiv.org/abs/1808.06670.

    Example:

    >>> abs(round(float(donsker_varadhan(ops.ones((4, 4)))), 6))
    0.0
    """
    pairs = _Pairs(scores, mask, weights)
    matched = ops.sum(pairs.matched_share * pairs.matched)
    mismatched = ops.logsumexp(ops.reshape(pairs.scores + _log(pairs.mismatched_share), (-1,)))
    return ops.where(pairs.any_mismatched > 0, mismatched - matched, 0.0)


def _log(weight):
    real = weight > 0
    return ops.where(real, ops.log(ops.where(real, weight, 1.0)), ABSENT)


class _Pairs:
    """Scores of a batch with the shares of their means.

    Attributes:
        scores: `(n, m, l)` float32.
        matched: `(n, l)`, those with `n = m`.
        matched_share: `(n, l)`, sums to 1 over all; an example's locations share its weight alike.
        mismatched_weight: `(n, m, l)`, 0 where `n = m`: weight of example `m` where its location is real.
        mismatched_share: `(n, m, l)`, sums to 1 over all.
        any_mismatched: 1.0 where there is a mismatched pair, else 0.0.
    """

    def __init__(self, scores, mask, weights):
        scores = ops.cast(scores, "float32")
        scores = scores[:, :, None] if len(scores.shape) == 2 else scores
        examples, _, locations = ops.shape(scores)
        mask = ops.ones((examples, locations), "float32") if mask is None else ops.cast(mask, "float32")
        weights = ops.ones((examples,), "float32") if weights is None else ops.reshape(weights, (-1,))
        weights = ops.cast(weights, "float32")
        same = ops.eye(examples, dtype="float32")[:, :, None]
        own = ops.divide_no_nan(mask, ops.sum(mask, axis=1, keepdims=True)) * weights[:, None]
        other = weights[:, None, None] * (1.0 - same)
        total = ops.sum(other * own[None])
        self.any_mismatched = ops.cast(total > 0, "float32")
        self.matched_share = ops.divide_no_nan(own, ops.sum(own)) * self.any_mismatched
        # a candidate counts by its own weight; that of the one who picks is in the share of its row
        self.mismatched_weight = ops.where(other > 0, (mask * weights[:, None])[None], 0.0)
        self.mismatched_share = ops.divide_no_nan(other * own[None], total)
        self.matched = where_counted(ops.sum(where_counted(scores, same), axis=1), own)
        self.scores = where_counted(scores, self.mismatched_share)
