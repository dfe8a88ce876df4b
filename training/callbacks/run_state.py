"""Checkpoints from which a training goes on exactly where it was."""

import csv
import io
import time
from pathlib import Path

import keras

from keras_ae.files import write_atomically
from keras_ae.training.run_directory.checkpoint import Checkpoint, plain_state, save_checkpoint


class RunState(keras.callbacks.Callback):
    """Writes a checkpoint every so many seconds and at the end of each epoch; restores one.

    A checkpoint holds the position in the data, all variables of the training, the
    epoch's running metrics, the state of `others` and the history, which is also kept
    as `history.csv` beside it. Put it last in the list of callbacks, so that it sees
    them after they have done their part.

    Args:
        path: file of the checkpoint, replaced as a whole each time.
        stream: an `EpochStream`; its epoch and first step are set here.
        others: callbacks whose plain attributes are saved and restored.
        restored: a `Checkpoint` to go on from.
        seconds: least time between two checkpoints inside of an epoch.
    """

    def __init__(self, path, stream, others=(), restored: Checkpoint | None = None, seconds=20.0):
        super().__init__()
        self.path = path
        self.stream = stream
        self.others = list(others)
        self.restored = restored
        self.seconds = seconds
        self.rows = []
        self.start = 0
        self.epoch = 0
        self.saved_at = time.monotonic()

    def on_train_begin(self, logs=None):
        # what a callback was given stays its own; only what changes in training is saved
        self.given = [plain_state(callback) for callback in self.others]
        if self.restored is not None:
            self.rows = self.restored.state["history"]
            self.restored.restore_callbacks(self.others)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.start = epoch, 0
        if self.restored is not None:
            # Keras has just reset the metrics: the epoch's running means come back here
            self.restored.restore_model(self.model)
            self.start = self.restored.state["step"]
            if not self.start:  # what the metrics held was the validation of the epoch before
                self.model.reset_metrics()
            self.restored = None
        self.stream.epoch, self.stream.start_step = epoch, self.start

    def on_train_batch_end(self, batch, logs=None):
        step = self.start + batch + 1
        if time.monotonic() - self.saved_at >= self.seconds:
            self.save(self.epoch, step)
        if self.start and step >= self.stream.steps_per_epoch:
            # Keras ends the epoch. Were it to find the data exhausted by itself, what does not
            # depend on the data (counters, seeds) would have moved one step too far
            raise StopIteration

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append({"epoch": epoch + 1, **{name: float(value) for name, value in (logs or {}).items()}})
        write_atomically(Path(self.path).with_name("history.csv"), as_csv(self.rows))
        self.save(epoch + 1, 0)

    def save(self, epoch, step):
        """Write the checkpoint of the training that goes on at `step` of `epoch`."""
        state = {"epoch": epoch, "step": step, "history": self.rows}
        save_checkpoint(self.path, self.model, state, zip(self.others, self.given, strict=True))
        self.saved_at = time.monotonic()


def as_csv(rows) -> str:
    """Rows of one dictionary each, as CSV with a header."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
