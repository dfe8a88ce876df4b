"""Tables and cards of a page as plain values for its template."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras_ae.pages.formats import format_number, format_value
from keras_ae.pages.glossary import run_label

UNITS = {"psnr": "dB", "kl_loss": "nats"}


@dataclass(frozen=True)
class Cell:
    """Cell of a table: its text, whether it is a number, the length of its bar in [0, 1].

    `best` marks the best value of a column, `note` is smaller text below.
    """

    text: str
    number: bool = False
    bar: float | None = None
    best: bool = False
    note: str = ""


@dataclass(frozen=True)
class Row:
    """Row of a table; `own` marks the subject of the page among the rows it is compared with."""

    name: str
    cells: Sequence[Cell]
    own: bool = False
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Table of rows, and heads of the columns with the first above the names; no heads give no head row."""

    heads: Sequence[str]
    rows: Sequence[Row]
    title: str = ""

    def transposed(self) -> "Table":
        """Return the table with rows and columns exchanged, such as one of many results of few models."""
        columns = zip(*(row.cells for row in self.rows), strict=True)
        rows = [Row(head, list(cells)) for head, cells in zip(self.heads[1:], columns, strict=True)]
        return Table([self.heads[0], *(row.name for row in self.rows)], rows, self.title)

    def is_number(self, column: int) -> bool:
        """Return whether any cell of the column is a number, so that the column is aligned to the right."""
        return column >= 0 and any(row.cells[column].number for row in self.rows)

    def has_bar(self, column: int) -> bool:
        """Return whether any cell of the column has a bar."""
        return column >= 0 and any(row.cells[column].bar is not None for row in self.rows)


@dataclass(frozen=True)
class Card:
    """Headline number with its label and a remark."""

    label: str
    value: str
    note: str


def pairs_table(
    values: dict, title: str = "", setting: bool = False, label: Callable[[str], str] | None = None
) -> Table:
    """Return a table of names and values.

    With `setting`, numbers are printed as the user wrote them. `label` converts keys to names.

    Example:

    >>> [(row.name, row.cells[0].text) for row in pairs_table({"mse": 0.0131, "n": {"test": 359}}).rows]
    [('MSE', '0.01310'), ('n · test', '359')]
    """
    rows = []
    for name, value in flatten(values).items():
        cell = Cell(format_value(value)) if setting or not is_number(value) else value_cell(value)
        rows.append(Row(name if setting else (label or column_label)(name), [cell]))
    return Table([], rows, title)


def flatten(mapping: dict, prefix: str = "") -> dict:
    """Return nested dicts as one dict, with keys joined by dots.

    Example:

    >>> flatten({"a": 1, "b": {"c": 2, "d": {}}})
    {'a': 1, 'b.c': 2}
    """
    flat = {}
    for name, value in mapping.items():
        if isinstance(value, dict):
            flat.update(flatten(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def value_cell(value: Any, largest: float = 0.0, digits: int = 4, **marks: Any) -> Cell:
    """Return the cell of a number, with a bar if `largest` is given, or of any other value."""
    if not is_number(value):
        return Cell(format_value(value), **marks)
    bar = abs(value) / largest if largest and math.isfinite(value) else None
    return Cell(format_number(value, digits), number=True, bar=bar, **marks)


def column_label(key: str) -> str:
    """Return a dotted key of `metrics.json` as text: its label in the glossary, else words with the unit."""
    unit = UNITS.get(key.rpartition(".")[2])
    return f"{run_label(key)}, {unit}" if unit else run_label(key)


def is_number(value: Any) -> bool:
    """Return whether a value is an integer or a float, including NaN but not bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_finite_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return is_number(value) and math.isfinite(value)
