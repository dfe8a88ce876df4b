"""Callback that draws the effect of each coordinate of an embedding on the decoded image."""

import os

import numpy as np
from keras import Model, ops

from keras_ae.errors import InputError
from keras_ae.models.exploration import coordinate_points, coordinate_values
from keras_ae.ops.core import exporting
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.report.plots import image_grid


class LatentTraversal(FigureCallback):
    """Callback that draws `latent_traversal.png`: one row per coordinate of the first image's embedding.

    Row `d`, column `s` shows `decode(z + (c_d + s u_d - z_d) e_d)`, `z = embed(image)`:
    coordinate `d` takes the values `c_d + s u_d` for `s` in `[-span, span]`, the others are unchanged.
    With a prior `N(0, I)` (a model with `latent_dim` or a Gaussian bottleneck), `c = 0` and `u = 1`;
    otherwise they are mean and standard deviation of the coordinate over `images`. The rows
    are the coordinates that vary most over `images`, in descending order; a coordinate
    that does not vary carries no information.

    It works with every model that has `embed(x)` -> `(batch, latent_dim)` and
    `decode(embedding)` -> images.

    Args:
        images: `(images, height, width[, channels])` in [0, 1], inputs of the model; at least two.
        directory: folder of the picture.
        dims: number of rows, at most the dimension of the embedding.
        steps: number of columns.
        span: largest deviation from the centre, in standard deviations.
        every: number of epochs between two drawings.
        log_dir: TensorBoard folder; `None`: no summaries.

    Raises:
        ValueError: fewer than two images; when training begins, a model without `embed`
            and `decode`. If embeddings are not vectors, this is logged and nothing is drawn.

    Example:

    >>> import tempfile
    >>> LatentTraversal(np.zeros((2, 8, 8, 1)), tempfile.mkdtemp(), dims=4).steps
    7
    """

    def __init__(
        self,
        images: np.ndarray,
        directory: str | os.PathLike,
        *,
        dims: int = 8,
        steps: int = 7,
        span: float = 3.0,
        every: int = 1,
        log_dir: str | os.PathLike | None = None,
    ):
        super().__init__(directory, every=every, log_dir=log_dir)
        self.images = np.asarray(images, "float32")
        if len(self.images) < 2:
            raise ValueError(
                f"images of LatentTraversal must contain at least two images. Received: {len(self.images)}"
            )
        self.dims = dims
        self.steps = steps
        self.span = span

    def check(self, model: Model) -> None:
        if not (hasattr(model, "embed") and hasattr(model, "decode")):
            raise ValueError(
                "The model of LatentTraversal must have `embed(x)` and `decode(embedding)`. "
                f"Received: {type(model).__name__}"
            )

    def draw(self, epoch: int) -> dict[str, bytes]:
        with exporting():  # the bottleneck counts no codes and adds no losses
            embeddings = self._embed()
            order = np.argsort(-embeddings.std(axis=0), kind="stable")[: self.dims].tolist()
            offsets = np.linspace(-self.span, self.span, self.steps)
            centre, unit = self._scale(embeddings)
            values = coordinate_values(centre, unit, order, offsets)
            grid = coordinate_points(embeddings[:1], order, values)
            grid = ops.reshape(grid, (-1, embeddings.shape[1]))
            pictures = ops.convert_to_numpy(ops.cast(self.model.decode(grid), "float32"))
        rows = pictures.reshape((len(order), self.steps, *pictures.shape[1:]))
        png = image_grid(
            rows,
            row_labels=[f"z{dimension}" for dimension in order],
            column_labels=[f"{offset:+.1f}" if offset else "0" for offset in offsets],
            title=f"epoch {epoch + 1}: coordinate, in standard deviations",
        )
        return {"latent_traversal": png}

    def _scale(self, embeddings):
        """Return centre and unit of each coordinate."""
        known = self.model.coordinate_scale() if hasattr(self.model, "coordinate_scale") else None
        if known is not None:
            return known
        if hasattr(self.model, "latent_dim"):
            return np.zeros(embeddings.shape[1]), np.ones(embeddings.shape[1])
        return embeddings.mean(axis=0), embeddings.std(axis=0)

    def _embed(self):
        embeddings = self.model.embed(ops.convert_to_tensor(self.images))
        if len(embeddings.shape) != 2:
            raise InputError(
                "The embeddings for LatentTraversal must have the shape (batch, latent_dim). "
                f"Received: shape {tuple(embeddings.shape)}"
            )
        return ops.convert_to_numpy(ops.cast(embeddings, "float32"))
