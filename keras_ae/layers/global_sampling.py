"""Rows of the global batch, the same ones on every replica."""

import tensorflow as tf

from keras_ae.ops import num_replicas, sum_over_replicas


class GlobalRows:
    """The real rows of a batch that is spread over replicas, as one numbered list.

    Replica 0 holds the first numbers, then replica 1 and so on, so that a number
    names the same vector as on one device with the whole batch.

    Args:
        x: this replica's vectors, `(vectors, heads, dim)`.
        weights: `(vectors,)`; a row is real where its weight is positive. `None`: all.
    """

    def __init__(self, x, weights):
        self.x = x
        self.real = None if weights is None else tf.cumsum(tf.cast(weights > 0, tf.int32))
        self.local = tf.shape(x)[0] if weights is None else self._last(self.real)
        self.first, self.total = self._place()
        # the sum of all weights
        self.weight = tf.cast(self.total, tf.float32)
        if weights is not None:
            self.weight = sum_over_replicas(tf.reduce_sum(weights))

    def gather(self, numbers):
        """Rows `(len(numbers), heads, dim)`, all-reduced; zeros past the end of the list."""
        local = tf.cast(numbers, tf.int32) - self.first
        owned = (local >= 0) & (local < self.local)
        row = local if self.real is None else tf.searchsorted(self.real, local + 1)
        row = tf.clip_by_value(row, 0, tf.maximum(tf.shape(self.x)[0] - 1, 0))
        rows = tf.where(owned[:, None, None], tf.gather(self.x, row), 0.0)
        return sum_over_replicas(rows)

    def spread(self, count, uniform):
        """Numbers of `count` distinct rows, evenly spread; and how many of them are real."""
        steps = tf.range(count)
        stride = tf.cast(self.total, tf.float64) / count
        spread = tf.cast((tf.cast(steps, tf.float64) + tf.cast(uniform, tf.float64)) * stride, tf.int32)
        return tf.where(self.total >= count, spread, steps), tf.minimum(self.total, count)

    def draw(self, uniforms):
        """Numbers drawn with replacement by `uniforms` in [0, 1)."""
        numbers = tf.cast(tf.cast(uniforms, tf.float64) * tf.cast(self.total, tf.float64), tf.int32)
        return tf.minimum(numbers, tf.maximum(self.total - 1, 0))

    def _place(self):
        if num_replicas() == 1:
            return 0, self.local
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        counts = sum_over_replicas(self.local * tf.one_hot(replica, num_replicas(), dtype=tf.int32))
        return tf.cumsum(counts, exclusive=True)[replica], tf.reduce_sum(counts)

    @staticmethod
    def _last(cumulative):
        return tf.reduce_max(tf.concat([cumulative, [0]], axis=0))
