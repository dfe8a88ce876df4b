"""Rows of a table, for their encoding."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.tables import TableColumn, as_columns
from keras_ae.training.datasets.tables.loading import read_table


class RowStream:
    """Rows of a table in batches, in order; the whole table is in memory.

    Args:
        source: as in `load_table`; the rows of all splits, one split after the other.
        columns: columns of the model; others, such as a label, are not used.
        batch_size: rows per batch.
        shard: `(i, n)`: the rows i, i + n, i + 2n, ...; it may be empty.

    Attributes:
        names: numbers of the rows as text, from 0.
        image_shape: shape of a row.
        inputs: the source, which no output may replace.

    Raises:
        InputError: the table cannot be read, or has no such columns.
    """

    def __init__(
        self,
        source: str | Path,
        columns: Sequence[TableColumn | Mapping[str, Any]],
        batch_size: int,
        shard: tuple[int, int] = (0, 1),
    ):
        first, step = shard
        values = read_table(source, as_columns(columns))
        self.values = values[first::step]
        self.names = [str(row) for row in range(first, len(values), step)]
        self.image_shape = values.shape[1:]
        self.batch_size = batch_size
        self.inputs = (source,)

    def __len__(self):
        return len(self.values)

    def __iter__(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self.values), self.batch_size):
            yield self.values[start : start + self.batch_size]
