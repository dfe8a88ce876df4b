"""Names of the files that belong to a run directory."""

from pathlib import Path

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
