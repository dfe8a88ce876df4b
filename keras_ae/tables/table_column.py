"""Description of a column of a table, with the statistics by which a model scales it."""

import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.numpy_scalars import plain


@dataclass(frozen=True, kw_only=True)
class TableColumn:
    """Numeric or categorical column of a table.

    In an array of a table, float32 `(rows, columns)`, a numeric column contains its values in their own unit,
    and a categorical one the indices `0 ... K - 1` of its categories. NaN is a missing value.

    Args:
        name: name of the column.
        mean: mean of the values of a numeric column.
        scale: standard deviation of the values of a numeric column, above 0.
        categories: names of the categories; `None`: the column is numeric.
        missing: whether values are missing in the training data.

    Raises:
        InputError: a value is not valid.

    Example:

    >>> TableColumn(name="radius", mean=14.1, scale=3.5).to_dict()
    {'name': 'radius', 'mean': 14.1, 'scale': 3.5}
    >>> TableColumn(name="colour", categories=("blue", "red")).size
    2
    """

    name: str
    mean: float = 0.0
    scale: float = 1.0
    categories: tuple[str, ...] | None = None
    missing: bool = False

    def __post_init__(self):
        for field in ("name", "mean", "scale", "missing"):
            object.__setattr__(self, field, plain(getattr(self, field)))  # the dataclass is frozen
        if not isinstance(self.name, str) or not self.name:
            raise InputError(f"The name of a column must be a string. Received: name={self.name!r}")
        if self.categories is not None:
            object.__setattr__(self, "categories", tuple(map(str, self.categories)))
            names = self.categories
            if not names or len(set(names)) < len(names):
                raise InputError(
                    f"categories of the column {self.name} must be different names, at least one. "
                    f"Received: {list(names)}"
                )
        for field in ("mean", "scale"):
            value = getattr(self, field)
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise InputError(
                    f"{field} of the column {self.name} must be a finite number. Received: {field}={value!r}"
                )
        if self.scale <= 0:
            raise InputError(
                f"scale of the column {self.name} must be positive. Received: scale={self.scale}. "
                "Use 1 for a column that does not vary."
            )

    @property
    def is_categorical(self) -> bool:
        """Whether the values are indices of categories."""
        return self.categories is not None

    @property
    def size(self) -> int:
        """Number of parameters of its distribution: 1 for a mean, K for the logits of K categories."""
        return 1 if self.categories is None else len(self.categories)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields that apply, serialisable as JSON."""
        fields: dict[str, Any] = {"name": self.name}
        if self.categories is not None:
            fields["categories"] = list(self.categories)
        else:
            fields |= {"mean": float(self.mean), "scale": float(self.scale)}
        return {**fields, "missing": True} if self.missing else fields

    @classmethod
    def of(cls, value: "Mapping[str, Any] | TableColumn") -> "TableColumn":
        """Return the column of a dict as written by `to_dict`; a `TableColumn` unchanged.

        Raises:
            InputError: the dict has other keys, or invalid values.
        """
        if isinstance(value, cls):
            return value
        known = ("name", "mean", "scale", "categories", "missing")
        if not isinstance(value, Mapping) or "name" not in value or not set(value) <= set(known):
            raise InputError(
                f"A column must be a TableColumn, or a dict with name and keys among {', '.join(known[1:])}. "
                f"Received: {value!r}"
            )
        return cls(**value)


def as_columns(columns: Iterable[Mapping[str, Any] | TableColumn]) -> tuple[TableColumn, ...]:
    """Return columns and dicts of columns as `TableColumn`s.

    Raises:
        InputError: there is no column, two have the same name, or one is not valid.

    Example:

    >>> as_columns([{"name": "age", "mean": 40.0, "scale": 12.0}])[0].mean
    40.0
    """
    if isinstance(columns, (str, bytes, Mapping, int)) or not isinstance(columns, Iterable):
        raise InputError(
            f"columns must be a list of `TableColumn`s, such as fit_columns(table). Received: {columns!r}"
        )
    found = tuple(TableColumn.of(column) for column in columns)
    names = [column.name for column in found]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if not found or twice:
        received = f"{', '.join(twice)} twice" if twice else "none"
        raise InputError(
            f"columns must contain at least one column, with distinct names. Received: {received}"
        )
    return found


def fitted_column(name: str, values: np.ndarray, categorical: bool = False) -> TableColumn:
    """Return the description of a column from its values.

    Args:
        name: name of the column.
        values: numbers, Booleans or strings, `(rows,)`; NaN, `None` and empty strings are missing.
        categorical: whether numbers are categories. Strings and Booleans always are.

    Raises:
        InputError: all values are missing, or a number is infinite.

    Example:

    >>> fitted_column("size", np.array([1.0, 3.0, np.nan]))
    TableColumn(name='size', mean=2.0, scale=1.0, categories=None, missing=True)
    """
    values = np.asarray(values)
    gone = is_missing(values)
    known = values[~gone]
    if not len(known):
        raise InputError(
            f"The column {name} must have values in the training rows. Received: only missing ones. "
            "Leave it out."
        )
    if known.dtype.kind in "mM":
        raise InputError(
            f"The column {name} must consist of numbers or categories. Received: {known.dtype}. Convert "
            "dates to numbers, such as days since the first one, or leave the column out."
        )
    if known.dtype.kind == "O" and all(map(_is_plain_number, known)):
        known = known.astype("float64")
    missing = bool(gone.any())
    if categorical or known.dtype.kind not in "iuf":
        return TableColumn(
            name=name, categories=tuple(np.unique(category_names(known)).tolist()), missing=missing
        )
    known = known.astype("float64")
    if not np.isfinite(known).all():
        raise InputError(
            f"The column {name} must consist of finite numbers. Received: {int(np.isinf(known).sum())} "
            "infinite values. Leave their cells empty, or fix the code that made them."
        )
    # of the numbers as the model reads them: a spread below the resolution of float32 is none
    spread = float(np.std(known)) if np.ptp(known.astype("float32")) else 0.0
    return TableColumn(name=name, mean=float(np.mean(known)), scale=spread or 1.0, missing=missing)


def is_missing(values: np.ndarray) -> np.ndarray:
    """Return whether each value of a column is missing, bool `(rows,)`.

    Example:

    >>> is_missing(np.array(["a", "", None], object)).tolist()
    [False, True, True]
    """
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "US":
        return np.char.str_len(np.char.strip(values)) == 0
    if values.dtype.kind == "O":
        return np.array([_is_gone(value) for value in values], bool)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    return np.zeros(values.shape, bool)


def _is_gone(value):
    if isinstance(value, (str, bytes)):
        return not value.strip()
    # NaN and NaT differ from themselves; the comparison of pandas' NA has no truth value
    return value is None or type(value).__name__ == "NAType" or bool(value != value)


def _is_plain_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def category_names(values: np.ndarray) -> np.ndarray:
    """Return values of a column as names of categories: whole numbers without a fraction, the rest as text.

    Example:

    >>> category_names(np.array([1.0, 2.5])).tolist(), category_names(np.array([True])).tolist()
    (['1', '2.5'], ['True'])
    """
    values = np.asarray(values)
    if values.dtype.kind == "U":
        return np.char.strip(values)
    return np.array([_name(value) for value in values.tolist()], str)


def _name(value):
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip()
