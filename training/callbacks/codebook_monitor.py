"""Callback that shows which codes of a discrete bottleneck are in use."""

import os

import numpy as np
from keras import ops

from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.report.plots import code_histogram

COLLAPSE = 0.1  # share of the codes, not counting the one code per head that is always used


class CodebookMonitor(FigureCallback):
    """Callback that draws `codebook_usage.png`, the sorted code frequencies of a training epoch.

    It adds `used_codes` and `dead_codes` to the logs (therefore put it before a `CSVLogger`) and
    prints one line when fewer than a tenth of the codes are in use (collapse). Names have the
    prefix of the layer's metrics, if there is one.

    Args:
        layer_name: name of the monitored bottleneck; `None`: all bottlenecks of the model.
        directory: folder of the pictures.
        every: epochs between two drawings.
        log_dir: TensorBoard folder; `None`: no summaries.

    Attributes:
        collapsed: names of the bottlenecks that used less than a tenth of their codes in the last epoch.

    Raises:
        ValueError: when training begins, if the model has no such bottleneck.

    Example:

    >>> import tempfile
    >>> CodebookMonitor(directory=tempfile.mkdtemp()).collapsed
    []
    """

    def __init__(
        self,
        layer_name: str | None = None,
        directory: str | os.PathLike = ".",
        *,
        every: int = 1,
        log_dir: str | os.PathLike | None = None,
    ):
        super().__init__(directory, every=every, log_dir=log_dir)
        self.layer_name = layer_name
        self.collapsed: list[str] = []
        self._counts: dict[str, np.ndarray] | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._bottlenecks()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._counts = None

    def on_test_begin(self, logs: dict | None = None) -> None:
        # the validation inside `fit` resets the metrics: now they still contain the training epoch
        if self._counts is None:
            self._counts = self._read_counts()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self._counts is None:
            self._counts = self._read_counts()
        for layer in self._bottlenecks():
            counts = self._counts[layer.name]
            used = int(np.count_nonzero(counts))
            if logs is not None:
                logs[layer.metric_name("used_codes")] = float(used)
                logs[layer.metric_name("dead_codes")] = float(counts.size - used)
            self._warn_of_collapse(layer.name, used, counts)
        super().on_epoch_end(epoch, logs)

    def draw(self, epoch: int) -> dict[str, bytes]:
        counts = self._read_counts() if self._counts is None else self._counts
        return {
            layer.metric_name("codebook_usage"): code_histogram(
                counts[layer.name], title=self._title(layer, epoch)
            )
            for layer in self._bottlenecks()
        }

    def _title(self, layer, epoch):
        counts = self._counts[layer.name]
        return f"epoch {epoch + 1}: {np.count_nonzero(counts):,} of {counts.size:,} codes in use"

    def _warn_of_collapse(self, name, used, counts):
        heads, total = len(counts), counts.size
        if used - heads >= COLLAPSE * (total - heads):
            self.collapsed = [other for other in self.collapsed if other != name]
        elif name not in self.collapsed:
            self.collapsed = [*self.collapsed, name]
            print(
                f"\nCodebook collapse: `{name}` uses {used:,} of {total:,} codes. Use fewer codes, a lower "
                "learning rate, or revive dead codes.",
                flush=True,
            )

    def _read_counts(self) -> dict[str, np.ndarray]:
        return {layer.name: ops.convert_to_numpy(layer.perplexity.counts) for layer in self._bottlenecks()}

    def _bottlenecks(self):
        # `model.layers` contains the first level only
        found = [layer for layer in self.model._flatten_layers() if isinstance(layer, Bottleneck)]
        chosen = [layer for layer in found if self.layer_name in (None, layer.name)]
        if not chosen:
            wanted = "a discrete bottleneck" if self.layer_name is None else f"one named {self.layer_name!r}"
            raise ValueError(
                f"The model of CodebookMonitor must contain {wanted}. "
                f"Received: a model with the bottlenecks {[layer.name for layer in found]}"
            )
        return chosen
