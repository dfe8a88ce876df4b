"""Data sets of tables: splits and their rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_ae.tables import TableColumn
from keras_ae.training.datasets._orders import BatchOrder
from keras_ae.training.datasets.batch_stream import BatchStream


class TableStore:
    """Rows of a table in memory.

    Args:
        array: the rows, see `tables.values_of`: float32 `(rows, columns)`.
    """

    def __init__(self, array: np.ndarray):
        self.array = array

    def __len__(self):
        return len(self.array)


class TableSplit:
    """Subset of the rows of a table.

    Args:
        store: the table.
        rows: rows of the store that belong to the split.
        labels: class numbers of these rows, int64 `(rows,)`, or `None`.

    Example:

    >>> split = TableSplit(TableStore(np.eye(3, dtype="float32")), np.array([2, 0]))
    >>> len(split), split.values([0]).tolist()
    (2, [[0.0, 0.0, 1.0]])
    """

    def __init__(self, store: TableStore, rows: np.ndarray, labels: np.ndarray | None = None):
        self.store = store
        self.rows = np.asarray(rows, "int64")
        self.labels = labels

    def __len__(self):
        return len(self.rows)

    def values(self, indices: ArrayLike | slice | None = None) -> np.ndarray:
        """Return rows as float32 `(rows, columns)`, NaN where a value is missing.

        Args:
            indices: indices into this split; `None`: all.
        """
        if indices is None:
            indices = slice(None)
        elif not isinstance(indices, slice):
            indices = np.asarray(indices, "int64")
        return self.store.array[self.rows[indices]]

    def part(self, chosen: np.ndarray) -> "TableSplit":
        """Return the split of the rows where `chosen` `(rows,)` is true."""
        return TableSplit(self.store, self.rows[chosen], None if self.labels is None else self.labels[chosen])

    def batches(self, batch_size: int) -> tf.data.Dataset:
        """Return batches of rows in order, float32 `(batch, columns)`; the last may be smaller."""
        return tf.data.Dataset.from_tensor_slices(self.values()).batch(batch_size)


@dataclass(frozen=True)
class TableData:
    """Rows for training, validation and test.

    Attributes:
        name: short name of the source.
        train: rows to train on; if there are `normal` labels, only rows with these.
        validation: rows held out of the training rows, by which the best epoch is chosen.
        test: rows for measurements.
        columns: the columns, with the statistics of the training rows.
        class_names: names of the labels, empty without labels.
        normal: names of the labels of normal rows; empty: all rows are normal.
        description: source, numbers of rows and method of the split, serialisable as JSON.
    """

    name: str
    train: TableSplit
    validation: TableSplit
    test: TableSplit
    columns: tuple[TableColumn, ...]
    class_names: tuple[str, ...]
    normal: tuple[str, ...]
    description: dict

    def anomalies(self, split: TableSplit) -> np.ndarray:
        """Return whether the label of each row of a split is not normal, bool `(rows,)`."""
        if not self.normal or split.labels is None:
            return np.zeros(len(split), bool)
        names = np.array(self.class_names)
        return ~np.isin(names[split.labels], self.normal)


def table_batches(split: TableSplit, batch_size: int, seed: int) -> BatchStream:
    """Return shuffled batches of rows for a training that can be resumed exactly, see `BatchStream`.

    Example:

    >>> split = TableSplit(TableStore(np.arange(5, dtype="float32")[:, None]), np.arange(5))
    >>> sorted(len(batch) for batch in table_batches(split, 3, seed=0).dataset.as_numpy_iterator())
    [2, 3]
    """

    def dataset_of(batches):
        signature = tf.TensorSpec((None, split.store.array.shape[1]), tf.float32)
        return tf.data.Dataset.from_generator(
            lambda: (split.values(batch) for _, batch in batches()), output_signature=signature
        )

    return BatchStream(BatchOrder(len(split), batch_size, seed), dataset_of)


def rows_in(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the values of one column in several parts as one array, of objects if their kinds differ.

    Example:

    >>> rows_in([np.array([1.5]), np.array(["a"])]).tolist()
    [1.5, 'a']
    """
    kinds = {part.dtype.kind for part in parts}
    numbers = kinds <= set("biuf") and (kinds == {"b"} or "b" not in kinds)
    if numbers or len(kinds) == 1:
        return np.concatenate(parts)
    return np.concatenate([part.astype(object) for part in parts])
