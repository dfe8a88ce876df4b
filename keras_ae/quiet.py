"""Filter for TensorFlow's log lines in the command line's stderr.

TensorFlow writes some lines before it reads `TF_CPP_MIN_LOG_LEVEL`, and reports some harmless events as
errors. C++ writes them directly to the file descriptor. The descriptor is therefore redirected to a small
process that removes them, while Python's stderr writes to the terminal. The entry point of the command,
`keras_ae_command.py`, loads this module before the package, of which it must import nothing.
"""

import atexit
import contextlib
import os
import re
import signal
import sys
from collections.abc import Iterator

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_CHATTER = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d \d\d:\d\d:[\d.]+: [IW] "  # notes and warnings of C++
    rb"|WARNING: All log messages before absl|To enable the following instructions:"
    rb"|E.*failed call to cuInit: .*(\(303\)|NO_DEVICE)"  # there is no GPU
    rb"|.*: E .*Unable to register cu(FFT|DNN|BLAS) factory"  # TensorFlow up to 2.18, on any machine
    rb"|E.*meta_optimizer\.cc.* failed:"  # TensorFlow skips one graph optimisation
)


def filter_stderr() -> None:
    """Start filtering the output of C++ to stderr; must be called before the import of TensorFlow.

    If the user sets `TF_CPP_MIN_LOG_LEVEL=0`, nothing is filtered.
    """
    if os.environ.setdefault(LOG_LEVEL, "2") != "0" and hasattr(os, "fork"):
        _filter_descriptor()


@contextlib.contextmanager
def stopped_with_one_line() -> Iterator[None]:
    """Let Ctrl-C end the process with one line, as an interrupted import can raise many kinds of errors.

    Afterwards Ctrl-C raises `KeyboardInterrupt`.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def without_chatter(text: bytes) -> bytes:
    r"""Return `text` without the lines that TensorFlow always writes.

    Example:

    >>> without_chatter(b"I0000 00:00:1795368001.599  16632 port.cc:153] oneDNN ...\nreal\n")
    b'real\n'
    """
    return b"".join(line for line in text.splitlines(keepends=True) if not _CHATTER.match(line))


def _stop(*_):
    with contextlib.suppress(OSError):
        os.write(2, b"keras-ae: stopped before the work began. Nothing was written.\n")
    os._exit(130)


def _filter_descriptor():
    try:
        terminal = os.dup(2)
    except OSError:  # stderr is closed: there is nothing to filter
        return
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writable)
        _forward(readable, terminal)
    os.dup2(writable, 2)
    os.close(readable)
    os.close(writable)
    sys.stderr = os.fdopen(terminal, "w", buffering=1, errors="backslashreplace")
    atexit.register(_finish, terminal, child)


def _forward(readable, terminal):
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the main process
    try:
        os.close(0)
        os.close(1)
        with os.fdopen(readable, "rb") as lines:
            for line in lines:
                os.write(terminal, without_chatter(line))
    finally:
        os._exit(0)


def _finish(terminal, child):
    os.dup2(terminal, 2)  # closes the last writer of the pipe: the child reads the rest and ends
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)
