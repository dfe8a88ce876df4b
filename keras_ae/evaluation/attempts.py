"""Error handling of measurements: a failed measurement does not affect the others."""

import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from keras_ae.errors import InputError

LOG = "failed_measurement.txt"  # in a run directory
LONGEST_REASON = 300
_logger = logging.getLogger(__name__)
_current: ContextVar["Attempts | None"] = ContextVar("attempts", default=None)


@dataclass
class Attempts:
    """Record of the measurements that were not made, with the reasons.

    Attributes:
        failed: `{measurement: reason}` of the measurements that raised an error; the tracebacks are in `log`.
        left_out: `{measurement: reason}` of the measurements that the data do not allow, for example because
            there is a single class.
        log: file to which tracebacks are appended; `None`: Python's logging is used.
        progress: function called with the name of each measurement before it begins.
    """

    failed: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    log: Path | None = None
    progress: Callable[[str], None] = lambda name: None

    def as_record(self) -> dict:
        """Return the non-empty entries `"failed"` and `"left_out"` of a record."""
        found = {"failed": self.failed, "left_out": self.left_out}
        return {name: dict(reasons) for name, reasons in found.items() if reasons}

    def note(self, name: str, error: Exception) -> None:
        """Record the reason why `name` was not measured."""
        reason = reason_of(error)
        if isinstance(error, InputError):
            self.left_out[name] = reason
            return
        if name not in self.failed:
            self._keep(f"{name}\n{''.join(traceback.format_exception(error))}\n")
        self.failed[name] = reason

    def _keep(self, text):
        try:
            with self.log.open("a", encoding="utf-8") as file:
                file.write(text)
        except (AttributeError, OSError):  # no log, or a full disk: the traceback must still be visible
            _logger.error(text)


@contextmanager
def recorded(log: Path | None = None, progress: Callable[[str], None] | None = None) -> Iterator[Attempts]:
    """Collect the failures of `attempt` inside the block.

    Example:

    >>> with recorded() as attempts:
    ...     result = attempt("probe", lambda: [][0], default=0.0)
    >>> result, attempts.failed
    (0.0, {'probe': 'IndexError: list index out of range'})
    """
    attempts = Attempts(log=log, progress=progress or (lambda name: None))
    token = _current.set(attempts)
    try:
        yield attempts
    finally:
        _current.reset(token)


def attempt(name: str, function: Callable, *arguments: Any, default: Any = None, **options: Any) -> Any:
    """Return `function(*arguments, **options)`, or `default` if it raises an error.

    A failed measurement must never cause the loss of a trained model. The surrounding `recorded` keeps the
    reason. Without `recorded`, the reason goes to Python's logging, with the traceback for any error other
    than an `InputError`, and a missing package (`ImportError`) is not caught.
    """
    attempts = _current.get()
    if attempts is not None:
        attempts.progress(name)
    try:
        return function(*arguments, **options)
    except Exception as error:
        if attempts is None and isinstance(error, ImportError):
            raise
        (attempts or Attempts()).note(name, error)
        if attempts is None and isinstance(error, InputError):
            _logger.warning("%s was left out: %s", name, reason_of(error))
        return default


def current_attempts() -> Attempts | None:
    """Return the `Attempts` of the surrounding `recorded`, or `None` outside such a block."""
    return _current.get()


def current_progress() -> Callable[[str], None]:
    """Return the `progress` of the surrounding `recorded`, or a function that does nothing outside of one."""
    attempts = _current.get()
    return (lambda name: None) if attempts is None else attempts.progress


def reason_of(error: Exception) -> str:
    """Return an error as one line of text, with its class name unless it is an `InputError`."""
    text = " ".join(str(error).split())
    text = text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"
    if isinstance(error, InputError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
