"""Where things that can be made again are kept."""

import os
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path


def cache_folder() -> Path:
    """`KERAS_AE_CACHE`, else `keras_ae` below `XDG_CACHE_HOME`, else `~/.cache/keras_ae`."""
    if chosen := os.environ.get("KERAS_AE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras_ae"


def write_atomically(path: Path, write: Callable) -> None:
    """Let `write(file)` fill `path`; nobody ever sees a part of it, however many write at once.

    A folder that cannot be written to, or a full disk, is a warning: the cache saves time only.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    except OSError as error:
        warnings.warn(f"{path.parent} cannot be written to, nothing is cached: {error}", stacklevel=3)
        return
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        warnings.warn(f"{path} cannot be written, it is not cached: {error}", stacklevel=3)
