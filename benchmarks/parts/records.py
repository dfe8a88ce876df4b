"""The records of measurements, kept in `docs/results/*.json`.

A file maps the name of a result to

```
{"mean": 1.9, "sd": 0.03, "n": 5, "goal": "<= 2.2", "command": "python ...", "minutes": 41, "note": ""}
```

`mean` and `sd` are over `n` repeats, whatever the note says a repeat is; `goal` is a
comparison with a number, or "" for a result that is only reported; `command` is what
a reader types at the root of the checkout to get the result, and takes `minutes`.
"""

import json
import math
import operator
import os
import re
import statistics
from pathlib import Path

FIELDS = ("mean", "sd", "n", "goal", "command", "minutes", "note")
NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
GOAL = re.compile(r"(<=|>=|<|>) (-?\d+(?:\.\d+)?(?:e-?\d+)?)")
COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
MACHINE_PATH = re.compile(r"(?:^|[\s=:'\"])(?:/|~|[A-Za-z]:\\)")


def record(values, command: str, minutes: float, note: str = "", goal: str = "") -> dict:
    """The record of repeated `values`: their mean and their standard deviation, 0 of a single one."""
    count = len(values)
    return {
        "mean": float(statistics.fmean(values)),
        "sd": float(statistics.stdev(values)) if count > 1 else 0.0,
        "n": count,
        "goal": goal,
        "command": command,
        "minutes": round(minutes, 1),
        "note": note,
    }


def write_records(path: str | Path, records: dict) -> dict:
    """Merge `records` by name into the file at `path`; returns all that it then holds.

    Args:
        path: a `.json` file, made if it is not there. It is whole at every moment.
        records: `{name: record}`; a name that is there already is replaced.

    Raises:
        ValueError: a record is not as described above; the file is left as it was.
    """
    path = Path(path)
    _check(records)
    merged = {**(read_records(path) if path.exists() else {}), **records}
    _replace(path, json.dumps(merged, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n")
    return merged


def read_records(path: str | Path) -> dict:
    """The records of a file, checked."""
    path = Path(path)
    try:
        records = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"{path.name} is no JSON file of records ({error}). Restore it, or measure again."
        ) from None
    _check(records)
    return records


def is_met(record: dict) -> bool | None:
    """Whether the mean reaches the goal; `None` where there is no goal."""
    if not record["goal"]:
        return None
    comparison, bound = GOAL.fullmatch(record["goal"]).groups()
    return COMPARISONS[comparison](record["mean"], float(bound))


def _check(records):
    if not isinstance(records, dict):
        raise ValueError(f"Records are a dict of dicts by name. Received: {type(records).__name__}")
    for name, record in records.items():
        if not NAME.fullmatch(name):
            raise ValueError(f"A record has a name such as 'vq.search.extra_mb'. Received: {name!r}")
        problem = _problem(record)
        if problem:
            raise ValueError(f"Record {name}: {problem}")


def _problem(record):
    """What is wrong with a record; `None` if nothing."""
    if not isinstance(record, dict) or set(record) != set(FIELDS):
        return f"expected a dict of {', '.join(FIELDS)}. Received: {record!r}"
    for field in ("mean", "sd", "minutes"):
        if not _is_number(record[field]) or (field != "mean" and record[field] < 0):
            return (
                f"{field} is a finite number{'' if field == 'mean' else ' >= 0'}. Received: {record[field]!r}"
            )
    if not isinstance(record["n"], int) or isinstance(record["n"], bool) or record["n"] < 1:
        return f"n is a count of repeats. Received: {record['n']!r}"
    for field in ("goal", "command", "note"):
        if not isinstance(record[field], str) or "\n" in record[field]:
            return f"{field} is a string of one line. Received: {record[field]!r}"
    if record["goal"] and not GOAL.fullmatch(record["goal"]):
        return f"goal is a comparison such as '<= 2.2', or ''. Received: {record['goal']!r}"
    if not record["command"] or MACHINE_PATH.search(record["command"]):
        return (
            f"command is what anyone can type, with no path of this machine. Received: {record['command']!r}"
        )
    return None


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _replace(path, text):
    """Write a sibling and rename it; `keras_ae.training` has the same, but takes TensorFlow along."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sibling = path.with_name(f"{path.name}.part")
    sibling.write_text(text, encoding="utf-8")
    os.replace(sibling, path)
