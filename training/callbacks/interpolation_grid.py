"""Callback that draws paths between pairs of images through the embedding space."""

import os

import numpy as np
from keras import Model, ops

from keras_ae.ops.core import exporting
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.report.plots import image_grid


class InterpolationGrid(FigureCallback):
    """Callback that draws `interpolations.png`: from one image to another, one pair in each row.

    The first and the last column are the images, the columns between are `model.interpolate(first, second,
    steps)`, from the reconstruction of the first to that of the second.

    Args:
        images: `(images, height, width[, channels])` in [0, 1], inputs of the model; at least two. The first
            half is paired with the second.
        directory: folder of the picture.
        rows: maximum number of pairs.
        steps: number of decoded points of each pair.
        every: number of epochs between two drawings.
        log_dir: TensorBoard folder; `None`: no summaries.

    Raises:
        ValueError: fewer than two images; when training begins, a model without `interpolate`.

    Example:

    >>> import tempfile
    >>> InterpolationGrid(np.zeros((6, 8, 8, 1)), tempfile.mkdtemp()).pairs.shape
    (2, 3, 8, 8, 1)
    """

    def __init__(
        self,
        images: np.ndarray,
        directory: str | os.PathLike,
        *,
        rows: int = 4,
        steps: int = 8,
        every: int = 1,
        log_dir: str | os.PathLike | None = None,
    ):
        super().__init__(directory, every=every, log_dir=log_dir)
        images, half = np.asarray(images, "float32"), len(images) // 2
        if not half:
            raise ValueError(
                f"images of InterpolationGrid must contain at least two images. Received: {len(images)}"
            )
        rows = min(rows, half)
        self.pairs = np.stack([images[:rows], images[half : half + rows]])
        self.steps = steps

    def check(self, model: Model) -> None:
        missing = [name for name in ("interpolate", "decode") if not hasattr(model, name)]
        if missing:
            raise ValueError(
                "The model of InterpolationGrid must have `interpolate(first, second, steps)` and `decode`. "
                f"Received: {type(model).__name__} without {missing[0]}"
            )

    def draw(self, epoch: int) -> dict[str, bytes]:
        with exporting():  # the bottleneck counts no codes and adds no losses
            between = self.model.interpolate(*self.pairs, self.steps)
        between = ops.convert_to_numpy(ops.cast(between, "float32"))
        rows = np.concatenate([self.pairs[0][:, None], between, self.pairs[1][:, None]], axis=1)
        shares = [f"{share:.0%}" for share in np.linspace(0, 1, self.steps)]
        title = f"epoch {epoch + 1}: from one image to another"
        labels = ["input", *shares, "input"]
        return {"interpolations": image_grid(list(rows), column_labels=labels, title=title)}
