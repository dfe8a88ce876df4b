"""Directories in which an artifact is finished before anyone can see it."""

import contextlib
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from keras_ae.errors import InputError


@contextlib.contextmanager
def staging_directory(directory: Path) -> Iterator[Path]:
    """A hidden directory inside `directory`, on the same file system, removed at the end.

    Whatever the body did not rename away is gone afterwards, and so is `directory`
    if it was made here and stayed empty.

    Raises:
        InputError: `directory` cannot be written to.
    """
    made = _missing(directory)
    temporary = directory / f".{uuid.uuid4().hex}"  # hidden: servers look for version numbers
    try:
        try:
            temporary.mkdir(parents=True)
        except OSError as error:
            raise InputError(
                f"Expected a directory that can be written to. Received: {directory} ({error.strerror}). "
                "Choose another directory."
            ) from error
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        for path in made:
            with contextlib.suppress(OSError):  # not empty: the artifact is in there
                path.rmdir()


def _missing(directory):
    """`directory` and its parents that do not exist yet, innermost first."""
    return [path for path in (directory, *directory.parents) if not path.exists()]
