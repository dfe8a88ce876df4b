"""Names of arguments in errors as options of the command line."""

import contextlib
import re
from collections.abc import Iterable, Iterator

from keras_ae.errors import InputError


def as_options(text: str, names: Iterable[str]) -> str:
    """Replace arguments in the `text` of an error by options of the command line.

    Example:

    >>> as_options("steps must be 2 steps or more. Received: steps=1", ["steps", "beam_size"])
    '--steps must be 2 steps or more. Received: --steps=1'
    >>> as_options("beam_size must be at least 1", ["steps", "beam_size"])
    '--beam-size must be at least 1'
    """
    for name in sorted(names, key=lambda name: -len(name)):
        before = r"(?<![\w/.-])"  # no part of a path
        pattern = rf"{before}{name}\b(?!/)"
        if "_" not in name:  # a word such as "bits" also occurs in prose
            pattern = rf"{before}{name}(?==)|^{name}(?= must\b)"
        text = re.sub(pattern, f"--{name.replace('_', '-')}", text)
    return text


@contextlib.contextmanager
def errors_in_options(*names: str) -> Iterator[None]:
    """Raise each `InputError` of the block with the options of the arguments `names`."""
    try:
        yield
    except InputError as error:
        raise InputError(as_options(str(error), names)) from error
