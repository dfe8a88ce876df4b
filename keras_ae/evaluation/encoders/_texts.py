"""Texts as str, whichever way data contain them."""

from typing import Any


def as_text(value: Any) -> str:
    """Return a text as str; bytes are UTF-8."""
    return value.decode() if isinstance(value, bytes) else str(value)
