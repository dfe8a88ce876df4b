"""Loading of tables for training."""

import os
import warnings
from collections.abc import Collection, Sequence

import numpy as np

from keras_ae.data_files import some_of
from keras_ae.errors import DataWarning, InputError
from keras_ae.tables import TableColumn, fit_columns, values_of
from keras_ae.tables.table_column import category_names, is_missing
from keras_ae.training.datasets._splits import class_numbers, draw_splits
from keras_ae.training.datasets.tables._files import open_table
from keras_ae.training.datasets.tables.data import TableData, TableSplit, TableStore, rows_in


def load_table(
    source: str | os.PathLike | None = "breast-cancer",
    *,
    label: str | None = None,
    normal: Sequence[str] | None = None,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    columns: Sequence[TableColumn] | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
    split_seed: int = 0,
) -> TableData:
    """Load a table of any source, split into training, validation and test rows.

    Columns of strings and Booleans are categorical. Empty cells, NaN, `NA`, `null`, `None` and `?` are
    missing values. Means, standard deviations and categories are those of the training rows; other categories
    in validation and test rows become missing values, and a `DataWarning` names them.

    Args:
        source: "breast-cancer" (scikit-learn's 569 tumours with 30 measurements each); a .csv, .tsv, .parquet
            or .npz file; a folder with one such file, or with one for each split (`train.csv`, `valid.csv`,
            `test.csv`). An .npz file has `x_train`, `y_train`, `x_test` and so on, or `x` and `y`, with the
            names of the columns under `columns`, or one array for each column.
        label: column with the labels; `None`: that of the source, if it defines one (`y` of an .npz file, the
            diagnosis). Neither this column nor that of the source is an input of the model.
        normal: labels of the normal rows. Only these rows are trained on, and rows with other labels are
            anomalies; `None`: "benign" for the diagnosis of "breast-cancer", otherwise all rows are normal.
        categorical: columns whose numbers are categories.
        ignore: columns to leave out.
        columns: columns of a trained model, whose statistics and categories are used; other columns are left
            out, and `categorical` and `ignore` have no effect. `None`: all columns, described by the training
            rows.
        validation_fraction: share of the training rows held out for validation, if the source has none.
        test_fraction: share of all rows held out for test, if the source has no test rows.
        split_seed: seed of the draws.

    Raises:
        InputError: the source is missing, damaged or of an unknown kind; a named column or label does not
            exist; there are too few rows.
        ImportError: a .csv or .parquet file, without pyarrow.

    Example:

    >>> data = load_table("breast-cancer")
    >>> len(data.columns), data.class_names, data.normal
    (30, ('benign', 'malignant'), ('benign',))
    >>> len(data.train), len(data.validation), len(data.test), int(data.anomalies(data.test).sum())
    (251, 46, 114, 38)
    """
    for name, fraction in (("validation", validation_fraction), ("test", test_fraction)):
        if not 0 <= fraction < 1:
            raise InputError(
                f"{name}_fraction must be at least 0 and below 1. Received: {name}_fraction={fraction}"
            )
    opened = open_table(source)
    opened.left_out.warn(opened.origin)
    table, official = _joined(opened)
    labels, class_names, normal = _labelled(table, opened, label, normal)
    count = len(next(iter(table.values())))
    fractions = {"test": test_fraction, "validation": validation_fraction}
    rows = draw_splits(official, np.arange(count), fractions, split_seed)
    if normal:
        rows["train"] = _normal_rows(rows["train"], np.array(class_names)[labels], normal)
    if columns is None:
        table = _inputs(table, {label, opened.label}, ignore, opened.origin)
        columns = fit_columns({name: values[rows["train"]] for name, values in table.items()}, categorical)
    store = TableStore(values_of(table, columns))
    _warn_of_constants(columns, store.array[rows["train"]], opened.origin)
    splits = {
        name: TableSplit(store, chosen, None if labels is None else labels[chosen])
        for name, chosen in rows.items()
    }
    data = TableData(
        name=opened.name,
        **splits,
        columns=tuple(columns),
        class_names=class_names,
        normal=normal,
        description={"name": opened.name, "source": opened.origin},
    )
    data.description.update(_counts(data), **_origin_of_splits(opened, fractions, split_seed))
    return data


def read_table(source: str | os.PathLike, columns: Sequence[TableColumn]) -> np.ndarray:
    """Return all rows of a source of `load_table` for a model with these columns: float32 `(rows, columns)`.

    The rows of an .npz file or a folder with splits follow each other: train, validation, test.

    Raises:
        InputError: the source cannot be read, or lacks a column.

    Example:

    >>> read_table("breast-cancer", [TableColumn(name="mean area")]).shape
    (569, 1)
    """
    return read_labelled_table(source, columns)[0]


