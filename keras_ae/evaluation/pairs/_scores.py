"""Scores of pairs, by an MLP on input and embedding or by a decoder, and the loss of the discriminator."""

import math

import keras
import numpy as np
import tensorflow as tf  # the score of all pairs is traced

from keras_ae.errors import InputError
from keras_ae.evaluation.pairs._inputs import InputFeatures

DTYPE = "float32"  # independent of the dtype policy, because the result is a difference of small numbers


class DecoderNetwork:
    """Perceptron from embeddings to inputs, fitted by `min_Dec mean |x - Dec(z)|^2`.

    This is discrimination with `T = -|x - Dec(z)|^2` and with the matched term only, which is the
    loss of an auto-encoder's decoder, `I(x; z) >= H(x) + E log p_Dec(x | z)`. It is trained like the
    other scores, and ignores the mismatched pairs.

    Args:
        inputs: `as_inputs` of the training examples.
        embeddings: standardised embeddings `(examples, features)`.
        hidden_units: widths of the hidden layers, in reverse order.
    """

    def __init__(self, inputs, embeddings, hidden_units=(256, 128)):
        self.shape = inputs["x"].shape[1:]
        target = inputs["x"].reshape(len(inputs["x"]), -1)
        self.deviation = float(target.std()) or 1.0
        self.mean = target.mean(axis=0, dtype="float64").astype("float32")
        hidden = [keras.layers.Dense(units, "relu", dtype=DTYPE) for units in reversed(hidden_units)]
        # zeros: training starts at the mean input, the best state if embeddings have no information
        last = keras.layers.Dense(target.shape[1], kernel_initializer="zeros", dtype=DTYPE)
        self.network = keras.Sequential([keras.Input((embeddings.shape[1],)), *hidden, last])

    def __call__(self, embeddings):
        return self.mean + self.deviation * self.network(embeddings)

    def input_features(self, inputs, training=False):
        """Return flat `(x, mask)`."""
        return flat_and_mask(inputs, self.shape)

    def embedding_features(self, embeddings, training=False):
        """Return the flat reconstruction of each embedding."""
        return self(embeddings)

    def pairs(self, inputs, embeddings):
        """Return the negative mean squared error of each pair in units of the variance, `(batch,)`."""
        x, mask = inputs
        error = tf.reduce_sum(tf.square(x - embeddings) * mask, axis=1) / tf.reduce_sum(mask, axis=1)
        return -error / self.deviation**2

    @staticmethod
    def loss(matched, mismatched):
        """Return the matched term of the loss."""
        return -tf.reduce_mean(matched)

    @property
    def trainable_variables(self):
        """Variables that the optimiser updates."""
        return self.network.trainable_variables

    @property
    def variables(self):
        """All variables."""
        return self.network.variables


def frozen_decoder(decoder, restore, shape):
    """Return a function from standardised embeddings to flat reconstructions by a given decoder.

    Args:
        decoder: a Keras model or layer, or a function, from embeddings to reconstructions.
        restore: function from standardised embeddings to embeddings.
        shape: shape of an input, without the batch axis.
    """

    def decode(embeddings):
        embedding = restore(embeddings)
        layer = isinstance(decoder, keras.Layer)
        decoded = tf.cast(decoder(embedding, training=False) if layer else decoder(embedding), tf.float32)
        if math.prod(decoded.shape[1:]) != math.prod(shape):
            raise InputError(
                f"The decoder's output must have the shape of the input, {tuple(np.atleast_1d(shape))}. "
                f"Received: {tuple(decoded.shape[1:])}. Pass the decoder that belongs to this encoder."
            )
        return tf.reshape(decoded, (-1, math.prod(shape)))

    return decode


def pair_discrimination_loss(matched, mismatched):
    """Compute `L_D = mean softplus(-T(x_i, z_i)) + mean softplus(T(x_i, z_j)), j != i`, in nats.

    The loss is the sum of two binary cross-entropies, each averaged separately, whatever the numbers
    of matched and mismatched pairs. The optimal `T` is `log p(x, z) / p(x) p(z)`, with the loss
    `2 log 2 - 2 JSD(p(x, z), p(x) p(z))`.

    Args:
        matched, mismatched: logits `T` of the pairs, of any shapes.

    Example:

    >>> round(float(pair_discrimination_loss(tf.zeros(3), tf.zeros((3, 2)))), 4)
    1.3863
    """
    return tf.reduce_mean(tf.nn.softplus(-matched)) + tf.reduce_mean(tf.nn.softplus(mismatched))


