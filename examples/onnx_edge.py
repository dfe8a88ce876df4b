# %% [markdown]
"""ONNX on a small device: an encoder that takes stored pixels, codes as bytes, and no Keras or TensorFlow.

The second half of the script needs onnxruntime and NumPy alone; it is what you copy to the device.
"""

# %%
import sys
import time

import keras
import numpy as np
import onnxruntime
from sklearn.datasets import load_digits

from keras_ae import export, layers, models, networks

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
images = load_digits().images[: 100 if TINY else 1797, ..., None]
pixels = (images * 255 / 16).astype("uint8")  # as a camera stores them
images = pixels.astype("float32") / 255

# %%
keras.utils.set_random_seed(0)
encoder, decoder = networks.image_encoder((8, 8, 1), 16), networks.image_decoder((8, 8, 1), 16)
model = models.AutoEncoder(encoder, decoder, layers.BinaryBottleneck())  # 4 x 16 bits
model.preprocessing = {"modality": "images", "value_range": [0, 1]}
model.compile(keras.optimizers.Adam(2e-3))
model.fit(images, epochs=1 if TINY else 40, verbose=0)

# %% [markdown]
# Every file is compared with the model before it is written. `encode_uint8` scales the pixels in its graph.
# The weights that several files contain are stored once, in `weights.data`: copy the folder of the version,
# or export with `shared_weights=False`.

# %%
files = export.to_onnx(model, "edge", endpoints=["encode", "decode"], uint8_images=True)
for path in sorted(files["encode"].parent.iterdir()):
    print(f"{path}: {path.stat().st_size / 1024:.0f} kB")

# %% [markdown]
# On the device.

# %%
encode = onnxruntime.InferenceSession(files["encode_uint8"])  # edge/1/encode_uint8.onnx
decode = onnxruntime.InferenceSession(files["decode"])
start = time.perf_counter()
(codes,) = encode.run(["codes"], {"x": pixels[:100]})  # 0 and 1, (100, 2, 2, 16)
taken = time.perf_counter() - start
packed = np.packbits(codes.reshape(100, -1).astype("uint8"), axis=1)
print(f"{taken * 10:.2f} ms for an image; {pixels[0].nbytes} bytes of pixels are {packed.shape[1]} bytes")

# %% [markdown]
# At the receiver, from the bytes back to pictures.

# %%
bits = np.unpackbits(packed, axis=1).reshape(codes.shape).astype(codes.dtype)
(restored,) = decode.run(None, {"codes": bits})
print(f"mean squared error on training images: {np.mean((restored - images[:100]) ** 2):.4f}")