def read_labelled_table(
    source: str | os.PathLike,
    columns: Sequence[TableColumn],
    label: str | None = None,
    usual_label: str | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the rows of `read_table` and the label of each, str `(rows,)`, empty where it is missing.

    Args:
        source: as in `read_table`.
        columns: as in `read_table`.
        label: column with the labels, which must exist.
        usual_label: without `label`, column with the labels if the table has it; otherwise that of the
            source, if it defines one.

    Returns:
        `(values, labels)`; the labels are `None` if the table has none.

    Raises:
        InputError: the source cannot be read, or lacks a column or the `label`.

    Example:

    >>> values, labels = read_labelled_table("breast-cancer", [TableColumn(name="mean area")])
    >>> values.shape, labels[:2].tolist()
    ((569, 1), ['malignant', 'malignant'])
    """
    opened = open_table(source)
    opened.left_out.warn(opened.origin)
    table = _joined(opened)[0]
    if label is not None:
        _check_label(label, table, opened)
    else:
        label = next((name for name in (usual_label, opened.label) if name in table), None)
    if label is None:
        return values_of(table, columns), None
    known = ~is_missing(table[label])
    labels = np.full(len(known), "", object)
    labels[known] = category_names(table[label][known])
    return values_of(table, columns), labels.astype(str)


def _joined(opened):
    """Return the table of all parts, and the name of the split of each row, `None` if there is one part."""
    parts = list(opened.parts.items())
    names = list(parts[0][1])
    for part, table in parts[1:]:
        if set(table) != set(names):
            different = sorted(set(table) ^ set(names))
            raise InputError(
                f"{opened.origin}: the tables of all splits must have the same columns. Received: "
                f"{some_of(different)} only in {part} or {parts[0][0]}"
            )
    joined = {name: rows_in([table[name] for _, table in parts]) for name in names}
    if [part for part, _ in parts] == ["all"]:
        return joined, None
    sizes = [len(next(iter(table.values()))) for _, table in parts]
    return joined, np.repeat([part for part, _ in parts], sizes)


def _normal_rows(rows, names, normal):
    """Return those of `rows` whose label, in `names` of all rows, is one of `normal`."""
    chosen = rows[np.isin(names[rows], normal)]
    if not len(chosen):
        raise InputError(f"The training rows must contain normal ones, {', '.join(normal)}. Received: none")
    return chosen


def _counts(data):
    """Return what the splits of a table contain, for its description."""
    splits = {name: getattr(data, name) for name in ("train", "validation", "test")}
    return {
        **{f"{name}_rows": len(split) for name, split in splits.items()},
        "numeric_columns": sum(not column.is_categorical for column in data.columns),
        "categorical_columns": sum(column.is_categorical for column in data.columns),
        "missing_values": int(np.isnan(data.train.store.array).sum()),
        "classes": list(data.class_names),
        "normal": list(data.normal),
    }


def _origin_of_splits(opened, fractions, split_seed):
    """Return where validation and test rows come from, for the description of a table."""
    whole = {"test": "all", "validation": "the training rows"}
    drawn = {name: f"{fractions[name]:g} of {rows}, drawn" for name, rows in whole.items()}
    return {
        **{f"{name}_split": "official" if name in opened.parts else text for name, text in drawn.items()},
        "split_seed": split_seed,
        "left_out": opened.left_out.description(),
    }


def _labelled(table, opened, label, normal):
    """Return the labels of the rows as numbers or `None`, the names of all, and those of normal ones."""
    usual = opened.normal if label in (None, opened.label) else ()
    label = opened.label if label is None else label
    normal = tuple(usual if normal is None else map(str, normal))
    if label is None:
        if normal:
            raise InputError(
                f"The table must have labels to train on normal rows. Received: normal={', '.join(normal)} "
                "and no label. Name their column with --label."
            )
        return None, (), ()
    _check_label(label, table, opened)
    values = table[label]
    if (gone := is_missing(values)).any():
        raise InputError(
            f"Labels must not be missing. Received: {int(gone.sum())} missing in the column {label}, the "
            f"first in row {int(gone.argmax())} (the first row is 0); fill them in, or leave out the rows."
        )
    numbers, names = class_numbers({"all": category_names(values)})
    unknown = [name for name in normal if name not in names]
    if unknown:
        raise InputError(
            f"normal must contain labels, among {some_of(names, 20)}. Received: {', '.join(unknown)}"
        )
    return numbers["all"], names, normal


def _check_label(label, table, opened):
    if label not in table:
        raise InputError(
            f"label must be a column of {opened.origin}, among {some_of(table, 20)}. Received: {label}"
        )


def _inputs(table, labels, ignore, origin):
    """Return the columns that are inputs of a model: those that are neither labels nor to ignore."""
    unknown = [name for name in ignore if name not in table]
    if unknown:
        raise InputError(
            f"ignore must contain columns of {origin}, among {some_of(table, 20)}. "
            f"Received: {', '.join(unknown)}"
        )
    kept = {name: values for name, values in table.items() if name not in {*labels, *ignore}}
    if not kept:
        raise InputError(
            f"{origin} must have columns other than the label and those to ignore. Received: none"
        )
    return kept


def _warn_of_constants(columns, values, origin):
    with np.errstate(invalid="ignore"):
        alike = [
            column.name
            for column, own in zip(columns, values.T, strict=True)
            if len(np.unique(own[~np.isnan(own)])) < 2
        ]
    if alike:
        what = "1 column does not" if len(alike) == 1 else f"{len(alike)} columns do not"
        text = f"{origin}: {what} vary in the training rows: {some_of(alike)}."
        warnings.warn(DataWarning(text), stacklevel=3)
