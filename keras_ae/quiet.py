"""Filter for TensorFlow's log lines in the command line's stderr.

TensorFlow writes some lines before it reads `TF_CPP_MIN_LOG_LEVEL`, and reports some harmless events as
errors. C++ writes them directly to the file descriptor. The descriptor is therefore redirected to a small
process that removes them, while Python's stderr writes to the terminal.
"""

import atexit
import contextlib
import os
import re
import signal
import sys
from pathlib import Path

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_CHATTER = re.compile(
    rb"[IW]\d{4} \d\d:\d\d:|\d{4}-\d\d-\d\d \d\d:\d\d:[\d.]+: [IW] "  # notes and warnings of C++
    rb"|WARNING: All log messages before absl|To enable the following instructions:"
    rb"|E.*failed call to cuInit: .*(\(303\)|NO_DEVICE)"  # there is no GPU
    rb"|.*: E .*Unable to register cu(FFT|DNN|BLAS) factory"  # TensorFlow up to 2.18, on any machine
    rb"|E.*meta_optimizer\.cc.* failed:"  # TensorFlow skips one graph optimisation
)


def quiet_command_line() -> None:
    """Start filtering the output of C++ to stderr if this process is `keras-ae`.

    If the user sets `TF_CPP_MIN_LOG_LEVEL=0`, nothing is filtered. The function must be called before the
    import of TensorFlow. Until the command starts, Ctrl-C ends the process with one line, since an
    interrupted import can raise many kinds of errors.
    """
    if _is_command_line() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop)
    if _is_command_line() and os.environ.setdefault(LOG_LEVEL, "2") != "0" and hasattr(os, "fork"):
        _filter_descriptor()


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


def _is_command_line():
    as_module = ["-m", "keras_ae.training.cli"]
    return Path(next(iter(sys.argv), "")).stem == "keras-ae" or sys.orig_argv[1:3] == as_module


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
