# %% [markdown]
"""An embedding report of an encoder that this package did not make: any function from a batch to vectors.

One page shows what can be predicted from the embeddings, what they leak, and how well they identify their
inputs, next to the controls that such results need. Here the encoder is the hidden layer of a Keras
classifier of digits; a SavedModel, an ONNX file or a call to another library takes its place in the same way.
"""

# %%
import sys

import keras
import numpy as np
from sklearn.datasets import load_digits

from keras_ae.evaluation import embedding_report

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
digits = load_digits()
images = digits.images[: 400 if TINY else None, ..., None].astype("float32") / 16
digit = digits.target[: len(images)]

# %% [markdown]
# Somebody else's model: a classifier, whose last hidden layer is the embedding.

# %%
keras.utils.set_random_seed(0)
inputs = keras.Input((8, 8, 1))
hidden = keras.layers.Dense(32, "relu")(keras.layers.Flatten()(inputs))
classifier = keras.Model(inputs, keras.layers.Dense(10, "softmax")(hidden))
classifier.compile("adam", "sparse_categorical_crossentropy")
classifier.fit(images[:200], digit[:200], epochs=2 if TINY else 100, verbose=0)
encoder = keras.Model(inputs, hidden)

# %% [markdown]
# Factors are known properties of the examples: integers are classes, floats are quantities. The embedding
# should contain the digit; the amount of ink is a nuisance, which it should not contain.

# %%
held_out = images[200:]  # not seen by the classifier
ink = held_out.mean((1, 2, 3))
factors = {"digit": digit[200:], "heavy": (ink > np.median(ink)).astype(int)}
report = embedding_report(
    lambda batch: encoder.predict(batch, verbose=0),
    held_out,
    factors,
    "report.html",
    nuisances=["heavy"],
    title="Hidden layer of a classifier",
    pairs=not TINY,  # L_D*, which takes most of the time
    verbose=False,
)
for factor, probe in report["probes"].items():
    print(f"{factor}: linear probe {probe['linear']:.3f}, guessing {probe['majority']:.3f}")
if not TINY:
    print(f"L_D*: {report['pairs']['rows'][0]['ld_star']:.3f} nats of {report['pairs']['independent']:.3f}")
print("The page: report.html")
