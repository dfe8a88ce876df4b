# %% [markdown]
"""A VQ-VAE on a folder of images: from files to codes and back to pictures.

The script writes a small folder of PNG files, one sub-folder for each class. Replace `folder` by yours.
"""

# %%
import sys
from pathlib import Path

import keras
import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

import keras_ae
from keras_ae.training.datasets import load_images, training_batches

TINY = "--tiny" in sys.argv  # a setting of seconds, for the tests
folder = Path("digits_folder")
digits = load_digits()
for number, (pixels, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
    if number < (60 if TINY else 1797):
        path = folder / str(digit) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((pixels * 255 / 16).astype("uint8")).save(path)

# %% [markdown]
# Files are decoded when they are read, so that a folder may be larger than memory. Images of other sizes
# are resized; broken files are an error that names all of them.

# %%
data = load_images(folder, image_size=(16, 16))
print(f"{len(data.train)} images of {data.image_shape}, {len(data.validation)} for validation")

# %%
keras.utils.set_random_seed(0)
model = keras_ae.models.AutoEncoder(
    keras_ae.networks.image_encoder(data.image_shape, 16),
    keras_ae.networks.image_decoder(data.image_shape, 16),
    keras_ae.layers.VectorQuantizer(64),
)
model.compile(keras.optimizers.Adam(1e-3))
stream = training_batches(data.train, batch_size=64, seed=0)
options = {"validation_data": data.validation.batches(64), "verbose": 0}
history = model.fit(stream.dataset, epochs=1 if TINY else 30, shuffle=False, **options).history
print(f"validation: MSE {history['val_reconstruction_loss'][-1]:.4f}, usage {history['usage'][-1]:.2f}")
model.save("folder.keras")

# %%
images = data.test.images(range(10))
codes = model.encode(images)
print("codes of an image:", codes.shape[1:], "of", model.bottleneck.num_values, "values")
rows = np.concatenate([np.hstack(images), np.hstack(np.clip(model.decode(codes), 0, 1))])
Image.fromarray((rows[..., 0] * 255).astype("uint8")).resize((640, 128), 0).save("image_folder.png")
