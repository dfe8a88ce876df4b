"""Callback that draws samples of a generative model."""

import inspect
import os

import numpy as np
from keras import Model, ops

from keras_ae.ops.core import exporting
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.report.plots import image_grid


class SampleGrid(FigureCallback):
    """Callback that draws `samples.png`: images from `model.sample(num, seed=seed)`.

    The seed is the same each time, so that the pictures of two epochs are comparable. The last picture
    is drawn after the training, with the final weights of the model.

    Args:
        directory: folder of the picture.
        rows, columns: numbers of rows and columns of the grid.
        seed: seed of the samples.
        labels: class numbers, one row of the grid for each, instead of `rows`; for a
            model whose `sample` has an argument `labels`.
        every: number of epochs between two drawings.
        log_dir: TensorBoard folder; `None`: no summaries.

    Example:

    >>> import tempfile
    >>> SampleGrid(tempfile.mkdtemp(), rows=2, columns=5).columns
    5
    """

    def __init__(
        self,
        directory: str | os.PathLike,
        *,
        rows: int = 4,
        columns: int = 10,
        seed: int = 0,
        labels: list[int] | tuple[int, ...] | range | None = None,
        every: int = 1,
        log_dir: str | os.PathLike | None = None,
    ):
        super().__init__(directory, every=every, log_dir=log_dir)
        self.labels = None if labels is None else list(labels)
        self.rows = rows if self.labels is None else len(self.labels)
        self.columns = columns
        self.seed = seed
        self._title: str | None = None

    def check(self, model: Model) -> None:
        if not getattr(model, "generative", True):
            raise ValueError(
                "The model of SampleGrid must have a prior, from which `sample` draws. "
                f"Received: {type(model).__name__} without one."
            )
        parameters = inspect.signature(model.sample).parameters if hasattr(model, "sample") else {}
        takes_any = any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values())
        if "seed" not in parameters and not takes_any:
            raise ValueError(
                "The model of SampleGrid must have `sample(num, seed=None)`. "
                f"Received: {type(model).__name__} with {_written(parameters)}"
            )

    def on_train_end(self, logs: dict | None = None) -> None:
        if self.epoch >= 0:  # an earlier callback may have restored the best weights
            self._title, self._drawn = "draws", False
        super().on_train_end(logs)

    def draw(self, epoch: int) -> dict[str, bytes]:
        given = {} if self.labels is None else {"labels": np.repeat(self.labels, self.columns)}
        with exporting():  # counts no codes
            images = self.model.sample(self.rows * self.columns, seed=self.seed, **given)
        images = ops.convert_to_numpy(ops.cast(images, "float32"))
        grid = images.reshape((self.rows, self.columns, *images.shape[1:]))
        names = [] if self.labels is None else [str(label) for label in self.labels]
        title = self._title or f"epoch {epoch + 1}: draws"
        return {"samples": image_grid(grid, row_labels=names, title=title)}


def _written(parameters):
    return f"sample({', '.join(parameters)})" if parameters else "no `sample`"
