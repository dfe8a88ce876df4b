"""Data, models and training of the comparison of Deep InfoMax with an auto-encoder."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_ae.models import AutoEncoder, DeepInfoMax
from keras_ae.networks import deep_info_max_decoder, deep_info_max_encoder

CODE = 64  # size of the embedding
BATCH = 64
HELD_OUT = {"cifar10_jpeg": 2000, "mnist": 5000}


@dataclass(frozen=True)
class Data:
    """Images in [-1, 1], labels, and how many of the last training images are held out."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    held_out: int

    @property
    def shape(self):
        return self.x_train.shape[1:]

    @property
    def x_fit(self):
        """What the models are trained on."""
        return self.x_train[: -self.held_out]

    @property
    def x_validation(self):
        """What epochs and settings are chosen on."""
        return self.x_train[-self.held_out :]


def load(name, path):
    """The `Data` of an .npz file: MNIST's, or CIFAR-10 as JPEGs."""
    with np.load(path) as file:
        arrays = {}
        for split in ("train", "test"):
            if name == "mnist":
                images = file[f"x_{split}"][..., None]
            else:
                bounds, stored = file[f"offsets_{split}"], file[f"jpeg_{split}"]
                pairs = zip(bounds[:-1], bounds[1:], strict=True)
                images = np.stack([tf.io.decode_jpeg(stored[a:b].tobytes()).numpy() for a, b in pairs])
            arrays[f"x_{split}"] = images.astype("float32") / 127.5 - 1.0
            arrays[f"y_{split}"] = file[f"y_{split}"].reshape(-1).astype("int64")
    return Data(**arrays, held_out=HELD_OUT[name])


def build(method, shape, settings, steps, seed):
    """The compiled model: both have the same encoder, from the same initial weights."""
    keras.utils.set_random_seed(seed)
    encoder = deep_info_max_encoder(shape, CODE)
    schedule = keras.optimizers.schedules.CosineDecay(settings["rate"], steps)
    if method == "ae":
        model = AutoEncoder(encoder, deep_info_max_decoder(shape, CODE))
    else:
        options = {name: value for name, value in settings.items() if name not in ("rate", "epochs")}
        model = DeepInfoMax(encoder, local="local", seed=seed, **options)
    model.compile(keras.optimizers.Adam(schedule), jit_compile=False)
    return model


def embeddings(model, x, batch=500):
    """The codes of images, `(images, CODE)`."""
    encode = tf.function(model.encode, reduce_retracing=True)
    return np.concatenate([encode(x[i : i + batch]).numpy() for i in range(0, len(x), batch)])


def linear_probe(z, y, z_test, y_test):
    """Accuracy on the test part of logistic regression on the standardised features."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    return float(classifier.fit(z, y).score(z_test, y_test))


def train(method, data, settings, seed, directory, report=print):
    """The model with the weights of the best epoch, and its history; goes on where it stopped.

    The best epoch is the one whose code is read best by a linear probe, fitted on the images
    of the training and read on those held out of it.
    """
    directory.mkdir(parents=True, exist_ok=True)
    steps = settings["epochs"] * -(-len(data.x_fit) // BATCH)
    model = build(method, data.shape, settings, steps, seed)
    history, last = _Files(directory).restore(model)
    split = len(data.x_fit)
    for epoch in range(last, settings["epochs"]):
        begun = time.process_time()
        order = np.random.default_rng((seed, epoch)).permutation(split)
        if method != "ae":
            model.seed_generator.state.assign([seed, epoch])  # a resumed run draws what another does
        logs = model.fit(
            data.x_fit[order],
            validation_data=(data.x_validation,),
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
        ).history
        z, labels = embeddings(model, data.x_train), data.y_train
        accuracy = linear_probe(z[:split], labels[:split], z[split:], labels[split:])
        row = {"probe": accuracy, **{name: values[0] for name, values in logs.items()}}
        row["minutes"] = (time.process_time() - begun) / 60
        history.append(row)
        _Files(directory).keep(model, history)
        report(f"{directory.name} epoch {epoch + 1}: " + "  ".join(f"{k} {v:.4f}" for k, v in row.items()))
    return model, history


def best_weights(directory, name):
    """The weights of the epoch of the "best" probe or the "lowest" loss on held-out images."""
    return _Files(directory).weights(name)


class _Files:
    """What a training leaves in its directory: `last`, `best` and `lowest` weights, and `history.json`."""

    def __init__(self, directory: Path):
        self.directory = directory

    def weights(self, name):
        return self.directory / f"{name}.weights.h5"

    def restore(self, model):
        """The history so far, and the number of epochs that `model` has then seen."""
        path = self.directory / "history.json"
        if not path.exists():
            return [], 0
        model.load_weights(self.weights("last"))
        history = json.loads(path.read_text())
        return history, len(history)

    def keep(self, model, history):
        probes, losses = ([row[name] for row in history] for name in ("probe", "val_loss"))
        if probes[-1] == max(probes):
            self._save(model, "best")
        if losses[-1] == min(losses):
            self._save(model, "lowest")
        self._save(model, "last")
        part = self.directory / "history.json.part"
        part.write_text(json.dumps(history))
        os.replace(part, self.directory / "history.json")

    def _save(self, model, name):
        part = self.directory / f"part-{name}.weights.h5"
        model.save_weights(part)
        os.replace(part, self.weights(name))
