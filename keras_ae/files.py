"""Atomic writing of files, with file names in errors and protection of inputs."""

import contextlib
import errno
import os
import shutil
import tempfile
import unicodedata
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from keras_ae.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # mypy knows no modules that may be missing

STAGING = ".keras-ae-export-"  # hidden, because servers search for version numbers


def write_atomically(path: str | os.PathLike, content: bytes | str) -> Path:
    """Write `content` to `path` by renaming a complete temporary file; missing folders are created.

    Readers always find the complete old or new file, also if the process is killed while writing.

    Args:
        path: the file.
        content: bytes, or text that is written as UTF-8.

    Returns:
        `path` as a `Path`.

    Raises:
        OSError: with the name of the file, also where the disk is full.

    Example:

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write_atomically(f"{folder}/notes/a.txt", "done").read_text()
    'done'
    """
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)
    return Path(path)


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yield an empty file next to `path`, with its ending, which replaces it if the body succeeds.

    Raises:
        OSError: with the name of `path`, also where the disk is full.

    Example:

    >>> path = Path(tempfile.mkdtemp(), "a.txt")
    >>> with replacing(path) as part:
    ...     _ = part.write_text("whole")
    >>> path.read_text(), len(list(path.parent.iterdir()))
    ('whole', 1)
    """
    path = Path(path)
    with named_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}.", suffix=path.suffix)
        except OSError as error:
            error.filename = os.fspath(path)  # the error should not name the temporary file
            raise
        os.close(handle)
        try:
            yield Path(name)
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException as error:
            os.unlink(name)
            if isinstance(error, OSError) and error.filename == name:
                error.filename = os.fspath(path)
            raise


@contextlib.contextmanager
def named_errors(path: str | os.PathLike) -> Iterator[None]:
    """Add the name `path` to each `OSError` of the body that names no file.

    `file.write`, zipfile, NumPy and HDF5 raise errors that do not say which file could not be written.

    Example:

    >>> with named_errors("model.keras"):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
        ...
    OSError: [Errno 28] No space left on device: 'model.keras'
    """
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(*_reason(error, path), str(path)) from error


def output_paths(
    names: Iterable[str | os.PathLike],
    *,
    inputs: Iterable[str | os.PathLike] = (),
    folder: str | os.PathLike | None = None,
    sources: Iterable[str] | None = None,
) -> list[Path]:
    """Return the paths of the files to write, checked before anything is written.

    Args:
        names: names of the files, relative to `folder` if it is given.
        inputs: files that are read, and folders with everything inside. Missing ones are ignored.
        folder: folder in which all outputs must lie.
        sources: the input of each output, for errors.

    Returns:
        the path of each name.

    Raises:
        InputError: an output is an input or lies in an input folder, also by another name of the same
            file; it lies outside of `folder`, also by a link; two outputs are the same file; it is a
            directory or a device.

    Example:

    >>> output_paths(["a.wav", "b/c.wav"], folder="out")
    [PosixPath('out/a.wav'), PosixPath('out/b/c.wav')]
    >>> output_paths(["../a.wav"], folder="out")
    Traceback (most recent call last):
        ...
    keras_ae.errors.InputError: Every output must lie in the output folder out. Received: ../a.wav
    """
    files = [os.fspath(name) for name in names]
    sources = files if sources is None else list(sources)
    protected = _Protected(inputs)
    taken: dict[str, str] = {}
    paths = []
    for name, source in zip(files, sources, strict=True):
        path = Path(name) if folder is None else Path(folder, name)
        real = path.resolve()
        if folder is not None and not real.is_relative_to(Path(folder).resolve()):
            raise InputError(f"Every output must lie in the output folder {folder}. Received: {name}")
        if path.exists() and not path.is_file():
            kind = "a directory" if path.is_dir() else "not a regular file"
            raise InputError(f"The output {path} must be a file. Received: {kind}. Pass the name of a file.")
        protected.check(path, real)
        key = _key(real)
        if key in taken:
            raise InputError(
                f"Outputs must be different files. Received: {taken[key]} and {source}, which would both be "
                f"written to {path}. Rename one of them, or write them to different folders."
            )
        taken[key] = source
        paths.append(path)
    return paths


def page_outputs(
    page: str | os.PathLike, inputs: Iterable[str | os.PathLike] = (), endings: Iterable[str] = (".json",)
) -> tuple[Path, ...]:
    """Return the paths of an .html file and of the files written next to it, checked by `output_paths`.

    Args:
        page: the .html file.
        inputs: as in `output_paths`.
        endings: endings of the files next to the page, in place of `.html`.

    Returns:
        the page, and the file of each ending.

    Raises:
        InputError: `page` is not an .html file; a file is not a valid output; one of the files next to the
            page exists without the page, so that another program has written it.

    Example:

    >>> page_outputs("no/such/page.html", endings=(".json", ".failed.txt"))[1:]
    (PosixPath('no/such/page.json'), PosixPath('no/such/page.failed.txt'))
    """
    page = Path(page)
    if page.suffix != ".html":
        raise InputError(f"The output must be an .html file. Received: {page}")
    page, *others = output_paths([page, *map(page.with_suffix, endings)], inputs=inputs)
    for other in others:
        if other.exists() and not page.exists():
            what = "The results" if other.suffix == ".json" else "The failed measurements"
            raise InputError(
                f"{what} of {page} are written to {other}, which must not exist without the page: "
                "choose another name for the page, or remove this file."
            )
    return page, *others


class _Protected:
    """Set of inputs that must not be overwritten, by real path and by device and inode."""

    def __init__(self, inputs):
        self.names = {Path(given).resolve(): os.fspath(given) for given in inputs if Path(given).exists()}
        self.numbers = {_number(path): name for path, name in self.names.items()}

    def check(self, path, real):
        """Raise `InputError` if `path`, with the real path `real`, is an input or lies in an input folder."""
        for place in (real, *real.parents):
            given = self.names.get(place) or (self.numbers.get(_number(place)) if place.exists() else None)
            if given is None:
                continue
            if place == real:
                raise InputError(f"The output {path} must not be an input. Choose another output.")
            raise InputError(
                f"The output {path} must not lie in {given}, whose files are inputs: choose a place outside."
            )


def _number(path):
    """Return device and inode of a file: equal for all its names, also on file systems that ignore case."""
    status = path.stat()
    return status.st_dev, status.st_ino


def _key(real):
    """Return a key that is equal for all names of one file, which may not exist yet."""
    text = os.fspath(real)
    return unicodedata.normalize("NFC", text).casefold() if ignores_case(real) else text


def ignores_case(path: Path) -> bool:
    """Return whether the file system of `path` ignores case, tested with an existing parent folder."""
    for folder in path.parents:
        swapped = folder.with_name(folder.name.swapcase())
        if folder.exists() and swapped.name != folder.name:
            return swapped.exists() and swapped.samefile(folder)
    return False


def _reason(error, path):
    """Return `(errno, text)` of an error that names no file; NumPy and HDF5 omit the number."""
    if error.errno is not None:
        return error.errno, os.strerror(error.errno)  # shorter than HDF5's own message
    folder = next(parent for parent in Path(path).absolute().parents if parent.exists())
    full = "No space left" in str(error) or not shutil.disk_usage(folder).free
    if full:
        return errno.ENOSPC, os.strerror(errno.ENOSPC)
    return errno.EIO, " ".join(f"it cannot be written whole ({error})".split())


def _umask() -> int:
    """Return the umask of the process, since `mkstemp` creates files that only their owner can read."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def cache_folder() -> Path:
    """Return `KERAS_AE_CACHE`, else `keras_ae` below `XDG_CACHE_HOME`, else `~/.cache/keras_ae`."""
    if chosen := os.environ.get("KERAS_AE_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keras_ae"


def write_to_cache(path: Path, write: Callable) -> None:
    """Write `path` with `write(file)` by renaming a complete temporary file; safe for concurrent writers.

    If the folder is not writable or the disk is full, only a warning is given: the cache only saves time.
    """
    try:
        with replacing(path) as part, part.open("wb") as file:
            write(file)
    except OSError as error:
        warnings.warn(f"{path} cannot be written, it is not cached: {error}", stacklevel=3)


@contextlib.contextmanager
def staging_directory(directory: Path) -> Iterator[Path]:
    """Yield a hidden directory inside `directory`, on the same file system, which is removed at the end.

    Files that the body did not move out of it are deleted, and so is `directory` if it was created here and
    is still empty. If the body succeeds, hidden directories of processes that were killed are removed, too.

    Raises:
        InputError: `directory` cannot be written to, or the disk is full.
    """
    made = _missing(directory)
    temporary = directory / f".{uuid.uuid4().hex}"
    lock = None
    try:
        try:
            temporary.mkdir(parents=True)
            lock = _flock(temporary)
            # it gets the name of a leftover when it is locked, so that no other process removes it
            temporary = temporary.rename(directory / f"{STAGING}{uuid.uuid4().hex}")
            yield temporary
        except OSError as error:
            if error.filename is not None and not Path(error.filename).is_relative_to(directory):
                raise  # another file
            reason = error.strerror or " ".join(str(error).split())
            raise InputError(
                f"The output directory must be writable. Received: {directory} ({reason}). "
                "Choose another directory, or free space."
            ) from error
        _remove_leftovers(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if lock is not None:
            os.close(lock)
        for path in made:
            with contextlib.suppress(OSError):  # not empty: it contains the artifact
                path.rmdir()


def _remove_leftovers(directory):
    """Remove the staging directories that no living process has locked."""
    for leftover in directory.glob(f"{STAGING}*"):
        lock = _flock(leftover)
        if lock is not None:
            shutil.rmtree(leftover, ignore_errors=True)
            os.close(lock)


def _flock(path):
    """Lock a directory until the file is closed or the process ends; `None` if it is or cannot be locked."""
    if fcntl is None:
        return None
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:  # it was removed or renamed meanwhile
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # a process holds it, or the file system does not support locks
        os.close(file)
        return None
    return file


def _missing(directory):
    """Return those of `directory` and its parents that do not exist yet, innermost first."""
    return [path for path in (directory, *directory.parents) if not path.exists()]
