"""Trainings of voice converters: data without some speakers, and the weights that a recipe keeps."""

from dataclasses import replace

import keras
import numpy as np

from keras_ae.training.datasets.speech.data import SpeechSplit
from keras_ae.training.recipes import RECIPES


def of_speakers(split, speakers, renumber=False):
    """The utterances of a split by these speakers; `renumber`: numbers in their order from 0."""
    rows = np.flatnonzero(np.isin(split.speaker, speakers))
    columns = {name: values[rows] for name, values in split.factors().items()}
    label = next(name for name in ("digit", "sentence", "word", "label", "speaker") if name in columns)
    if renumber:
        columns["speaker"] = np.searchsorted(np.sort(speakers), columns["speaker"])
    return SpeechSplit(split.store, split.rows[rows], split.level, columns, label)


def without(data, speakers):
    """`SpeechData` that never has these speakers; the others are numbered anew."""
    kept = [number for number in range(len(data.speakers)) if number not in speakers]
    splits = {
        name: of_speakers(getattr(data, name), kept, renumber=True)
        for name in ("train", "validation", "test")
    }
    return replace(data, **splits, speakers=tuple(data.speakers[number] for number in kept))


class KeptEpoch(keras.callbacks.Callback):
    """Gives each epoch its order, and keeps the weights that the recipe would keep, and their validation."""

    def __init__(self, stream, monitor):
        super().__init__()
        self.stream, self.monitor, self.lowest = stream, monitor, np.inf

    def on_epoch_begin(self, epoch, logs=None):
        self.stream.epoch = epoch

    def on_epoch_end(self, epoch, logs=None):
        value = -epoch if self.monitor is None else logs[self.monitor]
        if value < self.lowest:
            self.lowest, self.epoch, self.weights = value, epoch + 1, self.model.get_weights()
            self.validation = {key[4:]: one for key, one in (logs or {}).items() if key.startswith("val_")}


def train(name, settings, data, seed):
    """`(recipe, model with the weights that are kept, their epoch)`."""
    recipe = RECIPES[name](seed=seed, **settings)
    stream = recipe.training_batches(data)
    model = recipe.build(data, stream.steps_per_epoch)
    kept = KeptEpoch(stream, recipe.monitor)
    validated = {} if recipe.monitor is None else {"validation_data": recipe.validation_batches(data)}
    model.fit(stream.dataset, epochs=recipe.epochs, callbacks=[kept], shuffle=False, verbose=0, **validated)
    model.set_weights(kept.weights)
    return recipe, model, kept.epoch
