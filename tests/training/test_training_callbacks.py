"""Callbacks of the user in `train`."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.training import run as run_module
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.recipes import VqVaeRecipe
from keras_ae.training.run import train


class StopAfter(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.last, self.seen = epochs, []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, "val_loss" in logs))
        self.model.stop_training = epoch + 1 == self.last


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Graphs, pictures and pages would take most of the time."""
    tf.config.run_functions_eagerly(True)
    monkeypatch.setattr(run_module, "write_report", lambda directory: None)
    monkeypatch.setattr(FigureCallback, "_write", lambda *_: None)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def settings(small_npz):
    return {"data": str(small_npz), "filters": 4, "downsampling": 1, "baselines": False, "probe": False}


def history(run):
    return (run.directory / "history.csv").read_text().splitlines()[1:]


def test_a_callback_sees_the_epochs_and_a_training_that_it_stops_is_finished(settings, tmp_path, capsys):
    callback = StopAfter(2)
    run = train(VqVaeRecipe(**settings, epochs=5), runs=tmp_path, callbacks=[callback], verbose=False)
    assert callback.seen == [(0, True), (1, True)]
    config = json.loads((run.directory / "config.json").read_text())
    assert config["finished"] and config["stopped_after"] == 2
    assert len(history(run)) == 2
    train(VqVaeRecipe(**settings, epochs=5), resume=run.directory, verbose=False)
    assert "is finished: 2 of 5 epochs are trained and measured." in capsys.readouterr().out


def test_a_stopped_training_whose_measurement_is_repeated_is_not_trained_further(
    settings, tmp_path, monkeypatch
):
    measured = []

    def fail(recipe, model, data):
        measured.append([np.array(value) for value in model.get_weights()])
        raise KeyboardInterrupt if len(measured) == 2 else RuntimeError("no more memory")

    monkeypatch.setattr(VqVaeRecipe, "measure", fail)
    recipe = VqVaeRecipe(**settings, epochs=3)
    run = train(recipe, runs=tmp_path, callbacks=[StopAfter(2)], verbose=False)
    checkpoint = (run.directory / "checkpoint.npz").read_bytes()
    with pytest.raises(KeyboardInterrupt, match="stopped after the training, which is kept. Measure its"):
        train(recipe, resume=run.directory, verbose=False)
    train(recipe, resume=run.directory, verbose=False)
    assert len(history(run)) == run.config["stopped_after"] == 2
    assert (run.directory / "checkpoint.npz").read_bytes() == checkpoint
    for again in measured[1:]:
        for ours, expected in zip(again, measured[0], strict=True):
            np.testing.assert_array_equal(ours, expected)

    train(VqVaeRecipe(**settings, epochs=4), resume=run.directory, verbose=False)
    assert len(history(run)) == 4 and "stopped_after" not in run.config


def test_the_measured_model_is_the_written_one_whatever_weights_a_callback_restores(
    settings, tmp_path, monkeypatch
):
    measured = []
    monkeypatch.setattr(
        VqVaeRecipe,
        "measure",
        lambda recipe, model, data: measured.extend(model.get_weights()) or {"test": {}},
    )
    worst = keras.callbacks.EarlyStopping("val_loss", mode="max", patience=5, restore_best_weights=True)
    run = train(VqVaeRecipe(**settings, epochs=2), runs=tmp_path, callbacks=[worst], verbose=False)
    losses = [float(row["val_loss"]) for row in csv.DictReader((run.directory / "history.csv").open())]
    assert worst.best_epoch == np.argmax(losses) != np.argmin(losses)  # others than the best
    for ours, expected in zip(measured, run.load_model().get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
