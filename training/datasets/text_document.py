"""A text while it is read."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class TextDocument:
    """Consecutive sentences of one document.

    Attributes:
        name: path or place, for reports and errors.
        group: documents of one group are never in two splits that are drawn.
        sentences: iterated once; each without line breaks.
        remarks: called after the sentences: lines on what is suspicious.
    """

    name: str
    group: int
    sentences: Iterable[str]
    remarks: Callable[[], list[str]] = list
