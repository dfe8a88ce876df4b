"""One process at a time writes a run directory."""

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
    fcntl = None

FILE = "training.lock"
BEAT = 5.0  # seconds between two signs of life


class RunLock:
    """Holds a run directory while a `with` block runs; a lock that a dead process left is taken over.

    The file `training.lock` names process, host and time, and its time of change is renewed every five
    seconds. On POSIX it is locked by `flock`, which ends with the process, however it ends, and which NFS
    passes on to other hosts (Linux since 2.6.12). Where the lock of another host is left, or the file system
    has no `flock` (Windows; some network file systems), the file is watched for three such intervals: a
    process without a sign of life in this time counts as dead. There, a process that stands still for longer,
    or two processes that take over the same stale lock in the same moment, are not noticed.

    Args:
        directory: of the run.
        work: what is done with it, for the error of others.

    Raises:
        InputError: on entry: a live process holds the directory; it cannot be written to.
    """

    def __init__(self, directory: str | Path, work: str = "trained"):
        self.directory = Path(directory)
        self.work = work
        self._file = -1
        self._over = threading.Event()

    @property
    def path(self) -> Path:
        """The lock file."""
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
            os.close(self._file)  # Windows removes no open file
        with contextlib.suppress(OSError):
            self.path.unlink()
        if fcntl is not None:
            os.close(self._file)

    @classmethod
    def holder(cls, directory: str | Path) -> dict | None:
        """Process, host, work and start of a live holder on this host or with `flock`; `None` without."""
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
        """`(file, whether flock is held)` of the file that has the name when it is locked."""
        while True:
            try:
                file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise InputError(
                    f"{self.directory} cannot be written to ({error.strerror}): make it writable, or copy "
                    "the run to another place and name the copy."
                ) from None
            locked = _flock(file)
            with contextlib.suppress(OSError):
                if os.path.samestat(os.fstat(file), os.stat(self.path)):
                    return file, locked
            os.close(file)  # its holder ended and removed it meanwhile

    def _ended(self, left, locked):
        """Whether the process that left the lock is dead."""
        if left.get("host") == socket.gethostname() and fcntl is not None:
            return bool(locked) or not _on_this_host(left)
        print(f"{self.path} was left by {_name(left)}: waiting for a sign of life", flush=True)
        before = _changed(self.path)
        time.sleep(3 * BEAT)
        return _changed(self.path) == before

    def _refusal(self, left):
        work = left.get("work", "written")
        since = f" since {left['started']}" if "started" in left else ""
        return (
            f"{self.directory} is being {work} by {_name(left)}{since}: wait until it ends, or stop it. "
            "Only one process at a time writes a run."
        )

    def _show_life(self):
        while not self._over.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self.path)


def _name(left):
    return f"process {left.get('process', 'unknown')} on {left.get('host', 'an unknown host')}"


def _read(file):
    """The content of a lock file; empty where its process has written none yet, or was killed meanwhile."""
    os.lseek(file, 0, os.SEEK_SET)
    try:
        content = json.loads(os.read(file, 4096))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _flock(file, attempts=3):
    """Whether the file is locked now, `False` where another process holds it, `None` without `flock`."""
    if fcntl is None:
        return None
    for attempt in range(attempts):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1 * (attempt < attempts - 1))  # somebody may have asked for the holder only
        except OSError:  # the file system has no locks
            return None
        else:
            return True
    return False


def _on_this_host(left):
    """Whether the process that wrote a lock file runs on this host."""
    if left.get("host") != socket.gethostname():
        return False
    try:
        os.kill(int(left["process"]), 0)  # signal 0 asks only; not on Windows, where it would end it
    except (KeyError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _changed(path):
    """When the file was changed last; opening it renews what a network file system holds of it."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_mtime_ns
    except OSError:
        return None
