"""Rows of the global batch, the same ones on every replica."""

import tensorflow as tf

from keras_ae.ops import (
    all_finite,
    finite_rows,
    has_fixed_shapes,
    is_concrete,
    is_finite,
    num_replicas,
    sum_over_replicas,
)


class GlobalRows:
    """The real rows of a batch that is spread over replicas, as one numbered list.

    Replica 0 holds the first numbers, then replica 1 and so on, so that a number
    names the same vector as on one device with the whole batch.

    Args:
        x: this replica's vectors, `(vectors, heads, dim)`.
        weights: `(vectors,)`; `None`: all 1. A row is real where its weight is positive and finite,
            and the row and its squares are finite: a corrupt vector is left out, the others count.
    """

    def __init__(self, x, weights):
        self.x = x
        self.weights = real_weights(x, weights)
        self.is_weighted = weights is not None
        self.real = tf.cumsum(tf.cast(self.weights > 0, tf.int32))
        self.local = self._last(self.real)
        self.first, self.total = self._shares(self.local)
        # the sum of all weights
        self.weight = sum_over_replicas(tf.reduce_sum(self.weights))

    def gather(self, numbers):
        """Rows `(len(numbers), heads, dim)`, all-reduced; zeros past the end of the list."""
        local = tf.cast(numbers, tf.int32) - self.first
        owned = (local >= 0) & (local < self.local)
        row = tf.searchsorted(self.real, local + 1)
        row = tf.where(owned, row, tf.shape(self.x)[0])
        rows = tf.where(owned[:, None, None], rows_at(self.x, row), 0.0)
        return sum_over_replicas(rows)

    def spread(self, count, uniform):
        """Numbers of `count` distinct rows, evenly spread; and how many of them are real."""
        steps = tf.range(count)
        stride = tf.cast(self.total, tf.float64) / count
        spread = tf.cast((tf.cast(steps, tf.float64) + tf.cast(uniform, tf.float64)) * stride, tf.int32)
        return tf.where(self.total >= count, spread, steps), tf.minimum(self.total, count)

    def draw_far(self, quantized, squared, uniforms):
        """Points where a code is missing: halfway from a code to a vector that is far from it.

        A vector is drawn with probability in proportion to its weight times `|x - q|^2`, as
        k-means++ draws. The way to it is halved, so that the new code takes its vectors
        from the one that had them; at the vector itself, in many dimensions, it would get none.

        Args:
            quantized: the code of each row, `(vectors, heads, dim)`.
            squared: `|x - q|^2`, `(vectors, heads)`.
            uniforms: `(heads, n)` in [0, 1), drawn with replacement.

        Returns:
            `(heads, n, dim)`.
        """
        weights = self.weights[:, None]
        # where all are 0, all are drawn with the same probability
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
        """`(sum over the replicas before this one, sum over all)` of `local`."""
        if num_replicas() == 1:
            return tf.zeros_like(local), local
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        every = tf.one_hot(replica, num_replicas(), dtype=local.dtype)
        every = sum_over_replicas(tf.tensordot(every, local, axes=0))
        return tf.cumsum(every, exclusive=True)[replica], tf.reduce_sum(every, axis=0)

    @staticmethod
    def _last(cumulative):
        return tf.reduce_max(tf.concat([cumulative, tf.zeros_like(cumulative[:1])], axis=0), axis=0)


def real_weights(x, weights):
    """Return `weights` `(vectors,)`, ones if `None`, with 0 for each vector of `x` that is not finite."""
    weights = tf.ones_like(x[:, 0, 0]) if weights is None else weights
    weights = tf.where(is_finite(weights) & (weights > 0), weights, 0.0)

    def selected():
        return tf.where(finite_rows(x), weights, 0.0)

    return tf.cond(all_finite(x), lambda: weights, selected) if is_concrete(x) else selected()


def rows_at(x, row):
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
