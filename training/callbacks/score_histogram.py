"""Callback that draws the distribution of the scores of a table."""

import os

import numpy as np
from keras import Model

from keras_ae.ops.core import exporting
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.report.plots import LIGHT, new_figure, style_axes, to_png

BATCH = 1024
BINS = 30


class ScoreHistogram(FigureCallback):
    """Callback that draws `scores.png`: a histogram of `model.score` of held-out rows.

    Normal rows and anomalies are drawn apart if they are known. The axis is logarithmic where the largest
    score is more than 30 times the smallest, and all are positive.

    Args:
        rows: rows of a table, `(rows, columns)`.
        anomalies: whether each row is an anomaly, bool `(rows,)`; `None`: unknown.
        directory: folder of the picture.
        every: number of epochs between two drawings.
        log_dir: TensorBoard folder; `None`: no summaries.

    Example:

    >>> import tempfile
    >>> ScoreHistogram(np.zeros((3, 2)), None, tempfile.mkdtemp()).rows.shape
    (3, 2)
    """

    def __init__(
        self,
        rows: np.ndarray,
        anomalies: np.ndarray | None,
        directory: str | os.PathLike,
        *,
        every: int = 1,
        log_dir: str | os.PathLike | None = None,
    ):
        super().__init__(directory, every=every, log_dir=log_dir)
        self.rows = rows
        self.anomalies = None if anomalies is None else np.asarray(anomalies, bool)

    def check(self, model: Model) -> None:
        if not callable(getattr(model, "score", None)):
            raise ValueError(
                f"The model of ScoreHistogram must have `score(x)`. Received: {type(model).__name__}"
            )

    def draw(self, epoch: int) -> dict[str, bytes]:
        with exporting():  # counts no codes
            parts = [
                np.asarray(self.model.score(self.rows[i : i + BATCH]))
                for i in range(0, len(self.rows), BATCH)
            ]
        scores = np.concatenate(parts).astype("float64")
        return {"scores": score_histogram(scores[np.isfinite(scores)], self._groups(np.isfinite(scores)))}

    def _groups(self, kept):
        return None if self.anomalies is None else self.anomalies[kept]


def score_histogram(scores: np.ndarray, anomalies: np.ndarray | None) -> bytes:
    """Return a histogram of scores as PNG, of normal rows and anomalies in two colours if they are known."""
    figure = new_figure(4.2, 2.4, LIGHT, layout="constrained")
    axes = figure.subplots()
    style_axes(axes, LIGHT, title="Scores of the held-out rows", x="score, nats", y="rows")
    if len(scores):
        wide = scores.min() > 0 and scores.max() > 30 * scores.min()
        space = np.geomspace if wide else np.linspace
        edges = space(scores.min(), max(scores.max(), scores.min() + 1e-6), BINS + 1)
        axes.set_xscale("log" if wide else "linear")
        groups = {"rows": np.ones(len(scores), bool)}
        if anomalies is not None:
            groups = {"normal": ~anomalies, "anomalies": anomalies}
        for (name, chosen), colour in zip(groups.items(), LIGHT.series, strict=False):
            axes.hist(scores[chosen], edges, color=colour, alpha=0.65, label=f"{name} ({chosen.sum()})")
        if anomalies is not None:
            axes.legend(frameon=False, fontsize=8)
    return to_png(figure)
