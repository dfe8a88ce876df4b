"""Base class of callbacks that draw pictures."""

import os
from pathlib import Path

import keras
import tensorflow as tf  # TensorBoard summaries

from keras_ae.errors import require
from keras_ae.evaluation.attempts import attempt
from keras_ae.files import write_atomically


class FigureCallback(keras.callbacks.Callback):
    """Base class of callbacks that draw pictures as PNG files and, optionally, TensorBoard images.

    A subclass implements `draw(epoch)`, which returns `{name: PNG bytes}`. The files
    `directory/<name>.png` show the latest drawing; TensorBoard keeps all drawings.
    The last epoch is always drawn. A drawing that fails is logged, and the training continues.

    Args:
        directory: folder of the PNG files, created if it does not exist.
        every: number of epochs between two drawings.
        log_dir: TensorBoard folder; `None`: no summaries.

    Attributes:
        epoch: the last finished epoch, counted from 0; -1 before the first.
    """

    def __init__(
        self, directory: str | os.PathLike, *, every: int = 1, log_dir: str | os.PathLike | None = None
    ):
        super().__init__()
        if every < 1:
            raise ValueError(f"every must be at least 1 epoch. Received: every={every}")
        self.directory = str(directory)
        self.every = every
        self.log_dir = None if log_dir is None else str(log_dir)
        self.epoch = -1
        self._drawn = True
        self._writer = None

    def draw(self, epoch: int) -> dict[str, bytes]:
        """Return `{name: PNG bytes}` of this epoch."""
        raise NotImplementedError(f"{type(self).__name__} must define the method `draw(epoch)`.")

    def check(self, model: keras.Model) -> None:
        """Raise a `ValueError`, before the first step, if the pictures cannot be drawn for this model."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.check(self.model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch = epoch
        self._drawn = False
        if (epoch + 1) % self.every == 0:
            self._write(epoch)

    def on_train_end(self, logs: dict | None = None) -> None:
        if not self._drawn:
            self._write(self.epoch)
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, epoch):
        pictures = attempt(f"pictures of {type(self).__name__}", self.draw, epoch, default={})
        for name, png in pictures.items():
            write_atomically(Path(self.directory) / f"{name}.png", png)
            if self.log_dir is not None:
                self._summarise(name, png, epoch)
        self._drawn = True

    def _summarise(self, name, png, epoch):
        require("tensorboard", extra="training")
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(str(Path(self.log_dir) / "figures"))
        with self._writer.as_default():
            tf.summary.image(name, tf.io.decode_png(png)[None], step=epoch)
        self._writer.flush()
