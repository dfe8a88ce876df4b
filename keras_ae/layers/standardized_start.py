"""Standardisation by the first training batch, constant from then on."""

import keras
import tensorflow as tf
from keras import ops

from keras_ae.layers.global_sampling import real_weights
from keras_ae.ops.core import assign_finite, sum_over_replicas

SMALLEST = 1e-6  # a deviation below this share of the mean is rounding


class StandardizedStart(keras.layers.Layer):
    """`(x - m) / s` of each channel, `m` and `s` mean and deviation of the first training batch.

    Until then `m = 0`, `s = 1`. A batch of fewer than two vectors is no start; a channel
    without deviation keeps `s = 1`. Vectors that are not finite are left out.

    Input shape:
        `(vectors, ...)`, with a mask or weights `(vectors,)` of the batch in `learn`.

    Reference:
        Salimans and Kingma, 2016, section 3, https://arxiv.org/abs/1602.07868.
    """

    def __init__(self, **kwargs):
        super().__init__(**{**kwargs, "autocast": False})

    def build(self, input_shape):
        channels = tuple(input_shape[1:])
        own = {"dtype": "float32", "trainable": False, "autocast": False}
        self.mean = self.add_weight(name="mean", shape=channels, initializer="zeros", **own)
        self.deviation = self.add_weight(name="deviation", shape=channels, initializer="ones", **own)
        self.started = self.add_weight(name="started", shape=(), initializer="zeros", **own)

    def call(self, x):
        return (x - ops.convert_to_tensor(self.mean)) / ops.convert_to_tensor(self.deviation)

    def learn(self, x, weights):
        """Start from the global batch, unless there was a start; all replicas start alike."""
        x = ops.stop_gradient(x)
        weights = real_weights(ops.reshape(x, (ops.shape(x)[0], 1, -1)), weights)
        weights = ops.reshape(weights, (-1, *[1] * (len(x.shape) - 1)))
        x = ops.where(weights > 0, x, 0.0)  # 0 * NaN is NaN
        total, sums = sum_over_replicas([ops.sum(weights), ops.sum(weights * x, axis=0)])
        mean = ops.divide_no_nan(sums, total)
        variance = ops.divide_no_nan(
            sum_over_replicas(ops.sum(weights * ops.square(x - mean), axis=0)), total
        )
        deviation = ops.sqrt(variance)
        deviation = ops.where(deviation > SMALLEST * ops.abs(mean), deviation, 1.0)
        # chosen without a conditional: replicas may not assign inside of one
        starts = ops.logical_and(self.started.value < 0.5, total > 1.5)
        assign_finite(
            (self.mean, tf.where(starts, mean, self.mean.value)),
            (self.deviation, tf.where(starts, deviation, self.deviation.value)),
            (self.started, tf.where(starts, 1.0, self.started.value)),
        )
