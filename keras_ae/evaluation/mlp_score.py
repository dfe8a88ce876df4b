"""The score of a pair as a multilayer perceptron of both."""

import keras
import tensorflow as tf  # the score of all pairs is traced

from keras_ae.evaluation.input_features import InputFeatures
from keras_ae.evaluation.pair_loss import pair_discrimination_loss

DTYPE = "float32"  # whatever the dtype policy: the figure is a difference of small numbers


class MLPScore:
    """`T(x, z) = w . relu(W relu(A f(x) + B z))`, each map with its bias.

    It is the perceptron of `[f(x), z]`, but `A f(x)` and `B z` are made once per example,
    however many pairs an example is in. `w` starts at zero: the first `T` is that of pairs
    that cannot be told apart.

    Args:
        inputs: `as_inputs` of the training examples.
        codes: standardised embeddings `(examples, features)`.
        network: see `InputFeatures`.
        hidden_units: widths of the hidden layers.
    """

    loss = staticmethod(pair_discrimination_loss)

    def __init__(self, inputs, codes, network=None, hidden_units=(256, 128)):
        first, *others = hidden_units
        dense = keras.layers.Dense
        self.width = first  # floats held for one pair of `matrix`
        self.features = InputFeatures(inputs, network)
        self.of_input = dense(first, dtype=DTYPE)
        self.of_code = dense(first, use_bias=False, dtype=DTYPE)
        self.hidden = [dense(units, activation="relu", dtype=DTYPE) for units in others]
        self.last = dense(1, kernel_initializer="zeros", dtype=DTYPE)
        start = {name: tf.constant(values[:2]) for name, values in inputs.items()}
        self.pairs(self.input_features(start), self.code_features(tf.constant(codes[:2])))  # builds

    def input_features(self, inputs, training=False):
        """What the score needs of each input: `(batch, width)`."""
        return self.of_input(self.features(inputs, training))

    def code_features(self, codes, training=False):
        """What the score needs of each embedding: `(batch, width)`."""
        return self.of_code(codes)

    def pairs(self, inputs, codes):
        """`T(x_i, z_i)` of features that stand beside each other, `(batch,)`."""
        x = tf.nn.relu(inputs + codes)
        for layer in self.hidden:
            x = layer(x)
        return tf.squeeze(self.last(x), axis=-1)

    def matrix(self, inputs, codes):
        """`T(x_i, z_j)` of all pairs, `(inputs, codes)`."""
        sums = tf.reshape(inputs[:, None] + codes[None], (-1, self.width))
        return tf.reshape(self.pairs(sums, 0.0), (tf.shape(inputs)[0], tf.shape(codes)[0]))

    @property
    def trainable_variables(self):
        """What the optimiser changes."""
        layers = [self.of_input, self.of_code, *self.hidden, self.last]
        return [
            *self.features.trainable_variables,
            *(v for layer in layers for v in layer.trainable_variables),
        ]

    @property
    def variables(self):
        """All state: that of two scores of one make corresponds."""
        layers = [self.of_input, self.of_code, *self.hidden, self.last]
        return [*self.features.variables, *(v for layer in layers for v in layer.variables)]
