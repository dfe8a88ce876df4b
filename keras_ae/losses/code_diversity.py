"""How evenly a batch spreads over the codes, as a loss."""

import math

import tensorflow as tf

from keras_ae.ops.core import num_replicas, sum_over_replicas, where_counted
from keras_ae.ops.search import exact_scores, row_blocks


def code_diversity_loss(x, codes, weights=None, temperature=1.0):
    """`log K - H(p)` in nats, where `p` is the mean over the batch of the softmax over the codes.

    ```
    p_k = mean_n softmax_k(-|x_n - e_k|^2 / temperature),   H(p) = -sum_k p_k log p_k
    ```

    0 where the batch falls on all codes alike. The softmax is made in blocks of rows, in the
    gradient once more: memory does not grow with vectors x codes.

    Args:
        x: `(vectors, dim)`.
        codes: `(K, dim)`.
        weights: `(vectors,)`, 1 = real; `None`: all.
        temperature: of the softmax, in the units of `x` squared.

    Returns:
        scalar, of the global batch under replicas.
    """
    x = where_counted(x, weights)
    weights = tf.ones_like(x[:, 0]) if weights is None else tf.cast(weights, x.dtype)
    total = tf.maximum(sum_over_replicas(tf.reduce_sum(weights)), 1e-12)

    @tf.custom_gradient
    def loss(x, codes):
        share = sum_over_replicas(_mean_softmax(x, codes, weights, temperature)) / total
        log_share = tf.math.log(tf.maximum(share, 1e-30))

        def gradient(upstream):
            # every replica gives its part times their number, as all losses do
            scale = upstream * num_replicas() / total
            return _gradients(x, codes, weights * scale, log_share, temperature)

        return math.log(codes.shape[0]) + tf.reduce_sum(share * log_share), gradient

    return loss(x, codes)


def _softmax(rows, codes, temperature):
    scores = exact_scores(rows, codes)  # float64: codes may be close to each other and far from all others
    scores = 2.0 * (scores - tf.reduce_max(scores, axis=1, keepdims=True)) / tf.cast(temperature, tf.float64)
    return tf.nn.softmax(tf.cast(scores, rows.dtype))


def _mean_softmax(x, codes, weights, temperature):
    """`sum_n weight_n softmax_n`, `(K,)`."""

    def step(block, share):
        soft = _softmax(block.rows_of(x), codes, temperature)
        return share + tf.linalg.matvec(soft, block.rows_of(weights) * block.fresh(), transpose_a=True)

    return row_blocks(step, tf.zeros_like(codes[:, 0]), x, 2 * codes.shape[0])


def _gradients(x, codes, weights, log_share, temperature):
    """With `L = sum_k p_k log p_k`: `dL/ds_nk = weight_n p_nk (log p_k - sum_j p_nj log p_j)`."""

    def step(block, gradients):
        to_x, to_codes = gradients
        rows = block.rows_of(x)
        soft = _softmax(rows, codes, temperature)
        surplus = log_share - tf.reduce_sum(soft * log_share, axis=1, keepdims=True)
        weight = block.rows_of(weights) * block.fresh() * (2.0 / temperature)
        to_scores = soft * surplus * weight[:, None]
        moved = tf.matmul(to_scores, rows, transpose_a=True)
        to_codes += moved - tf.reduce_sum(to_scores, axis=0)[:, None] * codes
        to_x = tf.tensor_scatter_nd_add(to_x, block.numbers()[:, None], tf.matmul(to_scores, codes))
        return to_x, to_codes

    return row_blocks(step, (tf.zeros_like(x), tf.zeros_like(codes)), x, 2 * codes.shape[0])
