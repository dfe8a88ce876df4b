"""Rows of a table as inputs of a model."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.tables import TableColumn, as_columns
from keras_ae.training.datasets.tables.loading import read_labelled_table
from keras_ae.training.recipes.option_names import errors_in_options


class RowStream:
    """Rows of a table in batches, in order; the whole table is in memory.

    Args:
        source: as in `load_table`; the rows of all splits, one split after the other.
        columns: columns of the model; others, such as a label, are not used.
        batch_size: rows per batch.
        shard: `(i, n)`: the rows i, i + n, i + 2n, ...; it may be empty.
        label, usual_label: as in `read_labelled_table`.

    Attributes:
        names: numbers of the rows as text, from 0.
        labels: label of each row, str `(rows,)`, or `None`.
        image_shape: shape of a row.
        inputs: the source, which no output may replace.

    Raises:
        InputError: the table cannot be read, or has no such columns; the batch size is below 1.
    """

    def __init__(
        self,
        source: str | Path,
        columns: Sequence[TableColumn | Mapping[str, Any]],
        batch_size: int,
        shard: tuple[int, int] = (0, 1),
        *,
        label: str | None = None,
        usual_label: str | None = None,
    ):
        if batch_size < 1:
            raise InputError(f"--batch-size must be at least 1. Received: {batch_size}")
        first, step = shard
        with errors_in_options("label"):
            values, labels = read_labelled_table(str(source), as_columns(columns), label, usual_label)
        self.values = values[first::step]
        self.labels = None if labels is None else labels[first::step]
        self.names = [str(row) for row in range(first, len(values), step)]
        self.image_shape = values.shape[1:]
        self.batch_size = batch_size
        self.inputs = (source,)

    def __len__(self):
        return len(self.values)

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self.values), self.batch_size):
            yield self.values[start : start + self.batch_size]
