# %% [markdown]
"""New images from a prior: a discrete auto-encoder, a transformer over its codes, and samples of both.

First the auto-encoder turns images into grids of codes, then the prior learns which grids occur.
"""

# %%
import sys

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder, CodePrior, GenerativeAutoEncoder
from keras_ae.networks import image_decoder, image_encoder

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
digits, count = load_digits(), 64 if TINY else 1797
images = digits.images[:count, ..., None].astype("float32") / 16
labels = digits.target[:count].astype("int32")
epochs = 1 if TINY else 40

# %%
keras.utils.set_random_seed(0)
networks = image_encoder((8, 8, 1), 16), image_decoder((8, 8, 1), 16)
model = AutoEncoder(*networks, VectorQuantizer(64))
model.compile(keras.optimizers.Adam(2e-3))
model.fit(images, epochs=epochs, verbose=0)

# %% [markdown]
# The prior is exact: its loss is the length of the codes in nats per code. Equally probable codes would take
# log 64 = 4.16 nats.

# %%
codes = np.asarray(model.encode(images))  # int32 (images, 2, 2)
size = {"dim": 16, "depth": 1} if TINY else {"dim": 64, "depth": 2}
prior = CodePrior(num_values=64, code_shape=codes.shape[1:], num_labels=10, **size)
prior.compile(keras.optimizers.Adam(2e-3))
options = {"validation_split": 0.2, "epochs": epochs, "verbose": 0}
history = prior.fit({"x": codes, "labels": labels}, **options).history
print(f"prior: {min(history['val_loss']):.2f} nats per code on held-out images, uniform 4.16")

# %% [markdown]
# One row for each class. Both together are a model with `sample`, which is saved and exported like any other.

# %%
generator = GenerativeAutoEncoder(model, prior)
samples = generator.sample(80, seed=0, labels=np.repeat(np.arange(10), 8))
generator.save("generator.keras")
rows = np.clip(samples, 0, 1).reshape(10, 8, 8, 8).transpose(0, 2, 1, 3).reshape(80, 64)
Image.fromarray((rows * 255).astype("uint8")).resize((512, 640), 0).save("generate.png")
print(len(samples), "samples: generate.png")
