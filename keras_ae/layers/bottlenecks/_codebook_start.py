"""Start of a codebook: samples of the first batches, and k-means++ on them inside the graph."""

import math

import keras
import numpy as np
import tensorflow as tf

from keras_ae.ops.core import (
    Tensor,
    all_finite,
    finite_rows,
    has_fixed_shapes,
    is_concrete,
    is_finite,
    num_replicas,
    sum_over_replicas,
)
from keras_ae.ops.search import nearest_code

MAX_ROUNDS = 512  # with more centres, several are drawn per round: each round reads all samples once
MAX_TRIED = 4096  # total number of centres tried if there are fewer codes; time is proportional to it


def kmeans_plus_plus(samples: Tensor, uniforms: Tensor) -> Tensor:
    """Return k-means++ centres, each drawn with probability proportional to its squared distance.

    A round makes several `trials`. Each draws `draws` samples at once, with probability proportional to
    `d = min_j |x - c_j|^2` over the centres of earlier rounds; the trial with the smallest remaining `sum
    d` is kept. (Arthur and Vassilvitskii, 2007, with their greedy trials; several draws per round as in
    Bahmani et al., 2012, https://arxiv.org/abs/1203.6402.)

    Args:
        samples: `(samples, dim)` float32.
        uniforms: `(rounds, trials, draws)` in [0, 1): the only source of randomness, so that the same
            numbers give the same centres on every replica.

    Returns:
        `(rounds * draws, dim)`.
    """
    rounds, trials, draws = uniforms.shape
    # float64: some samples may be close to each other and far from all others
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
        """Return squared distances `(trials, samples)` to the nearest centre of each trial."""
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
    # the first round draws uniformly; then distances replace the ones
    first = tf.reshape(draw(tf.ones_like(norms), uniforms[0]), (trials, draws))[0]
    distances = distance_to(tf.tile(first, (trials,)))[0]
    state = (1, distances, numbers.write(0, first))
    _, _, numbers = tf.while_loop(lambda i, *_: i < rounds, step, state, parallel_iterations=1)
    return tf.gather(samples, tf.reshape(numbers.stack(), (rounds * draws,)))


