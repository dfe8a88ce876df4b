"""Progress display on one line of a terminal, which is rewritten in place."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TextIO

REDRAWN = 0.1  # seconds between two updates of the line


class TerminalLine:
    """Line that is rewritten in place on a terminal, and written as it is to any other stream.

    Args:
        stream: output stream; `None`: the current standard output.

    Example:

    >>> import io
    >>> written = io.StringIO()
    >>> TerminalLine(written).write("epoch 1", end="\\n")
    >>> written.getvalue()
    'epoch 1\\n'
    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stdout
        self.terminal = self.stream.isatty()
        self.drawn_at = 0.0

    def is_due(self) -> bool:
        """Return whether to show a step: on a terminal, at most ten times per second."""
        return self.terminal and time.monotonic() - self.drawn_at > REDRAWN

    def write(self, text: str, end: str = "") -> None:
        """Write `text`, in place of the previous text on a terminal."""
        self.drawn_at = time.monotonic()
        self.stream.write((f"\r\x1b[K{text}" if self.terminal else text) + end)
        self.stream.flush()


class ProgressLine:
    """Progress display on one line of a terminal, or one line per measurement without a terminal.

    Pass it as `progress` of `embedding_report`, `transfer` or `pair_discrimination`: it is called with the
    name of each measurement, and its method `detail` is called with each step. As a context manager, it
    clears the line at the end.

    Args:
        stream: output stream; `None`: the current standard output.
        elsewhere: whether to print one line per measurement if the output is not a terminal.

    Example:

    >>> import io
    >>> written = io.StringIO()
    >>> with ProgressLine(written) as progress:
    ...     progress("probes")
    ...     progress.detail("digit")
    >>> written.getvalue()
    'measuring: probes\\n'
    """

    def __init__(self, stream: TextIO | None = None, *, elsewhere: bool = True):
        self.line = TerminalLine(stream)
        self.elsewhere = elsewhere
        self._section, self._began = "", time.monotonic()

    def __call__(self, section: str) -> None:
        self._section, self._began = section, time.monotonic()
        if self.line.terminal or self.elsewhere:
            self.line.write(f"measuring: {section}", end="" if self.line.terminal else "\n")

    def detail(self, text: str) -> None:
        """Show a step of the measurement; does nothing without a terminal."""
        if self.line.is_due():
            seconds = time.monotonic() - self._began
            self.line.write(f"measuring: {self._section}, {text}, {seconds:.0f} s")

    def close(self) -> None:
        """Clear the line."""
        if self.line.terminal:
            self.line.write("")

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.close()


def detail_of(progress: Callable[[str], None] | None) -> Callable[[str], None]:
    """Return `progress.detail`, or a function that does nothing if `progress` has no such method."""
    return getattr(progress, "detail", None) or (lambda text: None)


def shown(
    progress: Callable[[str], None] | None, verbose: bool = True
) -> AbstractContextManager[Callable[[str], None]]:
    """Return a context manager that yields `progress`, or a line on the terminal if it is `None`."""
    if progress is None and verbose:
        return ProgressLine(elsewhere=False)
    return nullcontext(progress or (lambda section: None))


@contextmanager
def counted(total: int | None, examples: str) -> Iterator[Callable[[int], None] | None]:
    """Yield a function that shows the number of finished examples, or `None` without a terminal.

    Args:
        total: number of all examples; `None` if unknown.
        examples: what the examples are, such as "images".
    """
    line = TerminalLine()
    of_all = "" if total is None else f"/{total}"
    if not line.terminal:
        yield None
        return
    try:
        yield lambda done: line.write(f"{done}{of_all} {examples}")
    finally:
        if line.drawn_at:
            line.stream.write("\n")
