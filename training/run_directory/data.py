"""Data of a run, and the files in its directory."""

import dataclasses
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.training.run_directory.fingerprint import DataFingerprint

BUILT_IN = ("digits", "sprites", "espeak", "docstrings")


def place_of_data(recipe) -> str | None:
    """The absolute path of the data of a recipe, `None` of those that come with the package."""
    return None if recipe.data in BUILT_IN else str(Path(recipe.data).absolute())


def with_existing_data(run, recipe):
    """`recipe`, that of a run, with the place where its data lie now.

    A relative path holds in the folder where the training began; the absolute one is tried then.

    Args:
        run: a `Run`.
        recipe: with the data of the run or with those that were given instead.

    Raises:
        InputError: they are gone; names the place and the option.
    """
    if recipe.data in BUILT_IN or Path(recipe.data).exists():
        return recipe
    known = run.config.get("data_path")
    if recipe.data == run.recipe().data:
        if known and Path(known).exists():
            return dataclasses.replace(recipe, data=known)
        raise InputError(
            f"{known or recipe.data}, the data of {run.directory}, does not exist any more. If it was moved, "
            "give its place with --data."
        )
    return recipe  # the reader says what it expects


def differences(run, fingerprint: DataFingerprint) -> str:
    """What differs between the data of a run and those of `fingerprint`, in words; empty if nothing.

    A run of a version that kept no fingerprint is not compared; one line says so.
    """
    before = DataFingerprint.load(run.directory)
    if before is None:
        print(f"{run.directory} has no fingerprint of its data: whether they have changed cannot be checked.")
        return ""
    return before.differences(fingerprint)


def check_same_data(run, fingerprint: DataFingerprint) -> None:
    """Refuse data other than those that a run was trained on.

    Raises:
        InputError: with what was added, removed and changed.
    """
    changed = differences(run, fingerprint)
    if changed:
        raise InputError(
            f"The data of {run.directory} have changed since its training began: {changed}. "
            "Restore them, or give the place of the same data with --data, or start a new run."
        )


def load_data_of(run, data: str | None = None, **others):
    """`(recipe, data)` of a run, for measurements.

    Args:
        run: a `Run`.
        data: other data, or the same in another place; `None`: those of the run.
        **others: further settings of the recipe that are not those of the run; `None`: as they are.

    Raises:
        InputError: the data are gone or have changed, and no others are given.
    """
    changed = {name: value for name, value in {"data": data, **others}.items() if value is not None}
    recipe = with_existing_data(run, dataclasses.replace(run.recipe(), **changed))
    examples = recipe.load_data()
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
    "report.html",
    "reading.json",
    "embedding.json",
    "failed_measurement.txt",
    "training.lock",
)
FOLDERS = ("figures", "logs", "listening", "embedding", "export", "autoencoder")


def files_of_run(directory: str | Path) -> list[Path]:
    """The files and folders of a run that exist; a user may keep files of other names next to them.

    Example:

    >>> files_of_run("no/such/run")
    []
    """
    paths = (Path(directory) / name for name in (*FILES, *FOLDERS))
    return [path for path in paths if path.exists()]


def files_of_encoder(path: str | Path) -> list[Path]:
    """The files and folders of an encoder, which no output may replace.

    Args:
        path: of a run, a `.keras` file, or an exported artifact.
    """
    path = Path(path)
    if (path / "config.json").is_file():
        return files_of_run(path)
    if not path.is_dir():
        return [path]
    # codes that were written next to an artifact are not a part of it
    return [file for file in path.rglob("*") if file.is_file() and file.suffix != ".npz"]