class MLPScore:
    """Score `T(x, z) = w . relu(W relu(A f(x) + B z))`, where each map but `B` has a bias.

    It is a perceptron of `[f(x), z]` in which `A f(x)` and `B z` are computed once per example,
    whatever the number of its pairs. `w` is initialised to zero, so that the initial `T` is the same
    for all pairs.

    Args:
        inputs: `as_inputs` of the training examples.
        embeddings: standardised embeddings `(examples, features)`.
        network: see `InputFeatures`.
        hidden_units: widths of the hidden layers.
    """

    loss = staticmethod(pair_discrimination_loss)

    def __init__(self, inputs, embeddings, network=None, hidden_units=(256, 128)):
        first, *others = hidden_units
        dense = keras.layers.Dense
        self.width = first  # number of floats in memory per pair of `matrix`
        self.features = InputFeatures(inputs, network)
        self.of_input = dense(first, dtype=DTYPE)
        self.of_embedding = dense(first, use_bias=False, dtype=DTYPE)
        self.hidden = [dense(units, activation="relu", dtype=DTYPE) for units in others]
        self.last = dense(1, kernel_initializer="zeros", dtype=DTYPE)
        start = {name: tf.constant(values[:2]) for name, values in inputs.items()}
        self.pairs(self.input_features(start), self.embedding_features(tf.constant(embeddings[:2])))  # builds

    def input_features(self, inputs, training=False):
        """Return the features of each input for the score, `(batch, width)`."""
        return self.of_input(self.features(inputs, training))

    def embedding_features(self, embeddings, training=False):
        """Return the features of each embedding for the score, `(batch, width)`."""
        return self.of_embedding(embeddings)

    def pairs(self, inputs, embeddings):
        """Return `T(x_i, z_i)` of the features in corresponding rows, `(batch,)`."""
        x = tf.nn.relu(inputs + embeddings)
        for layer in self.hidden:
            x = layer(x)
        return tf.squeeze(self.last(x), axis=-1)

    def matrix(self, inputs, embeddings):
        """Return `T(x_i, z_j)` of all pairs, `(inputs, embeddings)`."""
        sums = tf.reshape(inputs[:, None] + embeddings[None], (-1, self.width))
        return tf.reshape(self.pairs(sums, 0.0), (tf.shape(inputs)[0], tf.shape(embeddings)[0]))

    @property
    def trainable_variables(self):
        """Variables that the optimiser updates."""
        layers = [self.of_input, self.of_embedding, *self.hidden, self.last]
        return [
            *self.features.trainable_variables,
            *(v for layer in layers for v in layer.trainable_variables),
        ]

    @property
    def variables(self):
        """All variables, in the same order for all scores with the same settings."""
        layers = [self.of_input, self.of_embedding, *self.hidden, self.last]
        return [*self.features.variables, *(v for layer in layers for v in layer.variables)]


SCALES = 4.0 ** np.arange(-4, 12)  # candidates for the variance, relative to the mean squared error
MOST_FOR_SCALE = 1024
BISECTIONS = 40


