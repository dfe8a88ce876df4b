"""Callback that shows the progress of the training in one line."""

import statistics
import time
from collections.abc import Callable
from typing import Any, TextIO

import keras

from keras_ae.progress import Display, StepTimer, duration, rate_text

LINES = 10  # number of lines in total, if the output is not a terminal
SHOWN = ("loss", "val_loss", "val_usage")


class EpochProgress(keras.callbacks.Callback):
    """Callback that updates one line at each step on a terminal, and otherwise prints ten lines in total.

    The line contains epoch, step, examples per second, loss and the time left, which consists of steps,
    validations and other callbacks; the compilation of the first step and of the first validation is not
    counted. Put this callback last in the list of callbacks.

    Args:
        epochs: number of epochs of the whole training.
        steps: number of steps per epoch.
        stream: output stream; `None`: the current standard output.
        amount: number of examples of an epoch, or another amount of data; 0: no rate is shown.
        unit: what `amount` counts, such as "images" or "hours of audio".
        first_step: function that returns the number of steps of the current epoch that were made before, in
            a training that is continued.
    """

    def __init__(
        self,
        epochs: int,
        steps: int,
        stream: TextIO | None = None,
        *,
        amount: float = 0,
        unit: str = "examples",
        first_step: Callable[[], int] = lambda: 0,
    ):
        super().__init__()
        self.epochs = epochs
        self.steps = steps
        self.stream = stream
        self.amount = amount
        self.unit = unit
        self.first_step = first_step
        self._display: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._display = Display(self.stream)
        self._began = time.monotonic()
        self._training, self._validation = StepTimer(), StepTimer()
        self._validation_steps = 0
        self._rests: list[float] = []
        self._done: int | None = None
        self._last = ""
        self._display.begin()
        self._display.show("compiling the first step")

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch, self._start = epoch, self.first_step()
        if self._done is None:
            self._written = self._tenths(epoch * self.steps + self._start)
        self._training.begin()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._training.step()
        step = self._start + batch + 1
        self._done = self._epoch * self.steps + step
        self._ended = time.monotonic()
        if self._display.is_due():
            self._show(step, logs)
        elif not self._display.terminal and step < self.steps:
            self._write_tenth(step, logs)

    def on_test_begin(self, logs: dict | None = None) -> None:
        self._validation_steps = 0
        self._validation.begin()

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._validation.step()
        self._validation_steps += 1
        if self._display.is_due():
            share = (self._done or 0) / (self.epochs * self.steps)
            self._display.show(self._place(self.steps), share, f"validation step {self._validation_steps}")

    def on_test_end(self, logs: dict | None = None) -> None:
        self._ended = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._rests.append(time.monotonic() - self._ended)  # of other callbacks, such as pictures
        self._done = (epoch + 1) * self.steps
        if self._display.terminal:
            self._show(self.steps, logs)
        else:
            self._write_tenth(self.steps, logs)
        self._last = self._line(self.steps, logs)

    def on_train_end(self, logs: dict | None = None) -> None:
        if self._last and (self._display.terminal or self._written < LINES):
            self._display.write(f"{self._last}  {duration(time.monotonic() - self._began)}")
        self.close()

    def close(self) -> None:
        """Remove the line from the terminal, also after an error, for which Keras has no method."""
        if self._display is not None:
            self._display.close()

    def seconds_left(self) -> float | None:
        """Return the estimated time left in seconds; `None` before the second step."""
        step = self._training.seconds
        if step is None or self._done is None:
            return None
        epochs = self.epochs - self._done // self.steps
        # what the first validation and the first pictures take includes their compilation
        rest = statistics.fmean(self._rests[1:]) if len(self._rests) > 1 else 0.0
        validation = self._validation_steps * (self._validation.seconds or 0.0)
        return (self.epochs * self.steps - self._done) * step + epochs * (validation + rest)

    def _tenths(self, done):
        return LINES * done // (self.epochs * self.steps)

    def _write_tenth(self, step, logs):
        if self._tenths(self._done) > self._written:
            self._written = self._tenths(self._done)
            end = self._left() if self._written < LINES else duration(time.monotonic() - self._began)
            self._display.write("  ".join(part for part in (self._line(step, logs), end) if part))

    def _show(self, step, logs):
        share = self._done / (self.epochs * self.steps)
        detail = "  ".join(part for part in (*self._results(logs), self._left()) if part)
        self._display.show(self._place(step), share, detail)

    def _line(self, step, logs):
        return "  ".join([self._place(step), *self._results(logs)])

    def _place(self, step):
        width = len(str(self.epochs))
        return f"epoch {self._epoch + 1:>{width}}/{self.epochs}  step {step}/{self.steps}"

    def _results(self, logs):
        seconds = self._training.seconds
        rate = [rate_text(self.amount / self.steps / seconds, self.unit)] if self.amount and seconds else []
        return rate + [f"{name} {float(logs[name]):.4g}" for name in SHOWN if name in (logs or {})]

    def _left(self):
        seconds = self.seconds_left()
        return "" if seconds is None else f"{duration(seconds)} left"
