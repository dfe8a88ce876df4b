"""Callback that writes checkpoints from which a training continues exactly."""

import csv
import io
import time
from pathlib import Path
from typing import Any

import keras

from keras_ae.files import write_atomically
from keras_ae.training.run_directory.checkpoint import Checkpoint, plain_state, save_checkpoint


class RunState(keras.callbacks.Callback):
    """Callback that writes a checkpoint at fixed intervals and after each epoch, and restores one.

    A checkpoint contains the position in the data, all variables of the training, the
    epoch's running metrics, the state of `others` and the history, which is also kept
    as `history.csv` next to it. Put this callback last in the list of callbacks, so that it
    saves the others after they have finished.

    Args:
        path: file of the checkpoint, replaced as a whole each time.
        stream: an `EpochStream`, whose epoch and first step are set by this callback.
        others: callbacks whose plain attributes are saved and restored.
        restored: a `Checkpoint` from which the training continues; `None`: a new training.
        seconds: minimum time between two checkpoints within an epoch, in seconds.
    """

    def __init__(
        self,
        path: str | Path,
        stream: Any,
        others: list[keras.callbacks.Callback] | tuple[keras.callbacks.Callback, ...] = (),
        restored: Checkpoint | None = None,
        seconds: float = 20.0,
    ):
        super().__init__()
        self.path = path
        self.stream = stream
        self.others = list(others)
        self.restored = restored
        self.seconds = seconds
        self.rows: list[dict[str, Any]] = []
        self.start = 0
        self.epoch = 0
        self.saved_at = time.monotonic()

    def on_train_begin(self, logs: dict | None = None) -> None:
        # attributes set by the user are kept; only those that change in training are saved
        self.given = [plain_state(callback) for callback in self.others]
        if self.restored is not None:
            self.rows = self.restored.state["history"]
            self.restored.restore_callbacks(self.others)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch, self.start = epoch, 0
        if self.restored is not None:
            # Keras has just reset the metrics: the epoch's running means are restored here
            self.restored.restore_model(self.model)
            self.start = self.restored.state["step"]
            if not self.start:  # the metrics contained the validation of the previous epoch
                self.model.reset_metrics()
            self.restored = None
        self.stream.epoch, self.stream.start_step = epoch, self.start

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        step = self.start + batch + 1
        if time.monotonic() - self.saved_at >= self.seconds:
            self.save(self.epoch, step)
        if self.start and step >= self.stream.steps_per_epoch:
            # Keras ends the epoch. If Keras ran out of data instead, all state that does not
            # depend on the data (counters, seeds) would have advanced one step too far
            raise StopIteration

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.rows.append({"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}})
        write_atomically(Path(self.path).with_name("history.csv"), as_csv(self.rows))
        self.save(epoch + 1, 0)

    def save(self, epoch: int, step: int) -> None:
        """Write the checkpoint of a training that continues at `step` of `epoch`."""
        state = {"epoch": epoch, "step": step, "history": self.rows}
        save_checkpoint(self.path, self.model, state, zip(self.others, self.given, strict=True))
        self.saved_at = time.monotonic()


def as_csv(rows: list[dict[str, Any]]) -> str:
    """Format rows, one dictionary each, as CSV with a header."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
