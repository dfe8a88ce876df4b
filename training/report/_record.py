"""Record of the files of a run directory; missing or broken files are tolerated."""

import csv
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.evaluation.attempts import LOG
from keras_ae.evaluation.report.record import EmbeddingRecord
from keras_ae.export_folders import MANIFEST, version_folders
from keras_ae.training.report.examples import FILE as READING
from keras_ae.training.report.examples import FOLDER as LISTENING
from keras_ae.training.report.examples import Listening, SentenceReading, read_listening, read_reading
from keras_ae.training.report.transfer import transfer_notes

NOT_RESULTS = ("transfer", "columns", "left_out", "failed")  # keys of metrics.json with their own sections
MARKS = ("config.json", "metrics.json", "history.csv")
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class Export:
    """Exported artifact: its format, its folder in the run, and its manifest."""

    format: str
    path: str
    manifest: dict


@dataclass(frozen=True)
class RunRecord:
    """Files of a run directory; each missing or broken file adds a sentence to `problems`.

    Attributes:
        directory: the run directory.
        config: recipe, settings, data, versions, seed, command.
        metrics: the results.
        transfer: results on tasks of labelled sentences, `{row: {task: results}}`.
        columns: errors of the columns of a table, `{column: {"error", "baseline"}}`.
        history: `{column: values}`, one value per epoch, NaN if missing.
        training: numbers of parameters, duration and machine; empty for runs of older versions.
        figures: `{name: PNG bytes}`.
        exports: the artifacts with a manifest.
        embedding: record of the embedding, or `None`.
        listening: examples of utterances with audio.
        reading: examples of sentences and words, or `None`.
        problems: one sentence for each missing or broken file.
    """

    directory: Path
    config: dict = field(default_factory=dict)
    metrics: dict = field(default_factory=dict)
    transfer: dict = field(default_factory=dict)
    columns: dict = field(default_factory=dict)
    history: dict[str, list[float]] = field(default_factory=dict)
    training: dict = field(default_factory=dict)
    figures: dict[str, bytes] = field(default_factory=dict)
    exports: list[Export] = field(default_factory=list)
    embedding: EmbeddingRecord | None = None
    listening: list[Listening] = field(default_factory=list)
    reading: SentenceReading | None = None
    problems: list[str] = field(default_factory=list)


def read_run(directory: str | Path) -> RunRecord:
    """Read a run directory, which may be incomplete.

    Raises:
        InputError: the directory does not exist or contains none of a run's files.
    """
    directory = Path(directory)
    if not any((directory / name).is_file() for name in MARKS):
        raise InputError(
            f"{directory} is not a run directory: it must contain {', '.join(MARKS[:-1])} or {MARKS[-1]}, as "
            f"`keras-ae train` writes them. {_what_came(directory)}"
        )
    problems: list[str] = []
    metrics = _read_json(directory / "metrics.json", "the run has not been tested yet", problems)
    problems += [f"{name} was left out: {why}" for name, why in _reasons(metrics, "left_out")]
    problems += [
        f"{name} could not be measured: {why} The traceback is in {LOG}."
        for name, why in _reasons(metrics, "failed")
    ]
    transfer = metrics.get("transfer", {})
    problems += transfer_notes(transfer)
    return RunRecord(
        directory=directory,
        config=_read_json(directory / "config.json", "the settings and the data are unknown", problems),
        metrics={name: value for name, value in metrics.items() if name not in NOT_RESULTS},
        transfer=transfer,
        columns=metrics.get("columns", {}),
        history=_read_history(directory / "history.csv", problems),
        training=_read_training(directory / "training.json", problems),
        figures=_read_figures(directory, problems),
        exports=_read_exports(directory / "export", problems),
        embedding=_read_embedding(directory, problems),
        listening=read_listening(directory, problems),
        reading=read_reading(directory, problems),
        problems=problems,
    )


def _read_training(path, problems):
    return _read_json(path, "", problems) if path.is_file() else {}


def _reasons(metrics, key):
    reasons = metrics.get(key)
    return reasons.items() if isinstance(reasons, dict) else ()


def _what_came(directory):
    if not directory.exists():
        return "It does not exist."
    return "It is a file." if directory.is_file() else "It contains none of them."


def _read_json(path, meaning, problems):
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path.name} is missing: {meaning}.")
    except (OSError, ValueError) as error:
        problems.append(f"{path.name} cannot be read: {error}.")
    else:
        if isinstance(content, dict):
            return content
        problems.append(f"{path.name} cannot be read: it must be a JSON object.")
    return {}


def _read_history(path, problems):
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except FileNotFoundError:
        problems.append("history.csv is missing: there are no learning curves.")
        return {}
    except (OSError, ValueError, csv.Error) as error:
        problems.append(f"history.csv cannot be read: {error}.")
        return {}
    if not rows:
        problems.append("history.csv has no rows: no epoch has ended yet.")
        return {}
    columns = {name: [_number(row.get(name)) for row in rows] for name in rows[0] if name}
    return {name: values for name, values in columns.items() if any(map(math.isfinite, values))}


def _number(text):
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


def _read_figures(directory, problems):
    folder, figures = directory / "figures", {}
    for path in sorted(path for path in folder.glob("*.png") if path.is_file()):
        content = path.read_bytes()
        if content.startswith(PNG_START) and content.endswith(PNG_END):
            figures[path.stem] = content
        else:
            problems.append(f"figures/{path.name} is not a whole PNG file.")
    shown = (directory / LISTENING).is_dir() or (directory / READING).is_file()
    if not figures and not shown:
        problems.append("figures/ contains no pictures.")
    return figures


def _read_exports(folder, problems):
    places = [("SavedModel", path) for path in _versions(folder / "saved_model")]
    places += [("ONNX", path) for path in _versions(folder / "onnx")]
    places += [("ONNX", folder / "onnx" / MANIFEST)]  # of an earlier version of keras_ae
    exports = []
    for name, path in places:
        if path.is_file():
            manifest = _read_json(path, "", problems)
            exports.append(Export(name, path.parent.relative_to(folder.parent).as_posix(), manifest))
    return exports


def _read_embedding(directory, problems):
    """Read the record of the embedding; runs have none before `keras-ae report`."""
    try:
        return EmbeddingRecord.load(directory)
    except FileNotFoundError:
        return None
    except InputError as error:
        problems.append(f"The embedding is left out: {error}")
        return None


def _versions(folder):
    """Return the manifests of all versions, the newest first."""
    return [path / MANIFEST for path in reversed(version_folders(folder).values())]
