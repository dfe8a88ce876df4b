"""Progress display of measurements on one line."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO

REDRAWN = 0.1  # seconds between two updates of the line


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
        self.stream = stream or sys.stdout
        self.terminal = self.stream.isatty()
        self.elsewhere = elsewhere
        self._section, self._drawn, self._began = "", 0.0, time.monotonic()

    def __call__(self, section: str) -> None:
        self._section, self._began = section, time.monotonic()
        if self.terminal:
            self._draw(section)
        elif self.elsewhere:
            self.stream.write(f"measuring: {section}\n")
            self.stream.flush()

    def detail(self, text: str) -> None:
        """Show a step of the measurement; does nothing without a terminal."""
        if self.terminal and time.monotonic() - self._drawn > REDRAWN:
            seconds = time.monotonic() - self._began
            self._draw(f"{self._section}, {text}, {seconds:.0f} s")

    def close(self) -> None:
        """Clear the line."""
        if self.terminal:
            self.stream.write("\r\x1b[K")
            self.stream.flush()

    def __enter__(self):
        return self

    def __exit__(self, *raised):
        self.close()

    def _draw(self, text):
        self._drawn = time.monotonic()
        self.stream.write(f"\r\x1b[Kmeasuring: {text}")
        self.stream.flush()


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
