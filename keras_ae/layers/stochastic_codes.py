"""Codes drawn at random, near ones more often."""

import tensorflow as tf

from keras_ae.ops.search import argmax, exact_scores, in_row_blocks, recentred


def sample_codes(x, codebook, temperature, seed):
    """Codes with `P(k) ~ exp(-|x - e_k|^2 / temperature)`, int32 `(vectors,)`.

    `argmax_k (2 s_k / t + g_k)` with Gumbel noise `g` and the scores `s = x.e - |e|^2 / 2`, float64, because
    their differences count even for codes far from each other. They are computed in blocks of
    rows: memory does not grow with vectors x codes.

    Args:
        x: `(vectors, dim)`.
        codebook: `(codes, dim)`.
        temperature: positive scalar.
        seed: two integers.

    Reference:
        Takida et al., 2022, https://arxiv.org/abs/2205.07547.
    """
    seed = tf.cast(seed, tf.int32)
    # scores over a temperature of 0 would be NaN; so small a one leaves the nearest code
    scale = tf.cast(2.0 / tf.maximum(temperature, 1e-6), tf.float64)

    table = recentred(codebook)

    def draw(rows, start):
        scores = exact_scores(rows, codebook, table)
        # relative to the largest, differences of scores fit float32
        scores = tf.cast(scale * (scores - tf.reduce_max(scores, axis=1, keepdims=True)), tf.float32)
        # one seed a block, none of its own state inside of the loop
        uniform = tf.random.stateless_uniform(tf.shape(scores), seed + tf.stack([0, start]), 1e-7, 1.0 - 1e-7)
        return argmax(scores - tf.math.log(-tf.math.log(uniform)))

    return in_row_blocks(draw, x, 2 * codebook.shape[0])
