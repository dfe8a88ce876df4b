# %% [markdown]
"""TensorFlow Serving, there and back: export, the files of the server, a request, and the same codes.

The request is sent to a server if the address of one is given, `python tf_serving.py http://localhost:8501`;
otherwise the exported SavedModel answers it in this process, as the server would.
"""

# %%
import json
import sys
import urllib.request
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from keras_ae import export, layers, models, networks

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
servers = [given for given in sys.argv[1:] if given.startswith("http")]
images = load_digits().images[: 64 if TINY else 1797, ..., None].astype("float32") / 16

# %%
keras.utils.set_random_seed(0)
encoder, decoder = networks.image_encoder((8, 8, 1), 16), networks.image_decoder((8, 8, 1), 16)
model = models.AutoEncoder(encoder, decoder, layers.VectorQuantizer(64))
model.preprocessing = {"modality": "images", "value_range": [0, 1]}
model.compile("adam")
model.fit(images, epochs=1 if TINY else 20, verbose=0)

# %% [markdown]
# The export is compared with the model in a process that can import neither keras_ae nor Keras. Each version
# is a numbered folder, as the server expects it.

# %%
version = export.to_saved_model(model, "served", endpoints=["encode"], warmup=True)
files = export.serving_config("digits", version)
for name, text in files.items():
    Path(name).write_text(text)
print("written:", version, *files)


# %%
def answer(request):
    """Send a request of the REST interface, or answer it by the signature that the server would call."""
    if servers:
        address = f"{servers[0]}/v1/models/digits:predict"
        with urllib.request.urlopen(address, json.dumps(request).encode()) as response:
            return json.load(response)["outputs"]
    signature = tf.saved_model.load(str(version)).signatures[request["signature_name"]]
    inputs = {name: tf.constant(values, tf.float32) for name, values in request["inputs"].items()}
    return {name: values.numpy().tolist() for name, values in signature(**inputs).items()}


request = {"signature_name": "encode", "inputs": {"x": images[:3].tolist()}}
outputs = answer(json.loads(json.dumps(request)))
codes = np.array(outputs["codes"])
print("codes of three images:", codes.reshape(3, -1).tolist())
print("equal to those of the model:", np.array_equal(codes, model.encode(images[:3])))
