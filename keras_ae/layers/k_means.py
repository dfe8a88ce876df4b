"""k-means++ inside the graph, for the start of a codebook."""

import math

import tensorflow as tf

from keras_ae.ops.search import nearest_code

MAX_ROUNDS = 512  # beyond, several centres are drawn a round: each round reads all samples once
MAX_TRIED = 4096  # centres tried in all where there are fewer codes; the time is in proportion to them


def kmeans_plus_plus(samples, uniforms):
    """Centres drawn far apart: each with probability in proportion to its squared distance.

    A round makes several `trials`. Each draws `draws` samples at once, with probability
    proportional to `d = min_j |x - c_j|^2` over the centres of earlier rounds; the trial
    that leaves the smallest `sum d` is kept. (Arthur and Vassilvitskii, 2007, with their
    greedy trials; several draws a round as in Bahmani et al., 2012,
    https://arxiv.org/abs/1203.6402.)

    Args:
        samples: `(samples, dim)` float32.
        uniforms: `(rounds, trials, draws)` in [0, 1): all randomness there is, so that the
            same numbers give the same centres on every replica.

    Returns:
        `(rounds * draws, dim)`.
    """
    rounds, trials, draws = uniforms.shape
    # float64: samples may be close to each other and far from all others
    shifted = tf.cast(samples, tf.float64)
    shifted -= tf.reduce_mean(shifted, axis=0)
    norms = tf.reduce_sum(tf.square(shifted), axis=1)

    def draw(distances, uniform):
        cumulative = tf.cumsum(distances)
        index = tf.searchsorted(
            cumulative, tf.cast(tf.reshape(uniform, (-1,)), tf.float64) * cumulative[-1], side="right"
        )
        return tf.minimum(index, tf.shape(samples)[0] - 1)

    def distance_to(drawn):
        """Squared distances `(trials, samples)` to the nearest centre of each trial."""
        centres = tf.gather(shifted, drawn)
        half = 0.5 * tf.reduce_sum(tf.square(centres), axis=1)
        nearness = tf.matmul(centres, shifted, transpose_b=True) - half[:, None]
        nearest = tf.reduce_max(tf.reshape(nearness, (trials, draws, -1)), axis=1)
        return tf.maximum(norms - 2.0 * nearest, 0.0)

    def step(index, distances, numbers):
        drawn = draw(distances, uniforms[index])
        tried = tf.minimum(distances, distance_to(drawn))
        best = tf.argmin(tf.reduce_sum(tried, axis=1), output_type=tf.int32)
        return index + 1, tried[best], numbers.write(index, tf.reshape(drawn, (trials, draws))[best])

    numbers = tf.TensorArray(tf.int32, rounds, element_shape=(draws,))
    # the first round draws uniformly; afterwards the distances replace these ones
    first = tf.reshape(draw(tf.ones_like(norms), uniforms[0]), (trials, draws))[0]
    distances = distance_to(tf.tile(first, (trials,)))[0]
    state = (1, distances, numbers.write(0, first))
    _, _, numbers = tf.while_loop(lambda i, *_: i < rounds, step, state, parallel_iterations=1)
    return tf.gather(samples, tf.reshape(numbers.stack(), (rounds * draws,)))


def lloyd(samples, centres, iterations):
    """Move each centre to the mean of the samples nearest to it; an empty one stays.

    Returns:
        `(centres, counts)`: `(codes, dim)` and how many samples each holds, `(codes,)`.
    """
    num_centres, wide = centres.shape[0], tf.cast(samples, tf.float64)

    def statistics(centres):
        index = nearest_code(samples, centres)
        sums = tf.math.unsorted_segment_sum(wide, index, num_centres)
        return sums, tf.math.unsorted_segment_sum(tf.ones_like(samples[:, 0]), index, num_centres)

    def step(iteration, centres):
        sums, counts = statistics(centres)
        moved = tf.cast(sums / tf.cast(tf.maximum(counts, 1.0), tf.float64)[:, None], tf.float32)
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
    """Shape `(rounds, trials, draws)` of the uniforms that `num_centres` centres take."""
    rounds = min(num_centres, MAX_ROUNDS)
    trials = max(1, min(2 + int(math.log(num_centres)), MAX_TRIED // num_centres))
    return rounds, trials, -(-num_centres // rounds)
