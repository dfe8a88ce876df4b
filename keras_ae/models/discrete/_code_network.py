"""Causal transformer over flattened codes, with label and condition as a prefix."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.layers.base import QuantizableLayer
from keras_ae.layers.causal_transformer_block import CausalTransformerBlock


@keras.saving.register_keras_serializable(package="keras_ae")
class CodeNetwork(QuantizableLayer):
    """Causal transformer that returns the logits of each code given the earlier ones.

    Computes the logits of all codes at once (`call`), or of one code after the other (`start`, `step`).
    The positions are `[label or start, condition ..., code 1, ..., code n-1]`, and the last position of the
    prefix, before code 1, predicts code 1. The positions of the prefix attend to each other; all others
    attend to themselves and to earlier positions. Each position also receives the embedding of the
    condition's code at the place of the code that it predicts, scaled from grid to grid.

    Args:
        as in `keras_ae.models.CodePrior`.
    """

    def __init__(
        self,
        num_values,
        code_shape,
        *,
        dim,
        depth,
        num_attention_heads,
        dropout=0.0,
        num_labels=None,
        condition_values=None,
        condition_shape=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.settings = {
            "num_values": num_values,
            "code_shape": tuple(code_shape),
            "dim": dim,
            "depth": depth,
            "num_attention_heads": num_attention_heads,
            "dropout": dropout,
            "num_labels": num_labels,
            "condition_values": condition_values,
            "condition_shape": condition_shape and tuple(condition_shape),
        }
        self.num_codes = math.prod(code_shape)
        self.prefix = 1 + (math.prod(condition_shape) if condition_shape else 0)
        policy = {"dtype": self.dtype_policy}
        self.first = keras.layers.Embedding(num_labels or 1, dim, name="label_or_start", **policy)
        self.codes = keras.layers.Embedding(num_values, dim, name="code", **policy)
        length = self.prefix + self.num_codes - 1
        self.positions = keras.layers.Embedding(length, dim, name="position", **policy)
        self.embeddings = [self.first, self.codes, self.positions]
        if condition_shape:
            self.places = aligned_places(code_shape, condition_shape)
            self.condition = keras.layers.Embedding(condition_values, dim, name="condition", **policy)
            self.aligned = keras.layers.Embedding(condition_values, dim, name="aligned_condition", **policy)
            self.embeddings += [self.condition, self.aligned]
        self.blocks = [
            CausalTransformerBlock(
                dim, num_heads=num_attention_heads, dropout=dropout, name=f"block_{i}", **policy
            )
            for i in range(depth)
        ]
        self.norm = keras.layers.LayerNormalization(name="norm", **policy)
        self.head = keras.layers.Dense(num_values, name="head", **policy)

    def build(self, input_shape=None):
        for layer in self.embeddings:
            layer.build((None, None))
        for layer in (*self.blocks, self.norm, self.head):
            layer.build((None, None, self.settings["dim"]))
        self.built = True

    def call(self, codes, labels=None, condition=None, training=None):
        """Return the logits `(batch, codes, num_values)` float32 for flat `codes` `(batch, codes)`."""
        front = self._front(codes[:, :1], labels, condition)
        # Embed all codes, then drop the last: replicas cannot reduce the gradient of an empty lookup.
        x = ops.concatenate([front, self.codes(codes)[:, :-1]], axis=1)
        x = x + self.positions(ops.arange(x.shape[1], dtype="int32"))
        x = self._add_aligned(x, self.align(condition))
        for block in self.blocks:
            x, _ = block(x, self._visible(x.shape[1]), training=training)
        return self._read_out(x[:, self.prefix - 1 :])

    def align(self, condition):
        """Return the condition's embedding at the place of each code, `(batch, codes, dim)`, or `None`."""
        if condition is None:
            return None
        return self.aligned(ops.take(condition, self.places, axis=1))

    def start(self, like, labels, condition):
        """Return the logits `(batch, num_values)` of the first code, and the caches of all blocks.

        `like` is any tensor `(batch, n)`, which sets the batch size.
        """
        x = self._front(ops.zeros_like(like[:, :1], dtype="int32"), labels, condition)
        x = self._add_aligned(
            x + self.positions(ops.arange(self.prefix, dtype="int32")), self.align(condition)
        )
        room, caches = ((0, 0), (0, 0), (0, self.num_codes - 1), (0, 0)), []
        for block in self.blocks:
            x, cache = block(x, self._visible(self.prefix))
            caches.append(tuple(ops.pad(part, room) for part in cache))
        return self._read_out(x[:, -1:])[:, 0], tuple(caches)

    def step(self, code, index, caches, aligned):
        """Return the logits of code number `index`, and the caches, given `code` `(batch,)` before it."""
        position = index + self.prefix - 1
        x = self.codes(code[:, None]) + self.positions(ops.reshape(position, (1, 1)))
        if aligned is not None:
            x = x + ops.expand_dims(tf.gather(aligned, index, axis=1), 1)  # smaller graph than ops.take
        updated = []
        for block, cache in zip(self.blocks, caches, strict=True):
            x, cache = block.step(x, cache, position)
            updated.append(cache)
        return self._read_out(x)[:, 0], tuple(updated)

    def _front(self, first_codes, labels, condition):
        """Return the prefix before the codes, `(batch, prefix, dim)`."""
        first = ops.zeros_like(first_codes) if labels is None else ops.reshape(labels, (-1, 1))
        front = self.first(first)
        return front if condition is None else ops.concatenate([front, self.condition(condition)], axis=1)

    def _add_aligned(self, x, aligned):
        if aligned is None:
            return x
        before = ops.zeros_like(x[:, : self.prefix - 1])
        return x + ops.concatenate([before, aligned[:, : x.shape[1] - self.prefix + 1]], axis=1)

    def _visible(self, length):
        rows, columns = np.arange(length)[:, None], np.arange(length)
        return ops.convert_to_tensor((columns <= rows) | (columns < self.prefix))

    def _read_out(self, x):
        return ops.cast(self.head(self.norm(x)), "float32")

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.settings["num_values"])

    def get_config(self):
        return {**super().get_config(), **self.settings}


def aligned_places(code_shape, condition_shape) -> np.ndarray:
    """Return the index of the condition's code at the place of each code, both in memory order.

    Example:

    >>> aligned_places((2, 4), (1, 2)).tolist()
    [0, 0, 1, 1, 0, 0, 1, 1]
    """
    grid = np.indices(code_shape).reshape(len(code_shape), -1)
    index = np.zeros(grid.shape[1], "int64")
    for axis, size in enumerate(condition_shape):
        # On an axis that the codes do not have, such as heads of the condition, the first entry is used.
        row = grid[axis] * size // code_shape[axis] if axis < len(code_shape) else 0
        index = index * size + row
    return index
