"""k-means++ inside the graph, for the start of a codebook."""

import tensorflow as tf

from keras_ae.ops import nearest_code

MAX_ROUNDS = 512  # beyond, several centres are drawn a round: each round reads all samples once


def kmeans_plus_plus(samples, uniforms):
    """Centres drawn far apart: each with probability in proportion to its squared distance.

    A round draws `draws` samples at once, with probability proportional to
    `min_j |x - c_j|^2` over the centres of earlier rounds (Arthur and
    Vassilvitskii, 2007; several draws a round as in Bahmani et al., 2012,
    https://arxiv.org/abs/1203.6402).

    Args:
        samples: `(samples, dim)` float32.
        uniforms: `(rounds, draws)` in [0, 1): all randomness there is, so that the same
            numbers give the same centres on every replica.

    Returns:
        `(rounds * draws, dim)`.
    """
    rounds, draws = uniforms.shape
    shifted = samples - tf.reduce_mean(samples, axis=0)  # no rounding errors far from the origin
    norms = tf.reduce_sum(tf.square(shifted), axis=1)

    def draw(distances, uniform):
        cumulative = tf.cumsum(distances)
        index = tf.searchsorted(cumulative, uniform * cumulative[-1], side="right")
        return tf.minimum(index, tf.shape(samples)[0] - 1)

    def distance_to(drawn):
        centres = tf.gather(shifted, drawn)
        products = tf.matmul(shifted, centres, transpose_b=True)
        squared = norms[:, None] - 2.0 * products + tf.reduce_sum(tf.square(centres), axis=1)
        return tf.maximum(tf.reduce_min(squared, axis=1), 0.0)

    def step(index, distances, numbers):
        drawn = draw(distances, uniforms[index])
        return index + 1, tf.minimum(distances, distance_to(drawn)), numbers.write(index, drawn)

    numbers = tf.TensorArray(tf.int32, rounds, element_shape=(draws,))
    # the first round draws uniformly; afterwards the distances replace these ones
    first = draw(tf.ones_like(norms), uniforms[0])
    state = (1, distance_to(first), numbers.write(0, first))
    _, _, numbers = tf.while_loop(lambda i, *_: i < rounds, step, state, parallel_iterations=1)
    return tf.gather(samples, tf.reshape(numbers.stack(), (rounds * draws,)))


def lloyd(samples, centres, iterations):
    """Move each centre to the mean of the samples nearest to it; an empty one stays.

    Returns:
        `(centres, counts)`: `(codes, dim)` and how many samples each holds, `(codes,)`.
    """
    num_centres = centres.shape[0]

    def statistics(centres):
        index = nearest_code(samples, centres)
        sums = tf.math.unsorted_segment_sum(samples, index, num_centres)
        return sums, tf.math.unsorted_segment_sum(tf.ones_like(samples[:, 0]), index, num_centres)

    def step(iteration, centres):
        sums, counts = statistics(centres)
        moved = sums / tf.maximum(counts, 1.0)[:, None]
        return iteration + 1, tf.where(counts[:, None] > 0, moved, centres)

    _, centres = tf.while_loop(lambda i, _: i < iterations, step, (0, centres), parallel_iterations=1)
    return centres, statistics(centres)[1]


def kmeans(samples, num_centres, uniforms, iterations=10):
    """k-means++ followed by Lloyd's iterations.

    Args:
        samples: `(samples, dim)` float32.
        num_centres: `K`.
        uniforms: of shape `kmeans_rounds(num_centres)`.
        iterations: Lloyd's iterations.

    Returns:
        `(centres, counts)`: `(K, dim)` and `(K,)`.
    """
    centres = kmeans_plus_plus(samples, uniforms)[:num_centres]
    return lloyd(samples, centres, iterations)


def kmeans_rounds(num_centres):
    """Shape `(rounds, draws)` of the uniforms that `num_centres` centres take."""
    rounds = min(num_centres, MAX_ROUNDS)
    return rounds, -(-num_centres // rounds)
