"""What is known of the audio files of a folder: a manifest, or their names."""

import csv
import re
from pathlib import Path

from keras_ae.errors import InputError

MANIFESTS = {"manifest.csv": ",", "manifest.tsv": "\t"}
NAME = re.compile(r"(?P<label>[^_]+)_(?P<speaker>[^_]+)_(?P<take>\d+)")


def read_manifest(path: Path) -> list[dict[str, str]]:
    """The rows of a csv or tsv file with a header and a column `path`.

    Raises:
        InputError: it is no such table; names the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            # quotes mean something in csv only
            quoting = csv.QUOTE_MINIMAL if path.suffix == ".csv" else csv.QUOTE_NONE
            table = csv.DictReader(file, delimiter=MANIFESTS[path.name], quoting=quoting)
            rows = [(table.line_num, row) for row in table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not readable as UTF-8 text with columns: {error}") from None
    if not rows or "path" not in rows[0][1]:
        raise InputError(
            f"{path}: expected a header with the column path, and a row for each file. "
            f"Received: {', '.join(map(str, table.fieldnames or [])) or 'nothing'}; {len(rows)} rows"
        )
    for line, row in rows:
        if None in row or None in row.values():
            raise InputError(
                f"{path}, line {line}: expected {len(table.fieldnames)} columns. Received: "
                + ("more" if None in row else "fewer")
            )
    return [row for _, row in rows]


def rows_of_names(names: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """What the names of files tell, and a line for each file that they leave out.

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
    known = [{"path": name, **match.groupdict()} for name, match in matches.items() if match]
    return known, [f"left out: {name} is not named <label>_<speaker>_<take>." for name in other]
