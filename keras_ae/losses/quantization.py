"""Losses of quantisers: distances to the codebook, and penalties on the use of codes and bits.

Lookup-free quantisation: a vector of logits `l` gives each of the `2^bits` sign vectors `c` the
probability `q(c) = softmax_c(l.c / 2)`, which is a product over independent bits, `q(c) = prod_i
sigmoid(c_i l_i)`. No function here computes a table of vectors x `2^bits`.
"""

import math

import tensorflow as tf
from keras import ops

from keras_ae.errors import renamed_arguments
from keras_ae.ops.core import Tensor, num_replicas, sum_over_replicas, where_counted
from keras_ae.ops.search import exact_scores, row_blocks
from keras_ae.ops.terms import weighted_mean


def commitment_loss(x: Tensor, quantized: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the commitment loss `mean (x - sg[q])^2`, which keeps the encoder near the chosen code.

    Args:
        x: `(..., dim)`, output of the encoder.
        quantized: `(..., dim)`, the chosen code vectors.
        weights: `x.shape[:-1]`, 1 = real.

    Returns:
        scalar, mean over real elements.

    Reference:
        van den Oord et al., 2017, https://arxiv.org/abs/1711.00937, equation 3.
    """
    return _weighted_square(x - ops.stop_gradient(quantized), weights)


def codebook_loss(x: Tensor, quantized: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return the codebook loss `mean (sg[x] - q)^2`, which moves the chosen vectors to the encoder's output.

    Arguments and result as in `commitment_loss`; only the code vectors receive a gradient.
    """
    return _weighted_square(ops.stop_gradient(x) - quantized, weights)


@renamed_arguments(codes="codebook")
def orthogonality_loss(codebook: Tensor) -> Tensor:
    """Return `|E E^T - I|^2 / K^2` of the code vectors at unit length, which separates their directions.

    It equals `(|E^T E|^2 - K) / K^2`: O(K dim^2), without a table of K x K.

    Args:
        codebook: `(K, dim)`.

    Returns:
        scalar.

    Reference:
        Shin et al., 2023, https://arxiv.org/abs/2112.00384, equation 7.

    Example:

    >>> round(float(orthogonality_loss(ops.array([[2.0, 0.0], [0.0, 3.0]]))), 6)
    0.0
    """
    unit = codebook / ops.maximum(ops.norm(codebook, axis=-1, keepdims=True), 1e-12)
    gram = ops.matmul(ops.transpose(unit), unit)
    return (ops.sum(ops.square(gram)) - codebook.shape[0]) / codebook.shape[0] ** 2


def _weighted_square(difference, weights):
    # mean over the elements first: the weights then multiply vectors, not elements
    return weighted_mean(ops.mean(ops.square(where_counted(difference, weights)), axis=-1), weights)


FLAT = 2.0  # tanh(2) = 0.96, inside of the outermost level for up to 27 levels; the slope is 0.07


def saturation_loss(x: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return `mean max(|x| - 2, 0)^2` of the argument of a tanh: 0 if it is not saturated.

    Args:
        x: `(vectors, ...)`.
        weights: `(vectors,)`, 1 = real.

    Returns:
        scalar, mean over real elements.

    Example:

    >>> float(saturation_loss(ops.array([[-5.0, 1.0]])))
    4.5
    """
    x = where_counted(x, weights)
    return weighted_mean(ops.square(ops.relu(ops.abs(x) - FLAT)), weights)


@renamed_arguments(codes="codebook")
def code_diversity_loss(
    x: Tensor, codebook: Tensor, weights: Tensor | None = None, temperature: float = 1.0
) -> Tensor:
    """Return `log K - H(p)` in nats, where `p` is the mean over the batch of the softmax over the codes.

    ```
    p_k = mean_n softmax_k(-|x_n - e_k|^2 / temperature),   H(p) = -sum_k p_k log p_k
    ```

    0 if the batch uses all codes equally. The softmax is computed in blocks of rows, and again for the
    gradient: memory does not grow with vectors x codes.

    Args:
        x: `(vectors, dim)`.
        codebook: `(K, dim)`.
        weights: `(vectors,)`, 1 = real; `None`: all.
        temperature: temperature of the softmax, in the units of `x` squared.

    Returns:
        scalar; under `tf.distribute` that of the global batch.
    """
    x = where_counted(x, weights)
    weights = tf.ones_like(x[:, 0]) if weights is None else tf.cast(weights, x.dtype)
    total = tf.maximum(sum_over_replicas(tf.reduce_sum(weights)), 1e-12)

    @tf.custom_gradient
    def loss(x, codebook):
        share = sum_over_replicas(_mean_softmax(x, codebook, weights, temperature)) / total
        log_share = tf.math.log(tf.maximum(share, 1e-30))

        def gradient(upstream):
            # every replica returns its share times the number of replicas, as all losses do
            scale = upstream * num_replicas() / total
            return _gradients(x, codebook, weights * scale, log_share, temperature)

        return math.log(codebook.shape[0]) + tf.reduce_sum(share * log_share), gradient

    return loss(x, codebook)


def _softmax(rows, codebook, temperature):
    scores = exact_scores(rows, codebook)  # float64: codes may be close to each other and far from all others
    scores = 2.0 * (scores - tf.reduce_max(scores, axis=1, keepdims=True)) / tf.cast(temperature, tf.float64)
    return tf.nn.softmax(tf.cast(scores, rows.dtype))


def _mean_softmax(x, codebook, weights, temperature):
    """Return `sum_n weight_n softmax_n`, `(K,)`."""

    def step(block, share):
        soft = _softmax(block.rows_of(x), codebook, temperature)
        return share + tf.linalg.matvec(soft, block.rows_of(weights) * block.fresh(), transpose_a=True)

    return row_blocks(step, tf.zeros_like(codebook[:, 0]), x, 2 * codebook.shape[0])


def _gradients(x, codebook, weights, log_share, temperature):
    """Return the gradients of `L = sum_k p_k log p_k`.

    `dL/ds_nk = weight_n p_nk (log p_k - sum_j p_nj log p_j)`
    """

    def step(block, gradients):
        to_x, to_codebook = gradients
        rows = block.rows_of(x)
        soft = _softmax(rows, codebook, temperature)
        surplus = log_share - tf.reduce_sum(soft * log_share, axis=1, keepdims=True)
        weight = block.rows_of(weights) * block.fresh() * (2.0 / temperature)
        to_scores = soft * surplus * weight[:, None]
        moved = tf.matmul(to_scores, rows, transpose_a=True)
        to_codebook += moved - tf.reduce_sum(to_scores, axis=0)[:, None] * codebook
        to_x = tf.tensor_scatter_nd_add(to_x, block.numbers()[:, None], tf.matmul(to_scores, codebook))
        return to_x, to_codebook

    return row_blocks(step, (tf.zeros_like(x), tf.zeros_like(codebook)), x, 2 * codebook.shape[0])


def mean_sign_kl_to_uniform(logits: Tensor, weights: Tensor | None = None, group_bits: int = 13) -> Tensor:
    """Return the KL of the batch's mean distribution over sign vectors from the uniform one, in nats.

    ```
    q_mean(c) = sum_n w_n q_n(c) / sum_n w_n
    KL(q_mean || uniform) = bits log 2 - H(q_mean)
    ```

    To be minimised: 0 if the batch as a whole uses all codes equally. `H(q_mean)` is that of all bits
    jointly if there are at most `group_bits`; else the bits are cut into groups of nearly equal size, and
    their entropies are added. This is an upper bound of the joint entropy, which ignores dependence
    between bits of different groups.

    The table of `2^group` means is one matrix product of two tables of vectors x `2^(group / 2)`, because
    the first half of the bits and the second are independent given the vector. Under `tf.distribute` the
    mean is that of the global batch.

    Args:
        logits: `(vectors, heads, bits)`; the result is the mean over heads.
        weights: `(vectors,)`, 1 = real; `None`: all real.
        group_bits: largest number of bits whose joint distribution is computed.

    Returns:
        scalar; 0 if nothing is real.

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
    """Return the weight of each vector of this replica in the mean of the global batch."""
    weights = ops.ones_like(row) if weights is None else ops.cast(weights, row.dtype)
    return ops.divide_no_nan(weights, sum_over_replicas(ops.sum(weights)))


def _groups(bits, group_bits):
    """Return `[(start, stop)]` of as few groups as needed, of nearly equal size."""
    count = -(-bits // group_bits)
    edges = [round(bits * index / count) for index in range(count + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def _weighted_joint(logits, shares):
    """Return `sum_n w_n q_n(c)`, `(heads, bits, vectors)` -> `(heads, 2^half, 2^(bits - half))`."""
    half = logits.shape[1] // 2
    ones = ops.ones_like(logits[:, :1])
    first = _sign_table(logits[:, :half], ones * shares)
    second = _sign_table(logits[:, half:], ones)
    return ops.matmul(first, ops.transpose(second, (0, 2, 1)))


def _sign_table(logits, table):
    """Return `table` times `q_n(c)` of a few bits, `(heads, bits, vectors)` -> `(heads, 2^bits, vectors)`."""
    for bit in range(logits.shape[1]):
        logit = logits[:, bit : bit + 1]
        # both as sigmoids: 1 - sigmoid(l) would round a small probability to 0
        table = ops.concatenate([table * ops.sigmoid(-logit), table * ops.sigmoid(logit)], axis=1)
    return table


def bit_balance_loss(probabilities: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return `mean_bits (2 mean_n p_n - 1)^2`: 0 if each bit is 1 half of the time, 1 if none varies.

    Args:
        probabilities: `(vectors, bits)`, the probability of a 1.
        weights: `(vectors,)`, 1 = real; `None`: all real.

    Returns:
        scalar; under `tf.distribute` the mean is that of the global batch. 0 if nothing is real.

    Example:

    >>> float(bit_balance_loss(ops.array([[1.0, 1.0], [1.0, 0.0]])))  # a constant bit, a fair one
    0.5

    Reference:
        Weiss et al., 2008 (spectral hashing, balance of the bits).
    """
    probabilities, shares = (
        where_counted(probabilities, weights),
        _shares(probabilities[:, 0], weights)[:, None],
    )
    mean = sum_over_replicas(ops.sum(shares * (2 * probabilities - 1), axis=0))
    return ops.mean(ops.square(mean))


def bit_decorrelation_loss(probabilities: Tensor, weights: Tensor | None = None) -> Tensor:
    """Return `mean_(i != j) (16 cov(p_i, p_j)^2)`: 0 for uncorrelated bits, 1 if fair bits are copies.

    Arguments and result as in `bit_balance_loss`; 0 also for a single bit. The cost is vectors x bits^2,
    without a table of codes.

    Example:

    >>> float(bit_decorrelation_loss(ops.array([[1.0, 1.0], [0.0, 0.0]])))  # a bit and its copy
    1.0
    """
    bits = probabilities.shape[-1]
    if bits == 1:
        return ops.zeros((), probabilities.dtype)
    signs, shares = (
        2 * where_counted(probabilities, weights) - 1,
        _shares(probabilities[:, 0], weights)[:, None],
    )
    mean = sum_over_replicas(ops.sum(shares * signs, axis=0))
    centred = signs - mean
    covariance = sum_over_replicas(ops.matmul(ops.transpose(centred), shares * centred))
    others = 1 - ops.eye(bits, dtype=covariance.dtype)
    return ops.sum(others * ops.square(covariance)) / (bits * (bits - 1))
