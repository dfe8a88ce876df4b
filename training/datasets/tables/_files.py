"""Reading of tables: csv, Parquet and npz files, folders of them, and scikit-learn's breast cancer data."""

import csv
import gzip
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_ae.data_files import SPLIT_NAMES, LeftOut, splits_of_files
from keras_ae.errors import InputError, require
from keras_ae.tables import columns_in
from keras_ae.training.datasets._arrays import NpzMember, npz_keys
from keras_ae.training.datasets._reading import list_files

TEXT = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz")
PARQUET = (".parquet", ".pq")
SOURCES = '"breast-cancer", a .csv, .tsv, .parquet or .npz file, or a folder with such files for each split'
LABEL = "label"  # name of the labels of an .npz file
GONE = ["", "?", "NA", "N/A", "#N/A", "NaN", "nan", "NULL", "null", "None", "-nan", "n/a", "<NA>"]


@dataclass(frozen=True)
class TableSource:
    """Tables of one source.

    Attributes:
        name: short name.
        origin: kind and location, for reports and errors.
        parts: `{"all": table}`, or the tables of the splits; a table is `{name: values (rows,)}`.
        label: name of the column of labels that the source defines, or `None`.
        normal: labels of normal rows that the source defines.
        left_out: files and arrays that are not read.
    """

    name: str
    origin: str
    parts: Mapping[str, dict[str, np.ndarray]]
    label: str | None = None
    normal: Sequence[str] = ()
    left_out: LeftOut = field(default_factory=LeftOut)


def open_table(source: str | os.PathLike | None) -> TableSource:
    """Open any of the sources of `load_table`.

    Raises:
        InputError: the source is missing, of an unknown kind, or cannot be read.
        ImportError: a .csv or .parquet file, without pyarrow.
    """
    if source is None or source == "breast-cancer":
        return _breast_cancer()
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path} does not exist: the source must be {SOURCES}.")
    try:
        return _of_folder(path) if path.is_dir() else _of_file(path)
    except PermissionError as error:
        raise InputError(f"{error.filename or path} cannot be read: check its permissions.") from None


def _breast_cancer():
    """569 tumours, 30 measurements of their nuclei each (Street, Wolberg and Mangasarian, 1993)."""
    found = require("sklearn.datasets", extra="training").load_breast_cancer()
    table = {str(name): column for name, column in zip(found.feature_names, found.data.T, strict=True)}
    table["diagnosis"] = found.target_names[found.target]
    origin = "breast cancer Wisconsin (diagnostic) of scikit-learn"
    return TableSource("breast-cancer", origin, {"all": table}, "diagnosis", ("benign",))


def _of_file(path):
    if path.suffix.lower() == ".npz":
        return _of_npz(path)
    return TableSource(_stem(path), f"file {path}", {"all": _read(path)})


def _of_folder(path):
    left_out = LeftOut()
    names = list_files(path, (*TEXT, *PARQUET), left_out, "table")
    splits = splits_of_files(names, str(path))
    if not splits and len(names) != 1:
        found = ", ".join(names[:5]) or left_out.summary() or "an empty folder"
        raise InputError(
            f"{path} must contain one table, or one for each split, such as train.csv and test.csv. "
            f"Received: {found}. Pass one of the files."
        )
    parts = {splits.get(name, "all"): _read(path / name) for name in (splits or names)}
    return TableSource(path.resolve().name, f"folder {path}", parts, left_out=left_out)


def _stem(path):
    return path.name.removesuffix(".gz").rpartition(".")[0]


def _read(path):
    arrow = require("pyarrow", extra="tables")
    try:
        table = _parquet(path) if path.suffix.lower() in PARQUET else _text(path)
    except (arrow.ArrowInvalid, arrow.ArrowKeyError, OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError):
            raise
        reason = " ".join(str(error).split())[:300].rstrip(".")
        raise InputError(f"{path} is not a readable table: {reason}.") from None
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} must have columns with different names. Received: {', '.join(twice)} twice")
    if not table.num_rows:
        raise InputError(f"{path} must contain rows below the names of its columns. Received: none")
    return columns_in(table)


def _parquet(path):
    return require("pyarrow.parquet", extra="tables").read_table(path)


def _text(path):
    if not path.name.lower().endswith(TEXT):
        raise InputError(f"{path} must be {SOURCES}. Received: a file ending in {path.suffix or 'nothing'}")
    reader = require("pyarrow.csv", extra="tables")
    return reader.read_csv(
        path,
        parse_options=reader.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True),
        convert_options=reader.ConvertOptions(null_values=GONE, strings_can_be_null=True),
    )


def _delimiter(path):
    """Return the character between the columns, from the first line."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", errors="replace") as file:
        line = file.readline()
    try:
        return csv.Sniffer().sniff(line, ",;\t|").delimiter
    except csv.Error:  # only one column
        return ","


def _of_npz(path):
    """Read `x_train`, `y_train` and so on, or `x` and `y`, or one array for each column."""
    keys = npz_keys(path)
    lower = {key.lower(): key for key in keys}
    parts = {}
    for part, names in SPLIT_NAMES.items():
        found = next((lower[f"x_{name}"] for name in names if f"x_{name}" in lower), None)
        if found is not None:
            parts[part] = (found, lower.get(f"y_{found[2:].lower()}"))
    if not parts and "x" in lower:
        parts["all"] = (lower["x"], lower.get("y"))
    left_out = LeftOut("arrays")
    if not parts:
        table = {key: NpzMember(path, key).whole() for key in keys}
        return TableSource(path.stem, f"npz file {path}", {"all": _columns(path, table)})
    names_key = next((lower[key] for key in ("columns", "feature_names") if key in lower), None)
    names = None if names_key is None else NpzMember(path, names_key).whole().astype(str).tolist()
    used = {key for pair in parts.values() for key in pair} | {names_key}
    for key in keys:
        if key not in used:
            left_out.add("not used", key)
    tables = {part: _matrix(path, *pair, names) for part, pair in parts.items()}
    label = LABEL if all(LABEL in table for table in tables.values()) else None
    return TableSource(path.stem, f"npz file {path}", tables, label, left_out=left_out)


def _columns(path, table):
    shapes = {values.shape for values in table.values()}
    if not table or len(shapes) > 1 or len(next(iter(shapes))) != 1:
        listed = ", ".join(f"{key} {values.shape}" for key, values in table.items()) or "no arrays"
        raise InputError(
            f"{path} must have the arrays x_train[, y_train, x_val, y_val, x_test, y_test] or x[, y] of the "
            f"shape (rows, columns), or one array (rows,) for each column. Received: {listed}"
        )
    return table


def _matrix(path, key, label_key, names):
    values = NpzMember(path, key).whole()
    if values.ndim != 2:
        raise InputError(f"{path}[{key}] must have the shape (rows, columns). Received: {values.shape}")
    if names is not None and len(names) != values.shape[1]:
        raise InputError(
            f"{path} must have one name for each column of {key}. Received: {len(names)} names and "
            f"{values.shape[1]} columns"
        )
    table = columns_in(values)
    table = table if names is None else dict(zip(names, table.values(), strict=True))
    if label_key is not None:
        labels = NpzMember(path, label_key).whole().reshape(-1)
        if len(labels) != len(values):
            raise InputError(
                f"{path} must have one label for each row. Received: {len(labels)} of {label_key} and "
                f"{len(values)} rows of {key}"
            )
        table[LABEL] = labels
    return table
