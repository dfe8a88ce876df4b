"""Data of a run, and files in its directory."""

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

from keras_ae.errors import InputError
from keras_ae.training.run_directory.fingerprint import DataFingerprint

BUILT_IN = ("digits", "sprites", "espeak", "docstrings", "breast-cancer")


def place_of_data(recipe: Any) -> str | None:
    """Return the absolute path of the data of a recipe; `None` for built-in data."""
    return None if recipe.data in BUILT_IN else str(Path(recipe.data).absolute())


def with_existing_data(run: Any, recipe: Any) -> Any:
    """Return `recipe`, that of a run, with the current location of its data.

    A relative path is relative to the folder in which the training began: the absolute path is used
    wherever it exists.

    Args:
        run: a `Run`.
        recipe: recipe with the data of the run or with other given data.

    Raises:
        InputError: the data are missing; the message names the location and the option.
    """
    if recipe.data in BUILT_IN:
        return recipe
    known, own = run.config.get("data_path"), recipe.data == run.recipe().data
    if own and known and known != place_of_data(recipe) and Path(known).exists():
        return dataclasses.replace(recipe, data=known)
    if own and not Path(recipe.data).exists():
        raise InputError(
            f"{known or recipe.data}, the data of {run.directory}, no longer exists. If it was moved, "
            "pass its new path with --data."
        )
    return recipe  # the reader reports the error


def differences(run: Any, fingerprint: DataFingerprint) -> str:
    """Describe the differences between the data of a run and those of `fingerprint`; empty if equal.

    A run of an older version without a fingerprint is not compared; a printed line says so.
    """
    before = DataFingerprint.load(run.directory)
    if before is None:
        print(f"{run.directory} has no fingerprint of its data: whether they have changed cannot be checked.")
        return ""
    return before.differences(fingerprint)


def check_same_data(run: Any, fingerprint: DataFingerprint) -> None:
    """Raise an error if the data are not those on which a run was trained.

    Raises:
        InputError: the data differ; the message lists added, removed and changed items.
    """
    changed = differences(run, fingerprint)
    if changed:
        raise InputError(
            f"The data of {run.directory} have changed since its training began: {changed}. "
            "Restore them, or pass the path of the same data with --data, or start a new run."
        )


def load_data_of(run: Any, data: str | None = None, *, columns: Any = None, **others: Any) -> tuple[Any, Any]:
    """Return `(recipe, data)` of a run, for measurements.

    Args:
        run: a `Run`.
        data: other data, or a new location of the same data; `None`: those of the run.
        columns: columns of the run's model of a table, by which other rows are converted; `None`: those of
            the training rows.
        **others: further settings of the recipe that replace those of the run; `None`: unchanged.

    Raises:
        InputError: the data are missing or have changed, and no others are given.
    """
    changed = {name: value for name, value in {"data": data, **others}.items() if value is not None}
    recipe = dataclasses.replace(run.recipe(), **changed)
    if data is None or not Path(data).exists():
        recipe = with_existing_data(run, recipe)
    examples = recipe.load_data() if columns is None else recipe.load_data(columns=columns)
    fingerprint = DataFingerprint.of(examples, recipe.data)
    if data is None:
        check_same_data(run, fingerprint)
    elif changed := differences(run, fingerprint):
        print(
            f"{data} differs from the data of {run.directory} ({changed}): it is measured as other data, "
            "whose test examples may be among those trained on."
        )
    return recipe, examples


FILES = (
    "config.json",
    "data_fingerprint.json.gz",
    "checkpoint.npz",
    "model.keras",
    "metrics.json",
    "history.csv",
    "training.json",
    "report.html",
    "reading.json",
    "embedding.json",
    "failed_measurement.txt",
    "training.lock",
)
FOLDERS = ("figures", "logs", "listening", "embedding", "export", "autoencoder")


def files_of_run(directory: str | Path) -> list[Path]:
    """Return the existing files and folders of a run; other files of the user in it are not included.

    Example:

    >>> files_of_run("no/such/run")
    []
    """
    paths = (Path(directory) / name for name in (*FILES, *FOLDERS))
    return [path for path in paths if path.exists()]


def files_of_encoder(path: str | Path) -> list[Path]:
    """Return the files and folders of an encoder, which no output may replace.

    Those of a run include its training data, on which `resume` and `report` depend.

    Args:
        path: path of a run, a `.keras` file, or an exported artifact.
    """
    path = Path(path)
    if (path / "config.json").is_file():
        return [*files_of_run(path), *_places_of_data(path)]
    if not path.is_dir():
        return [path]
    # codes that were written next to an artifact are not part of it
    return [file for file in path.rglob("*") if file.is_file() and file.suffix != ".npz"]


def _places_of_data(directory):
    """Return the existing paths of the training data of a run, see `with_existing_data`; [] if unknown."""
    config: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):  # a damaged run is reported where it is opened
        config = json.loads((directory / "config.json").read_text())
    given, known = config.get("settings", {}).get("data"), config.get("data_path")
    places = [known, None if given in BUILT_IN else given]
    return [Path(place) for place in places if place and Path(place).exists()]