def lloyd(samples: Tensor, centres: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
    """Move each centre to the mean of its nearest samples; a centre without samples stays.

    Returns:
        `(centres, counts)`: `(codes, dim)` and the number of samples of each, `(codes,)`.
    """
    num_centres, wide = centres.shape[0], tf.cast(samples, tf.float64)

    def step(iteration, centres, _):
        index = nearest_code(samples, centres)
        sums = tf.math.unsorted_segment_sum(wide, index, num_centres)
        counts = tf.math.unsorted_segment_sum(tf.ones_like(samples[:, 0]), index, num_centres)
        moved = tf.cast(sums / tf.cast(tf.maximum(counts, 1.0), tf.float64)[:, None], tf.float32)
        # the last step only counts: a second search in the graph would take more memory and time to trace
        moves = (counts > 0) & (iteration < iterations)
        return iteration + 1, tf.where(moves[:, None], moved, centres), counts

    state = (0, centres, tf.zeros((num_centres,)))
    _, centres, counts = tf.while_loop(lambda i, *_: i <= iterations, step, state, parallel_iterations=1)
    return centres, counts


def kmeans(
    samples: Tensor, num_centres: int, uniforms: Tensor, iterations: int = 10
) -> tuple[Tensor, Tensor]:
    """Return k-means centres: k-means++ followed by Lloyd's iterations.

    Args:
        samples: `(samples, dim)` float32.
        num_centres: `K`.
        uniforms: random numbers of shape `kmeans_rounds(num_centres)`.
        iterations: number of Lloyd's iterations.

    Returns:
        `(centres, counts)`: `(K, dim)` and `(K,)`.
    """
    centres = kmeans_plus_plus(samples, uniforms)[:num_centres]
    return lloyd(samples, centres, iterations)


def kmeans_rounds(num_centres: int) -> tuple[int, int, int]:
    """Return the shape `(rounds, trials, draws)` of the uniforms for `num_centres` centres."""
    rounds = min(num_centres, MAX_ROUNDS)
    trials = max(1, min(2 + int(math.log(num_centres)), MAX_TRIED // num_centres))
    return rounds, trials, -(-num_centres // rounds)


def first_codes(
    buffer: "SampleBuffer", count: Tensor, num_embeddings: int, uniforms: Tensor
) -> tuple[Tensor, Tensor]:
    """Return samples of the data while `buffer` fills, and the k-means centres once it is full.

    Args:
        buffer: a `SampleBuffer` of `(heads, dim)` vectors.
        count: number of vectors in the buffer.
        num_embeddings: `K`.
        uniforms: `(heads, *kmeans_rounds(K))`, the randomness of k-means++.

    Returns:
        `(codebook, counts)`: `(heads, K, dim)`, and the number of samples of each code, `(heads, K)`;
            zeros while the codes are samples.
    """
    heads = buffer.rows.shape[1]
    return tf.cond(
        count >= buffer.capacity,
        lambda: _kmeans_codes(buffer, num_embeddings, uniforms),
        lambda: (_sample_codes(buffer, count, num_embeddings), tf.zeros((heads, num_embeddings))),
    )


def _kmeans_codes(buffer, num_embeddings, uniforms):
    samples = buffer.rows.value[: buffer.capacity]
    heads = [kmeans(samples[:, head], num_embeddings, uniforms[head]) for head in range(samples.shape[1])]
    return tf.stack([centres for centres, _ in heads]), tf.stack([counts for _, counts in heads])


def _sample_codes(buffer, count, num_embeddings):
    codes = tf.range(num_embeddings)
    # 64 bits: the product of both counts exceeds 2^31
    spread = tf.cast(tf.cast(codes, tf.int64) * tf.cast(count, tf.int64) // num_embeddings, tf.int32)
    cycled = codes % tf.maximum(count, 1)
    rows = tf.gather(buffer.rows.value, tf.where(count >= num_embeddings, spread, cycled))
    return tf.transpose(rows, (1, 0, 2))


class SampleBuffer(keras.layers.Layer):
    """Buffer of up to `capacity` vectors `(heads, dim)`, filled at most `batch_rows` at a time.

    It is saved in full while it fills, so that a resumed training continues exactly. A full buffer is no
    longer needed: it is not saved, and is empty after loading, as is a buffer whose saved rows do not fit
    its capacity.

    Args:
        capacity: number of vectors to store.
        batch_rows: largest number of vectors taken from one batch.
    """

    def __init__(self, capacity: int, batch_rows: int, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})
        self.capacity = capacity
        self.batch_rows = batch_rows

    def build(self, input_shape: tuple[int | None, int, int]) -> None:
        heads, dim = input_shape[-2:]
        self.rows = self.add_weight(
            # the last `batch_rows` rows receive what is written once the buffer is full
            shape=(self.capacity + self.batch_rows, heads, dim),
            initializer="zeros",
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
            name="rows",
        )
        self.count = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            aggregation="only_first_replica",
            name="count",
        )

    def add(self, rows: Tensor, real: Tensor) -> Tensor:
        """Append the first `real` of `rows` `(up to batch_rows, heads, dim)`; return the new count."""
        positions = tf.range(tf.shape(rows)[0]) + self.count
        # in place: assigning the whole buffer would copy it at every step
        self.rows.value.scatter_update(tf.IndexedSlices(rows, positions))
        count = tf.minimum(self.count + real, self.capacity)
        self.count.assign(count)
        return count

    def save_own_variables(self, store: dict) -> None:
        count = int(self.count.numpy())
        store["count"] = np.int32(count)
        store["rows"] = self.rows.numpy()[: count if count < self.capacity else 0]

    def load_own_variables(self, store: dict) -> None:
        saved = np.asarray(store["rows"])
        fits = len(saved) == int(np.asarray(store["count"])) < self.capacity
        saved = saved if fits else saved[:0]
        rows = np.zeros(self.rows.shape, "float32")
        rows[: len(saved)] = saved
        self.rows.assign(rows)
        self.count.assign(len(saved))


class GlobalRows:
    """Real rows of a batch that is spread over replicas, as one numbered list.

    Replica 0 holds the first numbers, then replica 1 and so on, so that a number refers to the same vector
    as on one device with the whole batch.

    Args:
        x: this replica's vectors, `(vectors, heads, dim)`.
        weights: `(vectors,)`; `None`: all 1. A row is real if its weight is positive and finite, and the
            row and its squares are finite: a corrupt vector is left out, the others count.
    """

    def __init__(self, x: Tensor, weights: Tensor | None):
        self.x = x
        self.weights = real_weights(x, weights)
        self.is_weighted = weights is not None
        self.real = tf.cumsum(tf.cast(self.weights > 0, tf.int32))
        self.local = self._last(self.real)
        self.first, self.total = self._shares(self.local)
        # the sum of all weights
        self.weight = sum_over_replicas(tf.reduce_sum(self.weights))

    def gather(self, numbers: Tensor) -> Tensor:
        """Return rows `(len(numbers), heads, dim)`, all-reduced; zeros past the end of the list."""
        local = tf.cast(numbers, tf.int32) - self.first
        owned = (local >= 0) & (local < self.local)
        row = tf.searchsorted(self.real, local + 1)
        row = tf.where(owned, row, tf.shape(self.x)[0])
        rows = tf.where(owned[:, None, None], rows_at(self.x, row), 0.0)
        return sum_over_replicas(rows)

    def spread(self, count: int, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Return the numbers of `count` distinct, evenly spread rows, and how many of them are real."""
        steps = tf.range(count)
        stride = tf.cast(self.total, tf.float64) / count
        spread = tf.cast((tf.cast(steps, tf.float64) + tf.cast(uniform, tf.float64)) * stride, tf.int32)
        return tf.where(self.total >= count, spread, steps), tf.minimum(self.total, count)

    def draw_far(self, quantized: Tensor, squared: Tensor, uniforms: Tensor) -> Tensor:
        """Return new positions for dead codes: halfway from a code to a vector that is far from it.

        A vector is drawn with probability proportional to its weight times `|x - q|^2`, as in k-means++.
        The position is halfway, so that the new code takes vectors from the existing one; at the drawn
        vector itself, in many dimensions, it would get none.

        Args:
            quantized: vector of the code of each row, `(vectors, heads, dim)`.
            squared: `|x - q|^2`, `(vectors, heads)`.
            uniforms: `(heads, n)` in [0, 1), drawn with replacement.

        Returns:
            `(heads, n, dim)`.
        """
        weights = self.weights[:, None]
        # if all distances are 0, all vectors have the same probability
        squared = tf.where((weights > 0) & is_finite(squared), weights * (squared + 1e-30), 0.0)
        cumulative = tf.cumsum(squared, axis=0)
        first, total = self._shares(self._last(cumulative))
        target = tf.minimum(uniforms, 1.0 - 1e-6) * total[:, None] - first[:, None]
        places = []
        for head in range(self.x.shape[1]):
            row = tf.searchsorted(cumulative[:, head], target[head], side="right")
            owned = (target[head] >= 0.0) & (row < tf.shape(self.x)[0])
            row = tf.where(owned, row, tf.shape(self.x)[0])
            halfway = 0.5 * (rows_at(self.x, row) + rows_at(quantized, row))[:, head]
            places.append(tf.where(owned[:, None], halfway, 0.0))
        return sum_over_replicas(tf.stack(places))

    def _shares(self, local):
        """Return `(sum over the replicas before this one, sum over all)` of `local`."""
        if num_replicas() == 1:
            return tf.zeros_like(local), local
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        every = tf.one_hot(replica, num_replicas(), dtype=local.dtype)
        every = sum_over_replicas(tf.tensordot(every, local, axes=0))
        return tf.cumsum(every, exclusive=True)[replica], tf.reduce_sum(every, axis=0)

    @staticmethod
    def _last(cumulative):
        return tf.reduce_max(tf.concat([cumulative, tf.zeros_like(cumulative[:1])], axis=0), axis=0)


def real_weights(x: Tensor, weights: Tensor | None) -> Tensor:
    """Return `weights` `(vectors,)`, ones if `None`, with 0 for each vector of `x` that is not finite."""
    weights = tf.ones_like(x[:, 0, 0]) if weights is None else weights
    weights = tf.where(is_finite(weights) & (weights > 0), weights, 0.0)

    def selected():
        return tf.where(finite_rows(x), weights, 0.0)

    return tf.cond(all_finite(x), lambda: weights, selected) if is_concrete(x) else selected()


def rows_at(x: Tensor, row: Tensor) -> Tensor:
    """Return the rows of `x` with the numbers `row`; zeros for `len(x)`, also where `x` has no row."""
    if has_fixed_shapes():
        return tf.gather(tf.pad(x, [[0, 1]] + [[0, 0]] * (len(x.shape) - 1)), row)
    last = tf.shape(x)[0] - 1
    there = tf.reshape(row <= last, (-1, *[1] * (len(x.shape) - 1)))
    # a replica with an empty share has no row to read; all of `x` would be copied to append one
    empty = tf.zeros((tf.shape(row)[0], *x.shape[1:]), x.dtype)

    def gathered():
        return tf.where(there, tf.gather(x, tf.minimum(row, last)), empty)

    return tf.cond(last < 0, lambda: empty, gathered)
