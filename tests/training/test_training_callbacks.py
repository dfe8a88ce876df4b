"""Callbacks of the user in `train`."""

import json

import keras

from keras_ae.training.recipes import VqVaeRecipe
from keras_ae.training.run import train


class StopAfter(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.last, self.seen = epochs, []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, "val_loss" in logs))
        self.model.stop_training = epoch + 1 == self.last


def test_a_callback_sees_the_epochs_and_a_training_that_it_stops_is_finished(small_npz, tmp_path, capsys):
    settings = {"data": str(small_npz), "filters": 4, "downsampling": 1, "baselines": False, "probe": False}
    callback = StopAfter(2)
    run = train(VqVaeRecipe(**settings, epochs=5), runs=tmp_path, callbacks=[callback], verbose=False)
    assert callback.seen == [(0, True), (1, True)]
    config = json.loads((run.directory / "config.json").read_text())
    assert config["finished"] and config["stopped_after"] == 2
    assert len((run.directory / "history.csv").read_text().splitlines()) == 1 + 2
    train(VqVaeRecipe(**settings, epochs=5), resume=run.directory, verbose=False)
    assert "is finished: 2 of 5 epochs are trained and measured." in capsys.readouterr().out
