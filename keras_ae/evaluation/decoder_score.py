"""The score of a pair as a decoder's error: reconstruction as a special case of discrimination."""

import math

import keras
import numpy as np
import tensorflow as tf  # the score of all pairs is traced

from keras_ae.evaluation.input_features import InputFeatures
from keras_ae.evaluation.pair_loss import pair_discrimination_loss

DTYPE = "float32"  # whatever the dtype policy: the figure is a difference of small numbers
SCALES = 4.0 ** np.arange(-4, 12)  # of the variance, around the mean squared error
MOST_FOR_SCALE = 1024


class DecoderScore:
    """`T(x, z) = -|x - Dec(z)|^2 / 2 sigma^2 + c(x)`, summed over the elements of `x`.

    ```
    c(x) = |x - mean|^2 / 2 sigma^2 + v . relu(V f(x))
    ```

    The first term of `c` is that of the decoder which knows nothing, so that `T = 0` for a
    code without information. The decoder stands still; `sigma` (searched first) and `c`
    minimise the loss of the pairs.

    Args:
        inputs: `as_inputs` of the training examples.
        codes: standardised embeddings `(examples, features)`.
        decoder: function from standardised codes to reconstructions `(batch, elements)`.
        network: of `c`, see `InputFeatures`.
        hidden_units: width of the hidden layer of `c`.
    """

    loss = staticmethod(pair_discrimination_loss)
    width = 1  # floats held for one pair of `matrix`

    def __init__(self, inputs, codes, decoder, network=None, hidden_units=256):
        self.shape = inputs["x"].shape[1:]
        self.mean = tf.Variable(_flat(inputs["x"]).mean(axis=0), trainable=False)
        self.features = InputFeatures(inputs, network)
        self.hidden = keras.layers.Dense(hidden_units, activation="relu", dtype=DTYPE)
        self.last = keras.layers.Dense(1, kernel_initializer="zeros", dtype=DTYPE)
        self.decoder = decoder
        self.log_variance = tf.Variable(0.0)
        few = {name: tf.constant(values[:MOST_FOR_SCALE]) for name, values in inputs.items()}
        self._search_scale(few, tf.constant(codes[:MOST_FOR_SCALE]))

    def input_features(self, inputs, training=False):
        """`(x, mask, v . relu(V f(x)))` of each input, `x` and its mask flat."""
        offset = self.last(self.hidden(self.features(inputs, training)))
        return *flat_and_mask(inputs, self.shape), tf.squeeze(offset, axis=-1)

    def code_features(self, codes, training=False):
        """The reconstruction of each embedding, flat: `(batch, elements)`."""
        return self.decoder(codes)

    def pairs(self, inputs, codes):
        """`T(x_i, z_i)` of features that stand beside each other, `(batch,)`."""
        x, mask, offset = inputs
        gain = tf.reduce_sum((tf.square(x - self.mean) - tf.square(x - codes)) * mask, axis=1)
        return gain / (2.0 * tf.exp(self.log_variance)) + offset

    def matrix(self, inputs, codes):
        """`T(x_i, z_j)` of all pairs, `(inputs, codes)`."""
        x, mask, offset = inputs
        x, codes = (x - self.mean) * mask, codes - self.mean
        # |x|^2 - |x - c|^2 = 2 x.c - |c|^2, over real elements
        gain = 2.0 * tf.matmul(x, codes, transpose_b=True) - tf.matmul(
            mask, tf.square(codes), transpose_b=True
        )
        return gain / (2.0 * tf.exp(self.log_variance)) + offset[:, None]

    def squared_error(self, inputs, codes):
        """Mean squared error of the matched pairs over their real elements."""
        x, mask, _ = inputs
        return float(tf.reduce_sum(tf.square(x - codes) * mask) / tf.reduce_sum(mask))

    @property
    def trainable_variables(self):
        """What the optimiser changes: `sigma` and `c`."""
        layers = [*self.hidden.trainable_variables, *self.last.trainable_variables]
        return [self.log_variance, *self.features.trainable_variables, *layers]

    @property
    def variables(self):
        """All state but the decoder's."""
        layers = [*self.hidden.variables, *self.last.variables]
        return [self.mean, self.log_variance, *self.features.variables, *layers]

    def _search_scale(self, inputs, codes):
        """`sigma^2` of the lowest loss on a part of the training examples, before `c` is fitted."""
        x, decoded = self.input_features(inputs), self.code_features(codes)
        other = tf.roll(decoded, 1, axis=0)
        error = max(self.squared_error(x, decoded), 1e-12)
        losses = []
        for scale in SCALES:
            self.log_variance.assign(np.log(error * scale))
            losses.append(float(self.loss(self.pairs(x, decoded), self.pairs(x, other))))
        self.log_variance.assign(np.log(error * SCALES[int(np.argmin(losses))]))


def flat_and_mask(inputs, shape):
    """`x` as float32 `(batch, elements)`, and 1 where an element is real."""
    x = tf.reshape(tf.cast(inputs["x"], tf.float32), (-1, math.prod(shape)))
    if "lengths" not in inputs:
        return x, tf.ones_like(x)
    real = tf.sequence_mask(inputs["lengths"], shape[0], tf.float32)
    return x, tf.repeat(real, math.prod(shape[1:]), axis=1)


def _flat(x):
    return x.reshape(len(x), -1).astype("float32")
