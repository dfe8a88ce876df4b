"""Reading of files: listing, prefetching, progress, and errors of broken files."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras

from keras_ae.data_files import LeftOut, some_of
from keras_ae.errors import InputError

THREADS = 2
AHEAD = 4  # batches


def read_ahead(make: Callable, items: Iterable) -> Iterator:
    """Yield `make(item)` for each item, in order; threads compute up to four items ahead.

    `tf.data` would do the same, but not with deterministic kernels, which a training uses: with
    these it calls Python only when a batch is requested.

    Example:

    >>> list(read_ahead(lambda n: n * n, range(6)))
    [0, 1, 4, 9, 16, 25]
    """
    waiting: deque = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(make, item))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


START = 16  # bytes from which the kind of a file is determined


def list_files(
    folder: Path,
    extensions: tuple[str, ...],
    left_out: LeftOut,
    kind: str,
    recognized: Callable[[bytes], bool] | None = None,
    known: tuple[str, ...] = (),
) -> list[str]:
    """Return the sorted paths of the files of one kind below a folder, relative to it, separated by `/`.

    Links to folders are followed after all real folders, each folder once. Every file that is left out
    is recorded: hidden files and folders (names that begin with a dot), and files of other kinds.

    Args:
        folder: the folder to search.
        extensions: extensions in lower case, such as `(".wav", ".flac")`; the case of names is ignored.
        left_out: record to which the files that are not of this kind are added.
        kind: kind of the files for `left_out`, such as "image".
        recognized: function that returns whether the first 16 bytes of a file are of this kind, for
            files with another extension; `None`: only the extension decides.
        known: names of special files directly in the folder, such as manifests; they are not recorded.
    """
    names, visited = [], set()
    failed = lambda error: left_out.add("folder that cannot be listed", _relative(error.filename, folder))  # noqa: E731
    for place, folders, files in _walk(folder, failed):
        if os.path.realpath(place) in visited:
            left_out.add("link to a folder that is read already", _relative(place, folder))
            folders.clear()
            continue
        visited.add(os.path.realpath(place))
        for name in sorted(name for name in folders if name.startswith(".")):
            left_out.add("hidden", f"{_relative(place, folder, name)}/")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            relative = _relative(place, folder, name)
            if name.startswith("."):
                left_out.add("hidden", relative)
            elif name.lower().endswith(extensions) or (recognized and recognized(_start(place, name))):
                names.append(relative)
            elif relative not in known:
                suffix = Path(name).suffix.lower() or "without an ending"
                left_out.add(f"{suffix}, no {kind}", relative)
    return sorted(names)


def _walk(folder, failed):
    """Walk a folder like `os.walk`; follow links to folders after all other folders."""
    starts = [folder]
    for start in starts:  # the list grows during the loop
        for place, folders, files in os.walk(start, onerror=failed):
            yield place, folders, files
            starts += [
                path for path in (os.path.join(place, name) for name in folders) if os.path.islink(path)
            ]


def _start(place, name):
    try:
        with open(os.path.join(place, name), "rb", buffering=0) as file:
            return file.read(START)
    except OSError:
        return b""


def _relative(place, folder, *name):
    return Path(place, *name).relative_to(folder).as_posix()


MANY = 5000  # least number of examples for which a terminal shows a progress bar


def progress_of(count: int, examples: str, unit: str) -> Callable[[int], None]:
    """Return a function that shows progress, called with the number of finished examples of `count`."""
    if count < MANY or not sys.stdout.isatty():
        return lambda done: None
    print(f"Checking the {examples}")
    return keras.utils.Progbar(count, unit_name=unit).update


NAMED = 200


def broken_files(first: str, others: Sequence[str]) -> InputError:
    """Return an error with the problem of the first file and the names of the others, to replace all at once.

    Example:

    >>> print(broken_files("a.png is cut short: replace it.", ["b.png", "c.png"]))
    a.png is cut short: replace it. 2 more cannot be read: b.png, c.png. Or leave them out: --skip-broken.
    """
    if not others:
        return InputError(f"{first} Or leave it out: --skip-broken.")
    return InputError(
        f"{first} {len(others)} more cannot be read: {some_of(others, NAMED)}. "
        "Or leave them out: --skip-broken."
    )
