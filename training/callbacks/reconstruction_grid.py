"""Callback that draws images above their reconstructions."""

import math
import os
from typing import Any

import numpy as np
from keras import Model, ops

from keras_ae.errors import InputError
from keras_ae.ops.core import exporting
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.report.plots import image_grid


class ReconstructionGrid(FigureCallback):
    """Callback that draws `reconstructions.png`: each image above its reconstruction.

    It works with every model that has `reconstruct(x)`, or whose call returns the
    reconstruction. Drawing does not change metrics and losses.

    Args:
        images: `(images, height, width)` or `(images, height, width, channels)` in
            [0, 1], inputs of the model; `{"x": images, "labels": (images,)}` for a conditional one.
        directory: folder of the picture.
        every: number of epochs between two drawings.
        log_dir: TensorBoard folder; `None`: no summaries.
        columns: maximum number of images per row; more images continue in further pairs of rows of equal
            length.

    Raises:
        ValueError: while drawing, if the model returns another shape.

    Example:

    >>> import keras, numpy, tempfile
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3, padding="same")])
    >>> model.compile("adam", "mse")
    >>> x, folder = numpy.zeros((4, 8, 8, 1)), tempfile.mkdtemp()
    >>> history = model.fit(x, x, callbacks=[ReconstructionGrid(x, folder)], verbose=0)
    >>> import os; os.listdir(folder)
    ['reconstructions.png']
    """

    def __init__(
        self,
        images: np.ndarray | dict[str, np.ndarray],
        directory: str | os.PathLike,
        *,
        every: int = 1,
        log_dir: str | os.PathLike | None = None,
        columns: int = 10,
    ):
        super().__init__(directory, every=every, log_dir=log_dir)
        conditions = dict(images) if isinstance(images, dict) else {"x": images}
        self.images = np.asarray(conditions.pop("x"), "float32")
        self.conditions = {name: np.asarray(value) for name, value in conditions.items()}
        if not len(self.images):
            raise ValueError("images of ReconstructionGrid must contain at least one image. Received: none")
        self.columns = columns

    def draw(self, epoch: int) -> dict[str, bytes]:
        reconstructions = reconstruct(self.model, self.images, self.conditions)
        pairs = math.ceil(len(self.images) / self.columns)
        columns = math.ceil(len(self.images) / pairs)
        rows = []
        for start in range(0, len(self.images), columns):
            part = slice(start, start + columns)
            rows += [self.images[part], reconstructions[part]]
        labels = ["input", "output"] * pairs
        return {"reconstructions": image_grid(rows, row_labels=labels, title=f"epoch {epoch + 1}")}


def reconstruct(
    model: Model, images: np.ndarray, conditions: dict[str, np.ndarray] | None = None
) -> np.ndarray:
    """Return `model.reconstruct(images)`, or else `model(images)`, as float32 with the shape of `images`.

    With `conditions`, the inputs are `{"x": images, **conditions}`.
    """
    inputs: Any = ops.convert_to_tensor(images)
    if conditions:
        inputs = {"x": inputs, **{name: ops.convert_to_tensor(v) for name, v in conditions.items()}}
    with exporting():  # the bottleneck counts no codes and adds no losses
        result = model.reconstruct(inputs) if hasattr(model, "reconstruct") else model(inputs, training=False)
    shape = getattr(result, "shape", type(result).__name__)
    if shape != images.shape:
        raise InputError(
            f"The model of ReconstructionGrid must return images of shape {images.shape}. "
            f"Received: {shape}. Give the model a method `reconstruct(x)`."
        )
    return ops.convert_to_numpy(ops.cast(result, "float32"))
