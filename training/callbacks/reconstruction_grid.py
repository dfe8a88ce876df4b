"""Originals above their reconstructions."""

import math

import numpy as np
from keras import ops

from keras_ae.errors import InputError
from keras_ae.ops.core import exporting
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.report.plots import image_grid


class ReconstructionGrid(FigureCallback):
    """Draws `reconstructions.png`: each image above what the model makes of it.

    Works with every model that has `reconstruct(x)`, or whose call returns the
    reconstruction. Drawing changes nothing: metrics and losses stay as they are.

    Args:
        images: `(images, height, width)` or `(images, height, width, channels)` in
            [0, 1], as the model takes them.
        directory: folder of the picture.
        every: epochs between two drawings.
        log_dir: TensorBoard folder; `None`: no summaries.
        columns: most images a row; more go on in further pairs of rows of equal length.

    Raises:
        ValueError: while drawing, where the model returns another shape.

    Example:

    >>> import keras, numpy, tempfile
    >>> model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(1, 3, padding="same")])
    >>> model.compile("adam", "mse")
    >>> x, folder = numpy.zeros((4, 8, 8, 1)), tempfile.mkdtemp()
    >>> history = model.fit(x, x, callbacks=[ReconstructionGrid(x, folder)], verbose=0)
    >>> import os; os.listdir(folder)
    ['reconstructions.png']
    """

    def __init__(self, images, directory, *, every=1, log_dir=None, columns=10):
        super().__init__(directory, every=every, log_dir=log_dir)
        self.images = np.asarray(images, "float32")
        if not len(self.images):
            raise ValueError("ReconstructionGrid expects at least one image. Received: none")
        self.columns = columns

    def draw(self, epoch):
        reconstructions = reconstruct(self.model, self.images)
        pairs = math.ceil(len(self.images) / self.columns)
        columns = math.ceil(len(self.images) / pairs)
        rows = []
        for start in range(0, len(self.images), columns):
            part = slice(start, start + columns)
            rows += [self.images[part], reconstructions[part]]
        labels = ["input", "output"] * pairs
        return {"reconstructions": image_grid(rows, row_labels=labels, title=f"epoch {epoch + 1}")}


def reconstruct(model, images):
    """`model.reconstruct(images)`, else the call, as float32 with the shape of `images`."""
    with exporting():  # the bottleneck counts no codes and adds no losses
        if hasattr(model, "reconstruct"):
            result = model.reconstruct(ops.convert_to_tensor(images))
        else:
            result = model(ops.convert_to_tensor(images), training=False)
    shape = getattr(result, "shape", type(result).__name__)
    if shape != images.shape:
        raise InputError(
            f"ReconstructionGrid expects a model that returns images of shape {images.shape}. "
            f"Received: {shape}. Give the model a method `reconstruct(x)`."
        )
    return ops.convert_to_numpy(ops.cast(result, "float32"))
