"""Conversion of tables to arrays and back."""

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_ae.data_files import some_of
from keras_ae.errors import DataWarning, InputError
from keras_ae.tables.table_column import TableColumn, as_columns, category_names, fitted_column, is_missing

LARGEST_FEATURE = 1000.0  # standard deviations; larger values would overflow in half precision


def columns_in(table: Any) -> dict[str, np.ndarray]:
    """Return `{name: values (rows,)}` of a table.

    Args:
        table: a dict of arrays, a table with named columns (pandas, polars, pyarrow), or an array
            `(rows, columns)`, whose columns are named `x0`, `x1`, ...

    Raises:
        InputError: it is not a table, or its columns differ in length.

    Example:

    >>> {name: values.tolist() for name, values in columns_in(np.array([[1, 2], [3, 4]])).items()}
    {'x0': [1, 3], 'x1': [2, 4]}
    """
    if isinstance(table, Mapping):
        found = {str(name): np.asarray(values) for name, values in table.items()}
    elif hasattr(table, "column_names"):  # pyarrow, whose `columns` have no names
        found = {str(name): np.asarray(table[name].to_numpy()) for name in table.column_names}
    elif hasattr(table, "columns") and hasattr(table, "to_numpy"):
        found = {str(name): np.asarray(table[name].to_numpy()) for name in table.columns}
    else:
        array = np.asarray(table)
        if array.ndim != 2:
            raise InputError(
                "A table must be a dict of columns, a data frame, or an array (rows, columns). "
                f"Received: {type(table).__name__} of shape {array.shape}"
            )
        found = {f"x{number}": column for number, column in enumerate(array.T)}
    shapes = {values.shape for values in found.values()}
    if len(shapes) > 1 or any(len(shape) != 1 for shape in shapes):
        listed = ", ".join(f"{name} {values.shape}" for name, values in found.items())
        raise InputError(f"The columns of a table must have one value per row. Received: {listed}")
    return found


def has_column_names(table: Any) -> bool:
    """Return whether a table has named columns: a dict, or a data frame of pandas, polars or pyarrow.

    Example:

    >>> has_column_names({"size": [1.0]}), has_column_names([[1.0]])
    (True, False)
    """
    return isinstance(table, Mapping) or hasattr(table, "column_names") or hasattr(table, "columns")


def fit_columns(table: Any, categorical: Collection[str] = ()) -> tuple[TableColumn, ...]:
    """Return the description of each column of a table of training rows.

    Columns of strings and Booleans are categorical, numbers are numeric unless they are named.

    Args:
        table: as in `columns_in`.
        categorical: names of columns whose numbers are categories.

    Raises:
        InputError: a named column does not exist; a column has no values, or infinite ones.

    Example:

    >>> fit_columns({"size": [1.0, 3.0], "colour": ["red", "blue"]})[1].categories
    ('blue', 'red')
    """
    found = columns_in(table)
    unknown = [name for name in categorical if name not in found]
    if unknown:
        raise InputError(
            f"categorical must contain names of columns, among {some_of(found, 20)}. "
            f"Received: {', '.join(unknown)}"
        )
    return as_columns(fitted_column(name, values, name in categorical) for name, values in found.items())


def values_of(table: Any, columns: Iterable[TableColumn]) -> np.ndarray:
    """Return a table as an array of numbers, NaN where a value is missing: float32 `(rows, columns)`.

    Columns are found by their names; others are not used. An array or a list of rows `(rows, columns)` has
    all columns in their order, whatever their names. A category that is not among those of its column
    becomes a missing value, and a `DataWarning` names it.

    Args:
        table: as in `columns_in`.
        columns: the columns, such as those of `fit_columns`.

    Raises:
        InputError: a column does not exist, or does not consist of numbers; an array has another number of
            columns.

    Example:

    >>> colour = TableColumn(name="colour", categories=("blue", "red"))
    >>> values_of({"colour": ["red", ""], "size": [1, 2]}, [colour]).tolist()
    [[1.0], [nan]]
    >>> values_of([["red"]], [colour]).tolist()
    [[1.0]]
    """
    columns, found = as_columns(columns), columns_in(table)
    if not has_column_names(table):
        if len(found) != len(columns):
            raise InputError(
                f"The table must have the shape (rows, {len(columns)}), the columns "
                f"{some_of((column.name for column in columns), 5)}. Received: {len(found)} columns without "
                "names."
            )
        found = {column.name: values for column, values in zip(columns, found.values(), strict=True)}
    absent = [column.name for column in columns if column.name not in found]
    if absent:
        raise InputError(
            f"The table must have the columns {some_of((column.name for column in columns), 5)}. "
            f"Received: {some_of(found, 5)}, without {some_of(absent, 5)}."
        )
    with np.errstate(over="ignore"):  # reported by the check
        values = np.stack([_numbers(column, found[column.name]) for column in columns], axis=1)
    check_table(values, columns, "The table")
    return values


def _numbers(column, values):
    result, gone = np.full(len(values), np.nan, "float32"), is_missing(values)
    known = values[~gone]
    if column.is_categorical:
        numbers = {name: number for number, name in enumerate(column.categories)}
        names = category_names(known)
        indices = np.array([numbers.get(name, -1) for name in names.tolist()], "float32")
        if (others := names[indices < 0]).size:
            warnings.warn(
                DataWarning(
                    f"{others.size} values of the column {column.name} are not among its "
                    f"{len(numbers)} categories and count as missing: {some_of(np.unique(others).tolist())}."
                ),
                stacklevel=4,
            )
        result[~gone] = np.where(indices < 0, np.nan, indices)
        return result
    try:
        result[~gone] = known.astype("float64")
    except (TypeError, ValueError):
        raise InputError(
            f"The column {column.name} must consist of numbers. "
            f"Received: {_first_text(known)!r} in row {_first_row(values, gone)} (the first row is 0)."
        ) from None
    return result


