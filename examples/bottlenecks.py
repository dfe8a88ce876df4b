# %% [markdown]
"""A bottleneck in your own functional model: the same network with each of the discrete layers.

A bottleneck is one Keras layer with one input and one output tensor. Its losses and metrics are added to
your model, so that `compile` and `fit` need no further code. Data: the 1,797 digits of scikit-learn.
"""

# %%
import sys

import keras
from sklearn.datasets import load_digits

from keras_ae import layers
from keras_ae.networks import image_decoder, image_encoder

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
images = load_digits().images[..., None].astype("float32") / 16  # (1797, 8, 8, 1) in [0, 1]
train, test = (images[:32], images[32:64]) if TINY else (images[:1400], images[1400:])
epochs = 1 if TINY else 40

# %% [markdown]
# Each layer gets a grid of 2 x 2 vectors, of as many channels as it needs.

# %%
bottlenecks = {
    "vector quantisation": (16, layers.VectorQuantizer(64)),
    "residual quantisation": (16, layers.ResidualVectorQuantizer(16, num_levels=2)),
    "finite scalar": (4, layers.FiniteScalarQuantizer([8, 5, 5, 5])),
    "lookup-free": (8, layers.LookupFreeQuantizer(8)),
    "one-hot": (64, layers.GumbelOneHot()),
    "binary": (12, layers.BinaryBottleneck()),
}


# %%
def build(channels, bottleneck):
    """Return the whole model and the tensor before its bottleneck."""
    inputs = keras.Input((8, 8, 1))
    features = image_encoder((8, 8, 1), channels)(inputs)  # or any Keras layers of yours
    codes = bottleneck(features)
    return keras.Model(inputs, image_decoder((8, 8, 1), channels)(codes)), features


print(f"{'bottleneck':<22} {'MSE':>7} {'bytes':>6} {'usage':>6}  codes of an image")
for name, (channels, bottleneck) in bottlenecks.items():
    keras.utils.set_random_seed(0)
    model, features = build(channels, bottleneck)
    model.compile(keras.optimizers.Adam(2e-3), "mse")
    history = model.fit(train, train, epochs=epochs, batch_size=64, verbose=0).history
    error = keras.losses.MeanSquaredError()(test, model(test))
    codes = bottleneck.encode(keras.Model(model.input, features)(test))  # int32
    size = bottleneck.pack(codes)[0].size
    print(f"{name:<22} {float(error):7.4f} {size:6} {history['usage'][-1]:6.2f}  {tuple(codes.shape[1:])}")
