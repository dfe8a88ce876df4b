"""Tables of results: which records form the rows and columns of which table (`benchmarks/results.toml`).

A table is a grid: the name of the record in a cell is the `records` of its row with `*` replaced by the
`measure` of its column. Records that no table declares form tables of their own (`undeclared_tables`).
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from parts.records import is_met, read_records

MOST_ROWS = 20
MOST_COLUMNS = 9
LEAST_FILLED = 0.5
BETTER = ("", "lower", "higher")


@dataclass(frozen=True)
class Row:
    """A system: its label, and the names of its records with `*` in place of the measure."""

    label: str
    records: str


@dataclass(frozen=True)
class Column:
    """A measure: its label, the parts of names that it stands for, its decimals, and which values are better.

    `measure` may be a list: the first one whose record exists is taken. `""` is the record whose name is that
    of the row without `.*`. `decimals=None` shows four significant digits.
    """

    label: str
    measure: tuple[str, ...]
    decimals: int | None = None
    better: str = ""


@dataclass(frozen=True)
class Table:
    """One table of a page; `quote` shows what follows these words in the note of a record."""

    title: str
    compares: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    setting: str = ""
    repeats: str = "seeds"
    quote: tuple[str, str] = ("", "")

    def grid(self, records: dict) -> list[list[str | None]]:
        """Return the names of the records in each row, `None` where there is none."""
        return [[_cell(row, column, records) for column in self.columns] for row in self.rows]

    def names(self, records: dict) -> set[str]:
        """Return the names of all records in the table."""
        return {name for line in self.grid(records) for name in line if name}


@dataclass(frozen=True)
class Subject:
    """One page of results: its files of records, its tables, and remarks on records by name."""

    page: str
    title: str
    about: str
    files: tuple[str, ...]
    tables: tuple[Table, ...] = ()
    remarks: tuple[tuple[str, str], ...] = ()


def read_subjects(path: Path, stems: Iterable[str]) -> list[Subject]:
    """Return the subjects declared in the TOML file at `path`, then one for each other file of records.

    Args:
        path: the declaration. A missing file declares nothing.
        stems: names of the existing files of records, without `.json`.

    Raises:
        ValueError: a file of records does not exist or belongs to two subjects, or a field is not valid.
    """
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path.name} is not valid TOML: {error}") from None
    stems = sorted(stems)
    subjects = [_subject(page, fields) for page, fields in declared.items()]
    used = [stem for subject in subjects for stem in subject.files]
    for stem in used:
        if stem not in stems:
            raise ValueError(f"{path.name}: {stem}.json does not exist. Correct the list of files.")
        if used.count(stem) > 1:
            raise ValueError(f"{path.name}: {stem}.json must belong to one subject only.")
    others = [stem for stem in stems if stem not in used]
    return subjects + [Subject(stem, stem.replace("_", " ").capitalize(), "", (stem,)) for stem in others]


def read_subject_records(subject: Subject, folder: Path) -> dict:
    """Return `{name: record}` of all files of the subject.

    Raises:
        ValueError: two files have a record of the same name, or a file is not valid.
    """
    records: dict = {}
    for stem in subject.files:
        new = read_records(folder / f"{stem}.json")
        for name in sorted(set(new) & set(records)):
            raise ValueError(f"Subject {subject.page}: {name} must be in one file only. Found in {stem}.json")
        records |= new
    return records


def all_tables(subject: Subject, records: dict) -> list[Table]:
    """Return the declared tables and those of the records that they leave out, with missed goals first.

    Raises:
        ValueError: a row or a column has no record, or a record is in two tables.
    """
    seen: dict = {}
    for table in subject.tables:
        _check_grid(table, records)
        for name in table.names(records):
            if name in seen:
                raise ValueError(
                    f"{name} must be in one table only. Found in {seen[name]!r}, {table.title!r}"
                )
            seen[name] = table.title
    for name, _ in subject.remarks:
        if name not in records:
            raise ValueError(f"Subject {subject.page}: the remark on {name} has no record. Remove it.")
    rest = {name: record for name, record in records.items() if name not in seen}
    tables = [*subject.tables, *undeclared_tables(rest)]
    return sorted(tables, key=lambda table: not missed(table.names(records), records))


def undeclared_tables(records: dict) -> list[Table]:
    """Return tables of at most 20 rows: a row for each name up to its last dot, a column for each last part.

    A grid that would be wide or mostly empty is a list instead, with one record in each row.
    """
    names = sorted(records)
    systems = sorted({name.rpartition(".")[0] for name in names})
    measures = sorted({name.rpartition(".")[2] for name in names})
    filled = len(names) / (len(systems) * len(measures) or 1)
    if len(measures) <= MOST_COLUMNS and filled >= LEAST_FILLED:
        rows = [Row(f"`{system}`", f"{system}.*") for system in systems]
        columns = tuple(Column(measure.replace("_", " "), (measure,)) for measure in measures)
    else:
        rows = [Row(f"`{name}`", f"{name}.*") for name in names]
        columns = (Column("result", ("",)),)
    parts = [tuple(rows[start : start + MOST_ROWS]) for start in range(0, len(rows), MOST_ROWS)]
    titles = [
        f"All records, part {part}" if len(parts) > 1 else "All records" for part in range(1, len(parts) + 1)
    ]
    return [Table(title, "", part, columns) for title, part in zip(titles, parts, strict=True)]


def missed(names: Iterable[str | None], records: dict) -> list[str]:
    """Return the names whose record does not reach its goal."""
    return [name for name in names if name and is_met(records[name]) is False]


def _cell(row, column, records):
    for measure in column.measure:
        name = row.records.replace("*", measure) if measure else row.records.removesuffix(".*")
        if name in records:
            return name
    return None


def _check_grid(table, records):
    grid = table.grid(records)
    for row, line in zip(table.rows, grid, strict=True):
        if not any(line):
            raise ValueError(
                f"Table {table.title!r}: row {row.label!r} ({row.records}) has no record. Remove it."
            )
    for number, column in enumerate(table.columns):
        names = [line[number] for line in grid if line[number]]
        if not names:
            raise ValueError(f"Table {table.title!r}: column {column.label!r} has no record. Remove it.")
    names = [name for line in grid for name in line if name]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"Table {table.title!r}: {name} must be in one cell only.")


def _subject(page, fields):
    fields = dict(fields)
    try:
        tables = tuple(_table(table) for table in fields.pop("tables", ()))
        remarks = tuple(fields.pop("remarks", {}).items())
        return Subject(page=page, files=tuple(fields.pop("files")), tables=tables, remarks=remarks, **fields)
    except (TypeError, KeyError) as error:
        raise ValueError(f"Subject {page} of results.toml is not valid: {error}") from None


def _table(fields):
    fields = dict(fields)
    rows = tuple(Row(**row) for row in fields.pop("rows"))
    columns = tuple(_column(column) for column in fields.pop("columns"))
    table = Table(rows=rows, columns=columns, **{**fields, "quote": tuple(fields.get("quote", ("", "")))})
    if len(rows) > MOST_ROWS:
        raise ValueError(f"Table {table.title!r} must have at most {MOST_ROWS} rows. Received: {len(rows)}")
    return table


def _column(fields):
    measure = fields["measure"]
    column = Column(**{**fields, "measure": (measure,) if isinstance(measure, str) else tuple(measure)})
    if column.better not in BETTER:
        raise ValueError(f"better must be 'lower', 'higher' or ''. Received: better={column.better!r}")
    return column
