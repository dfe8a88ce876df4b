"""Auto-encoders of 32x32 sprites, and a training that can be killed and goes on."""

import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_ae.evaluation import Sprites

SIZE = 32
STEPS_A_CHUNK = 250  # after each the model is saved
RUNS = Path("runs")


def encoder(features, units=256):
    """Image to a vector of `features` numbers: two hidden layers."""
    hidden = [layers.Dense(units, "relu"), layers.Dense(units, "relu")]
    inputs = keras.Input((SIZE, SIZE, 1))
    return keras.Sequential([inputs, layers.Flatten(), *hidden, layers.Dense(features)], name="encoder")


def decoder(embedding_dim, units=256, activation=None):
    """Embedding to an image: two hidden layers; logits unless there is an activation."""
    hidden = [layers.Dense(units, "relu"), layers.Dense(units, "relu")]
    pixels = layers.Dense(SIZE * SIZE, activation)
    inputs = keras.Input((embedding_dim,))
    return keras.Sequential([inputs, *hidden, pixels, layers.Reshape((SIZE, SIZE, 1))], name="decoder")


class SpriteBatches(keras.utils.PyDataset):
    """Batches of training images drawn with replacement, a function of seed and number of the step.

    Args:
        indices: numbers of the sprites to draw from.
        batch: images of a batch.
        steps: numbers of the steps.
        seed: of the draws.
    """

    def __init__(self, indices, batch, steps, seed):
        super().__init__()
        self.sprites, self.indices = Sprites(SIZE), indices
        self.batch, self.steps, self.seed = batch, steps, seed

    def __len__(self):
        return len(self.steps)

    def __getitem__(self, number):
        rng = np.random.default_rng((self.seed, self.steps[number]))
        chosen = self.indices[rng.integers(len(self.indices), size=self.batch)]
        return (self.sprites.images(self.sprites.factors_of(chosen)),)


def train_model(make, indices, *, steps, batch, seed, path, learning_rate=1e-3):
    """`(model, core seconds)` of `make()` after `steps` steps of Adam, whose rate falls by a cosine.

    The model is saved to `path` on the way; a training that was killed goes on from there.
    """
    if path.is_file():
        model = keras.saving.load_model(path)
    else:
        keras.utils.set_random_seed(seed)
        model = make()
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        model.compile(keras.optimizers.Adam(schedule), jit_compile=False)
    began, start = time.process_time(), int(model.optimizer.iterations)
    for first in range(start, steps, STEPS_A_CHUNK):
        numbers = range(first, min(first + STEPS_A_CHUNK, steps))
        batches = SpriteBatches(indices, batch, numbers, seed)
        logs = model.fit(batches, verbose=0, shuffle=False).history
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"part-{path.name}")
        model.save(part)
        part.replace(path)
        shown = ", ".join(f"{name} {values[-1]:.3f}" for name, values in logs.items())
        print(f"{path.stem} {numbers[-1] + 1}/{steps}: {shown}", flush=True)
    return model, time.process_time() - began


def embeddings_of_all(represent, size=SIZE, at_once=4096):
    """`represent(images)` of every sprite, float32 `(737280, latents)`."""
    sprites = Sprites(size)
    parts = []
    for start in range(0, len(sprites), at_once):
        numbers = np.arange(start, min(start + at_once, len(sprites)))
        parts.append(np.asarray(represent(sprites.images(sprites.factors_of(numbers))), "float32"))
    return np.concatenate(parts)


def summary(values, goal="", note="", *, command, minutes):
    """A record of the repeats `values`."""
    return {
        "mean": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        "n": len(values),
        "goal": goal,
        "note": note,
        "command": command,
        "minutes": round(minutes, 1),
    }