def _first_text(known):
    return next(value for value in known.tolist() if not _is_number(value))


def _first_row(values, gone):
    return next(row for row in np.flatnonzero(~gone).tolist() if not _is_number(values[row]))


def _is_number(value):
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def table_of(values: Any, columns: Iterable[TableColumn]) -> dict[str, np.ndarray]:
    """Return an array of `values_of`, or a reconstruction, as `{name: values (rows,)}`.

    Categories are strings, and missing ones the empty string.

    Example:

    >>> table_of([[1.0], [float("nan")]], [TableColumn(name="colour", categories=("blue", "red"))])
    {'colour': array(['red', ''], dtype='<U4')}
    """
    columns, values = as_columns(columns), np.asarray(values, "float32")
    check_table(values, columns)
    found = {}
    for column, own in zip(columns, values.T, strict=True):
        if column.categories is not None:
            names = np.array([*column.categories, ""])
            own = names[np.where(np.isnan(own), len(column.categories), own).astype(int)]
        found[column.name] = own
    return found


def check_table(
    values: np.ndarray, columns: Sequence[TableColumn], name: str = "x", first_row: int = 0
) -> None:
    """Raise `InputError` unless the numbers of a table are finite or NaN, and indices are categories.

    Args:
        values: `(rows, columns)`.
        columns: the columns.
        name: name of the argument, for the message.
        first_row: index of the first row, if `values` are a part of an array.

    Example:

    >>> check_table(np.array([[2.0]]), [TableColumn(name="colour", categories=("blue", "red"))])
    Traceback (most recent call last):
        ...
    keras_ae.errors.InputError: x must contain an index from 0 to 1, or NaN, in the column colour. Received: \
2 in row 0.
    """
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[1] != len(columns):
        raise InputError(
            f"{name} must have the shape (rows, {len(columns)}), the columns of the table. "
            f"Received: shape {values.shape}"
        )
    with np.errstate(invalid="ignore"):
        for column, own in zip(columns, values.T, strict=True):
            wrong = np.isinf(own)
            expected = "a finite number"
            if column.is_categorical:
                wrong |= (own < 0) | (own >= column.size) | ((own != np.floor(own)) & ~np.isnan(own))
                expected = f"an index from 0 to {column.size - 1}"
            if wrong.any():
                row = int(wrong.argmax())
                raise InputError(
                    f"{name} must contain {expected}, or NaN, in the column {column.name}. "
                    f"Received: {own[row]:g} in row {first_row + row}."
                )


def table_features(values: np.ndarray, columns: Sequence[TableColumn]) -> np.ndarray:
    """Return the features of the rows of a table, as `layers.TableFeatures` computes them.

    Args:
        values: array of `values_of`.
        columns: its columns.

    Returns:
        float32 `(rows, features)`: standardised numbers, 0 where missing; 1 for each missing value of the
        numeric columns that have some; one-hot categories, zeros where missing. Infinities are missing, too.

    Example:

    >>> columns = [TableColumn(name="size", mean=2.0), TableColumn(name="colour", categories=("blue", "red"))]
    >>> table_features(np.array([[3.0, 1.0], [np.nan, np.nan]]), columns).tolist()
    [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    values = np.asarray(values, "float32")
    numeric = [number for number, column in enumerate(columns) if not column.is_categorical]
    means = np.array([columns[number].mean for number in numeric], "float32")
    scales = np.array([columns[number].scale for number in numeric], "float32")
    observed = np.isfinite(values)
    scaled = (np.where(observed[:, numeric], values[:, numeric], means) - means) / scales
    parts = [np.clip(scaled, -LARGEST_FEATURE, LARGEST_FEATURE)]
    flagged = [number for number in numeric if columns[number].missing]
    parts.append(1.0 - observed[:, flagged].astype("float32"))
    for number, column in enumerate(columns):
        if column.is_categorical:
            parts.append((values[:, [number]] == np.arange(column.size)).astype("float32"))
    return np.concatenate(parts, axis=1)


def random_rows(uniform: np.ndarray, columns: Sequence[TableColumn]) -> np.ndarray:
    """Return valid rows of a table for uniform numbers in [0, 1), with a tenth of the values missing.

    Args:
        uniform: `(rows, columns)`.
        columns: the columns.

    Returns:
        float32 `(rows, columns)`; the numbers lie within 2 standard deviations of their means.

    Example:

    >>> random_rows(np.array([[0.55], [0.05]]), [TableColumn(name="size", mean=3.0)]).tolist()
    [[3.0], [nan]]
    """
    means = np.array([column.mean for column in columns])
    scales = np.array([column.scale for column in columns])
    sizes = np.array([column.size if column.is_categorical else 0 for column in columns])
    known = np.clip((np.asarray(uniform, "float64") - 0.1) / 0.9, 0.0, 1.0 - 1e-9)
    rows = np.where(sizes, np.floor(known * sizes), means + scales * (4.0 * known - 2.0))
    return np.where(uniform < 0.1, np.nan, rows).astype("float32")
