"""What is known of the audio files of a folder: a manifest, or their names."""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.left_out import some_of
from keras_ae.split_names import SPLIT_NAMES, split_of
from keras_ae.text.text_file import TextFile
from keras_ae.training.datasets.speech_source import LABEL_COLUMNS

MANIFESTS = {"manifest.csv": ",", "manifest.tsv": "\t"}
NAME = re.compile(r"(?P<label>[^_]+)_(?P<speaker>[^_]+)_(?P<take>\d+)")
NEVER_EMPTY = ("path", "split", "speaker")


def read_manifest(path: Path, training: bool = True) -> list[dict[str, str]]:
    """The rows of a csv or tsv file with a header and a column `path`.

    White space around names and cells is removed, and lines without any cell are skipped. In the column
    `split` every name of a split becomes "train", "validation" or "test".

    Args:
        path: the file.
        training: check and convert split, speaker and label too; otherwise the column `path` alone.

    Raises:
        InputError: the file is not such a table: a quote stays open, a row has too many or too few
            cells, a header or a path is repeated, a path, split, speaker or label is empty, or a split is
            unknown. The message names the lines.
    """
    lines = _rows(path)
    header = next(lines, (0, []))[1]
    rows = list(lines)
    if "path" not in header or not rows:
        raise InputError(
            f"{path} must have a header with the column path, and a row for each file. "
            f"Received: {', '.join(header) or 'nothing'}; {len(rows)} rows"
        )
    _check_header(path, header)
    for line, cells in rows:
        if len(cells) != len(header):
            came = "more" if len(cells) > len(header) else "fewer"
            raise InputError(f"{path}, line {line}: expected {len(header)} columns. Received: {came}")
    table = [(line, dict(zip(header, cells, strict=True))) for line, cells in rows]
    label = [name for name in LABEL_COLUMNS if name in header][:1]
    _check_cells(path, [*NEVER_EMPTY, *label] if training else ["path"], table)
    _check_repeats(path, table)
    return [_with_split(path, line, row) if training else row for line, row in table]


def _rows(path) -> Iterator[tuple[int, list[str]]]:
    """`(line number, cells)` of the lines that are not empty."""
    # quotes mean something in csv only
    quoting = csv.QUOTE_MINIMAL if path.suffix == ".csv" else csv.QUOTE_NONE
    table = csv.reader(
        (f"{line}\n" for line in TextFile(path).lines()),
        delimiter=MANIFESTS[path.name],
        quoting=quoting,
        skipinitialspace=path.suffix == ".csv",
        strict=True,
    )
    first = 1
    try:
        for cells in table:
            # a quote that was left open ends at the next one, lines later
            if any("\n" in cell for cell in cells):
                raise InputError(
                    f"{path}, line {first} must not have a line break within a cell. "
                    f"Received: a cell up to line {table.line_num}; close its quote."
                )
            if any(map(str.strip, cells)):
                yield first, [cell.strip() for cell in cells]
            first = table.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}, line {first} must be cells with {quoted(MANIFESTS[path.name])} between them. "
            f"Received: {error}; close the quote that is open, or write a quote within quotes twice."
        ) from None


def quoted(separator: str) -> str:
    """A separator as errors show it."""
    return "tabs" if separator == "\t" else f"{separator!r}"


def _check_header(path, header):
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise InputError(f"{path} must have each column once. Received: {', '.join(repeated)} more than once")
    if "" in header:
        raise InputError(
            f"{path}: column {header.index('') + 1} must have a name. Received: none in the header; name it "
            "or remove it (pandas writes such a column unless index=False)."
        )


def _check_cells(path, names, table):
    for name in names:
        empty = [str(line) for line, row in table if row.get(name) == ""]
        if empty:
            raise InputError(
                f"{path} must have a {name} in each row. Received: an empty cell in line "
                f"{some_of(empty, shown=20)}; fill it, or remove the row or the column."
            )


def _check_repeats(path, table):
    found: dict[str, list[tuple[int, str]]] = {}
    for line, row in table:
        found.setdefault(real_place(path.parent / row["path"]), []).append((line, row["path"]))
    repeated = [
        f"{rows[0][1]} in lines {', '.join(str(line) for line, _ in rows)}"
        for rows in found.values()
        if len(rows) > 1
    ]
    if repeated:
        raise InputError(f"{path} must name each file once. Received: {some_of(repeated, shown=10)}")


def real_place(path: Path) -> str:
    """The same for all ways to write the path of a file: absolute, relative, by links to folders.

    A link to a file is a file of its own.
    """
    folder, name = os.path.split(os.path.normpath(path))
    return os.path.join(os.path.realpath(folder), name)


def _with_split(path, line, row):
    if "split" not in row:
        return row
    split = split_of(row["split"])
    if split is None:
        known = ", ".join(name for names in SPLIT_NAMES.values() for name in names)
        raise InputError(f"{path}, line {line}: split must be one of {known}. Received: {row['split']}")
    return row | {"split": split}


def rows_of_names(names: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """What the names of files tell, and the names that tell nothing where most of them do.

    Where most are `<label>_<speaker>_<take>`, the others are left out. Else all are taken,
    and nothing is known of them.

    Example:

    >>> rows_of_names(["7_george_12.wav"])
    ([{'path': '7_george_12.wav', 'label': '7', 'speaker': 'george', 'take': '12'}], [])
    """
    matches = {name: NAME.fullmatch(Path(name).stem) for name in names}
    other = [name for name, match in matches.items() if not match]
    if 2 * len(other) >= len(names):
        return [{"path": name} for name in names], []
    return [{"path": name, **match.groupdict()} for name, match in matches.items() if match], other
