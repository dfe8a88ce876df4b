"""The two entropies of lookup-free quantisation.

A vector of logits `l` gives each of the `2^bits` sign vectors `c` the probability
`q(c) = softmax_c(l.c / 2)`, which is a product of independent bits,
`q(c) = prod_i sigmoid(c_i l_i)`. No function here makes a table of vectors x `2^bits`.
"""

import math

from keras import ops

from keras_ae.losses.kl_to_uniform import bernoulli_entropy
from keras_ae.ops.core import sum_over_replicas, where_counted


def sign_entropy(logits):
    """`H(q) = sum_bits H(sigmoid(l_bit))` in nats, `(..., bits)` -> `(...)`.

    It is the entropy of the softmax over all `2^bits` sign vectors, exactly: independent
    bits have the sum of their entropies. To be made small: each vector sure of its code.

    Example:

    >>> round(float(sign_entropy(ops.zeros((1, 4)))[0] / math.log(2.0)), 4)  # four fair coins
    4.0

    Reference:
        Zhao et al., 2024, https://arxiv.org/abs/2406.07548.
    """
    return ops.sum(bernoulli_entropy(logits), axis=-1)


def mean_sign_kl_to_uniform(logits, weights=None, group_bits=13):
    """KL of the batch's mean distribution over the sign vectors from the uniform one, nats.

    ```
    q_mean(c) = sum_n w_n q_n(c) / sum_n w_n
    KL(q_mean || uniform) = bits log 2 - H(q_mean)
    ```

    To be made small: 0 where the batch as a whole uses all codes alike. `H(q_mean)` is that
    of all bits jointly if there are at most `group_bits`; else the bits are cut into
    groups of nearly equal size, and their entropies are added. That is an upper bound of
    the joint entropy, which does not see that a bit copies one of another group.

    The table of `2^group` means is one matrix product of two tables of vectors x
    `2^(group / 2)`, because the first half of the bits and the second are independent given
    the vector. Under replicas the mean is that of the global batch.

    Args:
        logits: `(vectors, heads, bits)`; the heads are taken one by one, and averaged.
        weights: `(vectors,)`, 1 = real; `None`: all real.
        group_bits: most bits whose joint distribution is made.

    Returns:
        scalar; 0 where nothing is real.

    Example:

    >>> sure = ops.array([[[9.0, 9.0]], [[-9.0, -9.0]]])  # two of the four codes
    >>> round(float(mean_sign_kl_to_uniform(sure) / math.log(2.0)), 2)
    1.0

    Reference:
        Yu et al., 2023, https://arxiv.org/abs/2310.05737.
    """
    logits = ops.transpose(where_counted(logits, weights), (1, 2, 0))
    shares = _shares(logits[0, 0], weights)
    kl = 0.0
    for start, stop in _groups(logits.shape[1], group_bits):
        means = sum_over_replicas(_weighted_joint(logits[:, start:stop], shares))
        log_ratio = ops.log(ops.maximum(means, 1e-30)) + (stop - start) * math.log(2.0)
        kl = kl + ops.mean(ops.sum(means * log_ratio, axis=(1, 2)))
    return kl


def _shares(row, weights):
    """Weight of each vector of this replica in the mean of the global batch."""
    weights = ops.ones_like(row) if weights is None else ops.cast(weights, row.dtype)
    return ops.divide_no_nan(weights, sum_over_replicas(ops.sum(weights)))


def _groups(bits, group_bits):
    """`[(start, stop)]` of as few groups as needed, of nearly equal size."""
    count = -(-bits // group_bits)
    edges = [round(bits * index / count) for index in range(count + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def _weighted_joint(logits, shares):
    """`sum_n w_n q_n(c)`, `(heads, bits, vectors)` -> `(heads, 2^half, 2^(bits - half))`."""
    half = logits.shape[1] // 2
    ones = ops.ones_like(logits[:, :1])
    first = _sign_table(logits[:, :half], ones * shares)
    second = _sign_table(logits[:, half:], ones)
    return ops.matmul(first, ops.transpose(second, (0, 2, 1)))


def _sign_table(logits, table):
    """`table` times `q_n(c)` of a few bits, `(heads, bits, vectors)` -> `(heads, 2^bits, vectors)`."""
    for bit in range(logits.shape[1]):
        logit = logits[:, bit : bit + 1]
        # both by a sigmoid: 1 - sigmoid(l) would round a small probability to 0
        table = ops.concatenate([table * ops.sigmoid(-logit), table * ops.sigmoid(logit)], axis=1)
    return table
