"""Networks of the benchmark of the options of the VAE: two hidden layers of 200 units on each side."""

import keras

from keras_ae.models import VariationalAutoEncoder
from parts.discrete_likelihoods_models import likelihood_map

UNITS, LATENT_DIM = 200, 20


def make_vae(options, mean, seed):
    """The untrained model of a cell; `mean` is the mean training image."""
    num_labels = options.get("num_labels")
    encoder = _network(len(mean), num_labels, [keras.layers.Rescaling(1.0, offset=-mean)], [], "encoder")
    decoder = _network(LATENT_DIM, num_labels, [], [likelihood_map(len(mean), mean)], "decoder")
    return VariationalAutoEncoder(encoder, decoder, LATENT_DIM, seed=seed, **options)


def _network(inputs, num_labels, before, after, name):
    """Two layers of tanh units; the label adds a learned vector to the first ones."""
    values = x = keras.Input((inputs,))
    for layer in before:
        x = layer(x)
    x, given = keras.layers.Dense(UNITS)(x), values
    if num_labels:
        labels = keras.Input((), dtype="int32", name="labels")
        x, given = x + keras.layers.Embedding(num_labels, UNITS)(labels), [values, labels]
    x = keras.layers.Dense(UNITS, activation="tanh")(keras.layers.Activation("tanh")(x))
    for layer in after:
        x = layer(x)
    return keras.Model(given, x, name=name)
