"""Callback that keeps the model of the best validation epoch."""

import math
import os
import time
from pathlib import Path

import keras

from keras_ae.files import named_errors


class BestModel(keras.callbacks.Callback):
    """Callback that keeps the weights with the lowest `monitor`, in memory and in the file `path`.

    At the end of the training the model itself has these weights. Some losses do not measure the quality
    of the model, such as those of an adversarial training: `monitor=None` keeps the last epoch
    whose loss is a number.

    Args:
        path: a `.keras` file, replaced as a whole.
        monitor: entry of the epoch's logs, lower is better; `None`: the last epoch.
        seconds: minimum time between two writes of the file before the end, in seconds.
    """

    def __init__(self, path: str | os.PathLike, monitor: str | None = "val_loss", seconds: float = 30.0):
        super().__init__()
        self.path = str(path)
        self.monitor = monitor
        self.seconds = seconds
        self.best = float("inf")
        self.best_epoch = 0
        self.best_weights: list = []
        self._written_at = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = float((logs or {})[self.monitor or "loss"])
        if value < self.best or (self.monitor is None and math.isfinite(value)):
            self.best, self.best_epoch = value, epoch + 1
            self.best_weights = self.model.get_weights()
            if time.monotonic() - self._written_at > self.seconds:
                self._write()

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.best_weights:
            self.model.set_weights(self.best_weights)
            self._write()

    def _write(self):
        path = Path(self.path)
        temporary = path.with_name(f".{path.stem}.part.keras")
        try:
            with named_errors(path):
                self.model.save(temporary)
                os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self._written_at = time.monotonic()
