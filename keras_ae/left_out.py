"""Record of the data that a reader left out, or kept although they are suspicious."""

import warnings
from collections.abc import Iterable

from keras_ae.errors import DataWarning

SHOWN = 3  # names for each reason in the summary line
STORED = 20  # names for each reason in `description`


class LeftOut:
    """Names of the items that a reader left out, grouped by reason.

    Args:
        unit: kind of the items, in the plural.

    Example:

    >>> left_out = LeftOut()
    >>> left_out.add("hidden", ".DS_Store")
    >>> left_out.add(".txt, no image", "notes.txt")
    >>> left_out.line("folder data")
    'folder data: 2 files are left out: 1 hidden (.DS_Store); 1 .txt, no image (notes.txt).'
    >>> left_out.description()["by_reason"]
    {'hidden': 1, '.txt, no image': 1}
    """

    def __init__(self, unit: str = "files"):
        self.unit = unit
        self.reasons: dict[str, list[str]] = {}
        self.suspicions: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Record that `name` is left out because of `reason`."""
        self.reasons.setdefault(reason, []).append(name)

    def keep(self, reason: str, name: str) -> None:
        """Record that `name` is kept although it is suspicious because of `reason`."""
        self.suspicions.setdefault(reason, []).append(name)

    def copy(self) -> "LeftOut":
        """Return an independent copy."""
        other = LeftOut(self.unit)
        other.reasons = {reason: list(names) for reason, names in self.reasons.items()}
        other.suspicions = {reason: list(names) for reason, names in self.suspicions.items()}
        return other

    @property
    def count(self) -> int:
        """Number of names that are left out."""
        return sum(map(len, self.reasons.values()))

    def __bool__(self):
        return bool(self.reasons or self.suspicions)

    def description(self) -> dict:
        """Return counts and up to 20 names for each reason, serialisable as JSON."""
        found = {"count": self.count, **_counted(self.reasons)}
        return {**found, "suspicious": _counted(self.suspicions)} if self.suspicions else found

    def summary(self) -> str:
        """Return the counts of each reason, with a few names."""
        return _named(self.reasons)

    def line(self, origin: str) -> str:
        """Return one line with all counts and a few names for each reason; empty if nothing is recorded."""
        parts = []
        if self.reasons:
            parts.append(f"{self.count} {self._units()} left out: {_named(self.reasons)}.")
        if self.suspicions:
            kept = sum(map(len, self.suspicions.values()))
            parts.append(f"{kept} {'is' if kept == 1 else 'are'} suspicious: {_named(self.suspicions)}.")
        return f"{origin}: {' '.join(parts)}" if parts else ""

    def warn(self, origin: str, stacklevel: int = 2) -> None:
        """Emit `line` as one `DataWarning` if anything is recorded."""
        if self:
            warnings.warn(DataWarning(self.line(origin)), stacklevel=stacklevel + 1)

    def _units(self):
        return f"{self.unit.removesuffix('s')} is" if self.count == 1 else f"{self.unit} are"


def some_of(names: Iterable[str], shown: int = SHOWN) -> str:
    """Return the first names, separated by commas, and "..." if there are more.

    Example:

    >>> some_of(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    names = list(names)
    return ", ".join([*names[:shown], *["..."][: len(names) > shown]])


def _counted(reasons):
    return {
        "by_reason": {reason: len(names) for reason, names in reasons.items()},
        "examples": {reason: names[:STORED] for reason, names in reasons.items()},
    }


def _named(reasons):
    return "; ".join(f"{len(names)} {reason} ({some_of(names)})" for reason, names in reasons.items())