class DecoderScore:
    """Score `T(x, z) = -|x - Dec(z)|^2 / 2 sigma^2 + c(x)`, summed over the elements of `x`.

    ```
    c(x) = a |x - mean|^2 / 2 sigma^2 + b + v . relu(V f(x)),      a = 0 or 1
    ```

    The decoder is frozen. First, `a`, `sigma` and `b` are found by a search on a part of the training
    examples. Then `sigma`, `b` and the network are trained to minimise the loss of the pairs.

    Args:
        inputs: `as_inputs` of the training examples.
        embeddings: standardised embeddings `(examples, features)`.
        decoder: function from standardised embeddings to reconstructions `(batch, elements)`.
        network: the network `f` of `c`, see `InputFeatures`.
        hidden_units: width of the hidden layer of `c`.
    """

    loss = staticmethod(pair_discrimination_loss)
    width = 1  # number of floats in memory per pair of `matrix`

    def __init__(self, inputs, embeddings, decoder, network=None, hidden_units=256):
        self.shape = inputs["x"].shape[1:]
        self.mean = tf.Variable(_flat(inputs["x"]).mean(axis=0), trainable=False)
        self.features = InputFeatures(inputs, network)
        self.hidden = keras.layers.Dense(hidden_units, activation="relu", dtype=DTYPE)
        self.last = keras.layers.Dense(1, kernel_initializer="zeros", dtype=DTYPE)
        self.decoder = decoder
        self.log_variance, self.offset = tf.Variable(0.0), tf.Variable(0.0)
        self.own_part = tf.Variable(0.0, trainable=False)  # `a`
        few = {name: tf.constant(values[:MOST_FOR_SCALE]) for name, values in inputs.items()}
        self._search_scale(few, tf.constant(embeddings[:MOST_FOR_SCALE]))

    def input_features(self, inputs, training=False):
        """Return `(x, mask, v . relu(V f(x)))` of each input, with flat `x` and mask."""
        learnt = self.last(self.hidden(self.features(inputs, training)))
        return *flat_and_mask(inputs, self.shape), tf.squeeze(learnt, axis=-1)

    def embedding_features(self, embeddings, training=False):
        """Return the flat reconstruction of each embedding, `(batch, elements)`."""
        return self.decoder(embeddings)

    def pairs(self, inputs, embeddings):
        """Return `T(x_i, z_i)` of the features in corresponding rows, `(batch,)`."""
        x, mask, learnt = inputs
        error = tf.reduce_sum(tf.square(x - embeddings) * mask, axis=1)
        return (self._own(x, mask) - error) / self._twice_variance() + self.offset + learnt

    def matrix(self, inputs, embeddings):
        """Return `T(x_i, z_j)` of all pairs, `(inputs, embeddings)`."""
        x, mask, learnt = inputs
        own, x, embeddings = self._own(x, mask), (x - self.mean) * mask, embeddings - self.mean
        # |x - c|^2 = |x|^2 - 2 x.c + |c|^2, over real elements
        error = tf.reduce_sum(tf.square(x), axis=1)[:, None]
        error += tf.matmul(mask, tf.square(embeddings), transpose_b=True) - 2.0 * tf.matmul(
            x, embeddings, transpose_b=True
        )
        return (own[:, None] - error) / self._twice_variance() + self.offset + learnt[:, None]

    def squared_error(self, inputs, embeddings):
        """Return the mean squared error of the matched pairs over their real elements."""
        x, mask, _ = inputs
        return float(tf.reduce_sum(tf.square(x - embeddings) * mask) / tf.reduce_sum(mask))

    @property
    def trainable_variables(self):
        """Variables that the optimiser updates: `sigma` and `c`."""
        layers = [*self.hidden.trainable_variables, *self.last.trainable_variables]
        return [self.log_variance, self.offset, *self.features.trainable_variables, *layers]

    @property
    def variables(self):
        """All variables except those of the decoder."""
        layers = [*self.hidden.variables, *self.last.variables]
        own = [self.mean, self.own_part, self.log_variance, self.offset]
        return [*own, *self.features.variables, *layers]

    def _own(self, x, mask):
        return self.own_part * tf.reduce_sum(tf.square(x - self.mean) * mask, axis=1)

    def _twice_variance(self):
        return 2.0 * tf.exp(self.log_variance)

    def _search_scale(self, inputs, embeddings):
        """Set `a`, `sigma` and `b` to the values with the lowest loss on a part of the training examples."""
        x, decoded = self.input_features(inputs), self.embedding_features(embeddings)
        error = max(self.squared_error(x, decoded), 1e-12)
        found = []
        for own_part in (0.0, 1.0):
            for scale in SCALES:
                self.own_part.assign(own_part)
                self.log_variance.assign(math.log(error * scale))
                pairs = (self.pairs(x, decoded).numpy(), self.pairs(x, tf.roll(decoded, 1, axis=0)).numpy())
                offset = best_offset(*pairs)
                loss = float(self.loss(*(part + offset for part in pairs)))
                found.append((loss, own_part, math.log(error * scale), offset))
        _, *values = min(found)
        for variable, value in zip((self.own_part, self.log_variance, self.offset), values, strict=True):
            variable.assign(value)


def best_offset(matched, mismatched):
    """Return the constant that minimises the loss when it is added to all logits, by bisection.

    Example:

    >>> round(best_offset(np.array([1.0]), np.array([1.0])), 3)
    -1.0
    """
    low, high = -float(max(matched.max(), mismatched.max())), -float(min(matched.min(), mismatched.min()))
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        too_low = np.mean(_sigmoid(-matched - middle)) > np.mean(_sigmoid(mismatched + middle))
        low, high = (middle, high) if too_low else (low, middle)
    return (low + high) / 2


def _sigmoid(x):
    return np.exp(-np.logaddexp(0.0, -x))


def flat_and_mask(inputs, shape):
    """Return `x` as float32 `(batch, elements)`, and a mask that is 1 for real elements."""
    x = tf.reshape(tf.cast(inputs["x"], tf.float32), (-1, math.prod(shape)))
    if "lengths" not in inputs:
        return x, tf.ones_like(x)
    real = tf.sequence_mask(inputs["lengths"], shape[0], tf.float32)
    return x, tf.repeat(real, math.prod(shape[1:]), axis=1)


def _flat(x):
    return x.reshape(len(x), -1).astype("float32")
