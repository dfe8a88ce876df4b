"""Progress of training, encoding and measuring: one line at the bottom of a terminal, drawn by Rich."""

import atexit
import os
import re
import statistics
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TextIO

REDRAWN = 0.1  # seconds between two updates of the line
KEPT = 100  # number of the last steps whose durations are averaged
COUNT = re.compile(r"([\d,]+) of ([\d,]+)$")
OUTLIER = 5  # steps that take this many times the median compile or write a checkpoint


class Display:
    """Line that is redrawn in place on a terminal; to any other stream only the lines of `write` are written.

    Args:
        stream: output stream; `None`: the current standard output.

    Example:

    >>> import io
    >>> written = io.StringIO()
    >>> display = Display(written)
    >>> display.show("epoch 1/2")
    >>> display.write("epoch 2/2")
    >>> written.getvalue()
    'epoch 2/2\\n'
    """

    def __init__(self, stream: TextIO | None = None):
        self.stream = stream or sys.stdout
        self.terminal = self.stream.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
        self.drawn_at = 0.0
        self._bar: Any = None
        self._began = 0.0

    def is_due(self) -> bool:
        """Return whether to show a step: on a terminal, at most ten times per second."""
        return self.terminal and time.monotonic() - self.drawn_at > REDRAWN

    def begin(self) -> None:
        """Start the clock that is shown while the share of the work that is done is unknown."""
        self._began = time.monotonic()

    def show(self, text: str, share: float | None = None, detail: str = "") -> None:
        """Show `text`, a bar and `detail` on a terminal; `share` of the work is done, from 0 to 1."""
        if not self.terminal:
            return
        self.drawn_at = time.monotonic()
        bar = self._opened() if self._bar is None else self._bar
        task = bar.tasks[0]
        task.description, task.fields["detail"] = text, detail
        task.total, task.completed = (None, 0) if share is None else (1.0, share)
        if self._bar is None:
            self._bar = bar
            atexit.register(bar.stop)  # the cursor is hidden until then
            bar.start()

    def write(self, text: str) -> None:
        """Write `text` as a line that remains, in place of the one that was shown."""
        self.close()
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def close(self) -> None:
        """Remove the line from the terminal."""
        if self._bar is not None:
            self._bar.stop()
            atexit.unregister(self._bar.stop)
            self._bar = None

    def _opened(self):
        from rich.console import Console
        from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn
        from rich.text import Text

        display = self

        class Elapsed(ProgressColumn):
            """Time since `begin`, while the share is unknown."""

            def render(self, task):
                shown = display._began and task.total is None
                return Text(duration(time.monotonic() - display._began) if shown else "")

        text, detail = "{task.description}", "{task.fields[detail]}"
        columns = [TextColumn(text, markup=False), BarColumn(20), TextColumn(detail, markup=False), Elapsed()]
        # what others print meanwhile appears above the line, and in the stream for which it is meant
        redirected = {"redirect_stdout": self.stream is sys.stdout, "redirect_stderr": sys.stderr.isatty()}
        console = Console(file=self.stream, force_terminal=True)
        bar = Progress(*columns, console=console, transient=True, **redirected)
        bar.add_task("", total=None, detail="")
        return bar


