"""Decoders for the score of a pair: one that is given, or one fitted to the matched pairs alone."""

import math

import keras
import numpy as np
import tensorflow as tf  # called inside of traced training loops

from keras_ae.errors import InputError
from keras_ae.evaluation.decoder_score import flat_and_mask

DTYPE = "float32"


class DecoderNetwork:
    """A perceptron from codes to inputs, fitted by `min_Dec mean |x - Dec(z)|^2`.

    This is discrimination with `T = -|x - Dec(z)|^2` that keeps the matched term only: the loss
    of an auto-encoder's decoder, `I(x; z) >= H(x) + E log p_Dec(x | z)`. It trains as the other
    scores do, and never uses the mismatched pairs.

    Args:
        inputs: `as_inputs` of the training examples.
        codes: standardised embeddings `(examples, features)`.
        hidden_units: widths of the hidden layers, in reverse.
    """

    def __init__(self, inputs, codes, hidden_units=(256, 128)):
        self.shape = inputs["x"].shape[1:]
        target = inputs["x"].reshape(len(inputs["x"]), -1)
        self.deviation = float(target.std()) or 1.0
        self.mean = target.mean(axis=0, dtype="float64").astype("float32")
        hidden = [keras.layers.Dense(units, "relu", dtype=DTYPE) for units in reversed(hidden_units)]
        # zeros: the decoder that knows nothing comes first, and wins where nothing can be known
        last = keras.layers.Dense(target.shape[1], kernel_initializer="zeros", dtype=DTYPE)
        self.network = keras.Sequential([keras.Input((codes.shape[1],)), *hidden, last])

    def __call__(self, codes):
        return self.mean + self.deviation * self.network(codes)

    def input_features(self, inputs, training=False):
        """`(x, mask)`, flat."""
        return flat_and_mask(inputs, self.shape)

    def code_features(self, codes, training=False):
        """The reconstruction of each code, flat."""
        return self(codes)

    def pairs(self, inputs, codes):
        """Negative mean squared error of each pair in units of the variance, `(batch,)`."""
        x, mask = inputs
        error = tf.reduce_sum(tf.square(x - codes) * mask, axis=1) / tf.reduce_sum(mask, axis=1)
        return -error / self.deviation**2

    @staticmethod
    def loss(matched, mismatched):
        """The matched term alone."""
        return -tf.reduce_mean(matched)

    @property
    def trainable_variables(self):
        """What the optimiser changes."""
        return self.network.trainable_variables

    @property
    def variables(self):
        """All state."""
        return self.network.variables


def frozen_decoder(decoder, restore, shape):
    """A function from standardised codes to flat reconstructions.

    Args:
        decoder: a Keras model or layer, or a function, from embeddings to reconstructions.
        restore: function from standardised codes to embeddings.
        shape: of an input, without the batch.
    """

    def decode(codes):
        embedding = restore(codes)
        layer = isinstance(decoder, keras.Layer)
        decoded = tf.cast(decoder(embedding, training=False) if layer else decoder(embedding), tf.float32)
        if math.prod(decoded.shape[1:]) != math.prod(shape):
            raise InputError(
                f"The decoder's output must have the shape of the input, {tuple(np.atleast_1d(shape))}. "
                f"Received: {tuple(decoded.shape[1:])}. Pass the decoder that belongs to this encoder."
            )
        return tf.reshape(decoded, (-1, math.prod(shape)))

    return decode
