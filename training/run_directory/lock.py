"""Lock that allows only one process at a time to write a run directory."""

import contextlib
import json
import os
import socket
import threading
import time
from pathlib import Path

from keras_ae.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # mypy knows no modules that may be missing

FILE = "training.lock"
BEAT = 5.0  # seconds between two signs of life


class RunLock:
    """Lock of a run directory during a `with` block; the lock of a dead process is taken over.

    The file `training.lock` contains process, host and time, and its modification time is updated every
    five seconds. On POSIX it is locked by `flock`, which is released when the process ends for any reason,
    and which NFS forwards to other hosts (Linux since 2.6.12). If another host has left a lock, or the file
    system does not support `flock` (Windows; some network file systems), the file is observed for three
    such intervals: a process that does not update it in this time counts as dead. In these cases, a process
    that is suspended for longer, or two processes that take over the same stale lock at the same moment,
    are not detected.

    Args:
        directory: the run directory.
        work: description of the work on the run, for the error in other processes.

    Raises:
        InputError: on entry: a live process holds the lock; the directory is not writable.
    """

    def __init__(self, directory: str | Path, work: str = "trained"):
        self.directory = Path(directory)
        self.work = work
        self._file = -1
        self._over = threading.Event()

    @property
    def path(self) -> Path:
        """Path of the lock file."""
        return self.directory / FILE

    def __enter__(self) -> "RunLock":
        self._file, locked = self._opened()
        left = _read(self._file)
        if locked is False or (left and not self._ended(left, locked)):
            os.close(self._file)
            raise InputError(self._refusal(left))
        if left:
            print(f"{self.path} of process {left.get('process')}, which has ended, is taken over", flush=True)
        about = {"process": os.getpid(), "host": socket.gethostname(), "work": self.work}
        content = json.dumps({**about, "started": time.strftime("%Y-%m-%d %H:%M:%S")}).encode()
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, content)
        threading.Thread(target=self._show_life, daemon=True).start()
        return self

    def __exit__(self, *error) -> None:
        self._over.set()
        if fcntl is None:
            os.close(self._file)  # Windows cannot remove an open file
        with contextlib.suppress(OSError):
            self.path.unlink()
        if fcntl is not None:
            os.close(self._file)

    @classmethod
    def holder(cls, directory: str | Path) -> dict | None:
        """Return process, host, work and start of a live holder on this host or with `flock`, or `None`."""
        try:
            file = os.open(Path(directory) / FILE, os.O_RDONLY)
        except OSError:
            return None
        try:
            left, locked = _read(file), _flock(file, attempts=1)
            held = locked is False or (locked is None and fcntl is not None and _on_this_host(left))
            return (left or {"work": "written"}) if held else None
        finally:
            os.close(file)

    def _opened(self):
        """Return `(file, whether flock is held)`; the file still has its name after it is locked."""
        while True:
            try:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise InputError(
                    f"{self.directory} cannot be written to ({error.strerror}): make it writable, or copy "
                    "the run to another path and pass the copy."
                ) from None
            locked = _flock(file)
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(file), os.stat(self.path)):
                    return file, locked
            os.close(file)  # its holder has ended and removed it

    def _ended(self, left, locked):
        """Return whether the process that left the lock is dead."""
        if left.get("host") == socket.gethostname() and fcntl is not None:
            return bool(locked) or not _on_this_host(left)
        print(f"{self.path} was left by {_name(left)}: waiting to see if it is still running", flush=True)
        before = _changed(self.path)
        time.sleep(3 * BEAT)
        return _changed(self.path) == before

    def _refusal(self, left):
        work = left.get("work", "written")
        since = f" since {left['started']}" if "started" in left else ""
        return (
            f"{self.directory} is being {work} by {_name(left)}{since}: wait until it ends, or stop it. "
            "Only one process at a time may write to a run."
        )

    def _show_life(self):
        while not self._over.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self.path)


def _name(left):
    return f"process {left.get('process', 'unknown')} on {left.get('host', 'an unknown host')}"


def _read(file):
    """Return the content of a lock file; empty if its process has not written it yet, or was killed."""
    os.lseek(file, 0, os.SEEK_SET)
    try:
        content = json.loads(os.read(file, 4096))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _flock(file, attempts=3):
    """Lock the file; return `True` if locked, `False` if another process holds it, `None` without `flock`."""
    if fcntl is None:
        return None
    for attempt in range(attempts):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1 * (attempt < attempts - 1))  # another process may be testing the lock in `holder`
        except OSError:  # the file system does not support locks
            return None
        else:
            return True
    return False


def _on_this_host(left):
    """Return whether the process that wrote a lock file runs on this host."""
    if left.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(left["process"]), 0)  # signal 0 only tests the process; on Windows it would end it
    except (KeyError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _changed(path):
    """Return the modification time of a file, opened to refresh the cache of a network file system."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None