class StepTimer:
    """Mean duration of the last steps, without the first one and others that compile.

    Args:
        clock: function that returns the time in seconds.

    Example:

    >>> times = iter([0, 30, 31, 32, 33])  # the first step is compiled
    >>> timer = StepTimer(clock=lambda: next(times))
    >>> timer.begin()
    >>> for _ in range(4):
    ...     timer.step()
    >>> timer.seconds
    1.0
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self.clock = clock
        self._last: float | None = None
        self._compiled = False
        self._durations: deque[float] = deque(maxlen=KEPT)

    def begin(self) -> None:
        """Note that a step begins; must be called before a step that does not follow another one."""
        self._last = self.clock()

    def step(self) -> None:
        """Note that a step has ended."""
        now = self.clock()
        if self._compiled and self._last is not None:
            self._durations.append(now - self._last)
        self._compiled, self._last = True, now

    @property
    def seconds(self) -> float | None:
        """Mean duration of a step; `None` before the second one."""
        if not self._durations:
            return None
        median = statistics.median(self._durations)
        return statistics.fmean(one for one in self._durations if one <= OUTLIER * median)


class ProgressLine:
    """Progress of measurements on one line of a terminal, or one line per measurement without a terminal.

    Pass it as `progress` of `embedding_report`, `transfer` or `pair_discrimination`: it is called with the
    name of each measurement, and its method `detail` is called with each step. As a context manager, it
    clears the line at the end.

    Args:
        stream: output stream; `None`: the current standard output.
        elsewhere: whether to print one line per measurement if the output is not a terminal.
        activity: word before the name of each measurement.

    Example:

    >>> import io
    >>> written = io.StringIO()
    >>> with ProgressLine(written) as progress:
    ...     progress("probes")
    ...     progress.detail("digit")
    >>> written.getvalue()
    'measuring: probes\\n'
    """

    def __init__(self, stream: TextIO | None = None, *, elsewhere: bool = True, activity: str = "measuring"):
        self.display = Display(stream)
        self.elsewhere = elsewhere
        self.activity = activity
        self._section = ""
        self._counts: tuple[str, int, float] = ("", 0, 0.0)  # counted text, first number, and its time

    def __call__(self, section: str) -> None:
        self._section = section
        self.display.begin()
        if self.display.terminal:
            self.display.show(f"{self.activity}: {section}")
        elif self.elsewhere:
            self.display.write(f"{self.activity}: {section}")

    def detail(self, text: str) -> None:
        """Show a step of the measurement; does nothing without a terminal.

        For a text that ends with a count, such as "step 50 of 400", the time left until its end is shown.
        """
        if not self.display.terminal:
            return
        share, left = self._counted(text)
        if self.display.is_due():
            self.display.show(f"{self.activity}: {self._section}, {text}", share, left)

    def _counted(self, text):
        """Return `(share, time left)` of a text with a count at its end; the first one starts the clock."""
        found = COUNT.search(text)
        if found is None:
            return None, ""
        done, total = (int(number.replace(",", "")) for number in found.groups())
        what, now = text[: found.start()], time.monotonic()
        if what != self._counts[0] or done <= self._counts[1]:
            self._counts = (what, done, now)
        _, first, began = self._counts
        seconds = (now - began) * (total - done) / (done - first) if done > first else None
        return done / max(total, 1), "" if seconds is None else f"{duration(seconds)} left"

    def close(self) -> None:
        """Clear the line."""
        self.display.close()

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

    It also shows examples per second and the time left, both without the first call, which compiles.

    Args:
        total: number of all examples; `None` if unknown.
        examples: what the examples are, such as "images".
    """
    display = Display()
    if not display.terminal:
        yield None
        return
    first: list[tuple[int, float]] = []

    def show(done):
        now = time.monotonic()
        first.append((done, now)) if not first else None
        count, began = first[0]
        rate = (done - count) / (now - began) if done > count and now > began else None
        parts = [] if rate is None else [rate_text(rate, examples)]
        if rate is not None and total is not None:
            parts.append(f"{duration((total - done) / rate)} left")
        text = f"{done:,}{'' if total is None else f'/{total:,}'} {examples}"
        display.show(text, None if not total else done / total, "  ".join(parts))

    try:
        display.begin()
        yield show
    finally:
        display.close()


def rate_text(rate: float, examples: str) -> str:
    """Format a number of examples per second.

    Example:

    >>> rate_text(12345.6, "images"), rate_text(0.05178, "hours of audio")
    ('12,346 images/s', '0.0518 hours of audio/s')
    """
    return f"{rate:,.0f} {examples}/s" if rate >= 100 else f"{rate:.3g} {examples}/s"


def duration(seconds: float) -> str:
    """Format a duration.

    Example:

    >>> duration(7.6), duration(200), duration(7500)
    ('8 s', '3 min 20 s', '2 h 5 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
