"""Callback that shows the progress of the training in one line."""

import time
from typing import TextIO

import keras

from keras_ae.progress import TerminalLine


class EpochProgress(keras.callbacks.Callback):
    """Callback that updates one line at each step on a terminal, and otherwise prints ten lines in total.

    Args:
        epochs: number of epochs of the whole training.
        steps: number of steps per epoch.
        stream: output stream; `None`: the current standard output.
    """

    def __init__(self, epochs: int, steps: int, stream: TextIO | None = None):
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self.stream = stream

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._line = TerminalLine(self.stream)
        self._began = time.monotonic()
        self._first: int | None = None

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch = epoch
        self._first = epoch if self._first is None else self._first

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._line.is_due():
            self._show(self._epoch + (batch + 1) / self.steps, logs, end="")

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        last = epoch + 1 == self.epochs
        if self._line.terminal:
            self._show(epoch + 1, logs, end="\n" if last else "")
        elif last or (epoch + 1) % max(1, self.epochs // 10) == 0:
            self._show(epoch + 1, logs, end="\n")

    def _show(self, done, logs, end):
        values = "  ".join(
            f"{name} {float(logs[name]):.4g}"
            for name in ("loss", "val_loss", "val_usage")
            if name in (logs or {})
        )
        bar = "=" * round(20 * done / self.epochs)
        seconds = time.monotonic() - self._began
        left = seconds * (self.epochs - done) / max(done - self._first, 1e-6)
        self._line.write(f"epoch {int(done):>4}/{self.epochs} [{bar:<20}] {values}  {left:.0f} s left", end)
