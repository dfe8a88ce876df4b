"""Vectors kept from the first batches until a codebook can start from them."""

import keras
import numpy as np
import tensorflow as tf


class SampleBuffer(keras.layers.Layer):
    """Holds up to `capacity` vectors `(heads, dim)`, filled `batch_rows` at a time.

    Saved in full while it fills, so that a resumed training continues exactly. A full buffer is no longer
    needed: it is not saved, and is empty after loading, as is one whose saved rows do not fit its
    capacity.

    Args:
        capacity: vectors to hold.
        batch_rows: most vectors taken from one batch.
    """

    def __init__(self, capacity, batch_rows, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})
        self.capacity = capacity
        self.batch_rows = batch_rows

    def build(self, input_shape):
        heads, dim = input_shape[-2:]
        self.rows = self.add_weight(
            # the last `batch_rows` rows take what is written once the buffer is full
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

    def add(self, rows, real):
        """Append the first `real` of `rows` `(up to batch_rows, heads, dim)`; returns the new count."""
        positions = tf.range(tf.shape(rows)[0]) + self.count
        # in place: an assign of the whole buffer would copy it at every step
        self.rows.value.scatter_update(tf.IndexedSlices(rows, positions))
        count = tf.minimum(self.count + real, self.capacity)
        self.count.assign(count)
        return count

    def save_own_variables(self, store):
        count = int(self.count.numpy())
        store["count"] = np.int32(count)
        store["rows"] = self.rows.numpy()[: count if count < self.capacity else 0]

    def load_own_variables(self, store):
        saved = np.asarray(store["rows"])
        fits = len(saved) == int(np.asarray(store["count"])) < self.capacity
        saved = saved if fits else saved[:0]
        rows = np.zeros(self.rows.shape, "float32")
        rows[: len(saved)] = saved
        self.rows.assign(rows)
        self.count.assign(len(saved))
