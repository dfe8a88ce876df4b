"""Data, trainings and features of the measurement of contrastive predictive coding."""

import json
import os
import time
from pathlib import Path

import numpy as np

from keras_ae.training.datasets import load_speech
from keras_ae.training.datasets.speech._stores import WaveformStore
from keras_ae.training.datasets.speech.data import SpeechSplit
from keras_ae.training.recipes import RECIPES


def recordings(path, sample_rate):
    """`(waveforms, {column: values})` of all recordings of a file."""
    data = load_speech(path, sample_rate=sample_rate)
    splits = [split for split in (data.train, data.validation, data.test) if len(split)]
    waveforms = [split.waveform(i) for split in splits for i in range(len(split))]
    names = splits[0].factors() or {}
    return waveforms, {name: np.concatenate([split.factors()[name] for split in splits]) for name in names}


def as_split(waveforms, sample_rate):
    """Waveforms as utterances, each at the same level."""
    offsets = np.concatenate([[0], np.cumsum([len(waveform) for waveform in waveforms])])
    store = WaveformStore(np.concatenate(waveforms), offsets, sample_rate, "recordings")
    return SpeechSplit(store, np.arange(len(waveforms)), "rms")


def pieces(waveforms, size):
    """`(pieces, whose, is the last)` of the recordings, without what is left over at the front."""
    found = [
        (waveform[len(waveform) - (i + 1) * size :][:size], who, i == 0)
        for who, waveform in enumerate(waveforms)
        for i in range(len(waveform) // size)
    ]
    parts, whose, last = zip(*found, strict=True)
    return list(parts), np.array(whose), np.array(last)


def with_more(split, paths, sample_rate, seconds):
    """The utterances of a split and the recordings of the files `paths`, cut into pieces of `seconds`."""
    waveforms = [split.waveform(i) for i in range(len(split))]
    for path in paths:
        waveforms += pieces(recordings(path, sample_rate)[0], round(seconds * sample_rate))[0]
    return as_split(waveforms, sample_rate)


def train(settings, data, seed, directory: Path, report=print):
    """`(recipe, model with the weights of the lowest validation loss, history)`.

    Goes on with the epoch after the last one whose weights are in `directory`. Crops, order and
    draws are functions of seed and epoch, so that a training that was stopped ends as another does.
    """
    directory.mkdir(parents=True, exist_ok=True)
    recipe = RECIPES["cpc"](**settings, seed=seed)
    stream = recipe.training_batches(data)
    model = recipe.build(data, stream.steps_per_epoch)
    validation = recipe.validation_batches(data)
    history = _restored(model, directory)
    for epoch in range(len(history), recipe.epochs):
        begun = time.process_time()
        stream.epoch = epoch
        model.seed_generator.state.assign([seed, epoch])
        logs = model.fit(stream.dataset, validation_data=validation, shuffle=False, verbose=0).history
        row = {name: values[0] for name, values in logs.items()}
        row["minutes"] = (time.process_time() - begun) / 60
        history.append(row)
        _keep(model, history, directory)
        shown = "  ".join(f"{k} {row[k]:.4f}" for k in ("loss", "val_loss", "val_accuracy", "minutes"))
        report(f"{directory.name} epoch {epoch + 1} of {recipe.epochs}: {shown}")
    model.load_weights(directory / "best.weights.h5")
    return recipe, model, history


def _restored(model, directory):
    path = directory / "history.json"
    if not path.exists():
        return []
    model.load_weights(directory / "last.weights.h5")
    return json.loads(path.read_text())


def _keep(model, history, directory):
    losses = [row["val_loss"] for row in history]
    names = ["last"] + ["best"] * (losses[-1] == min(losses))
    for name in names:
        part = directory / f"part-{name}.weights.h5"
        model.save_weights(part)
        os.replace(part, directory / f"{name}.weights.h5")
    part = directory / "history.json.part"
    part.write_text(json.dumps(history))
    os.replace(part, directory / "history.json")
