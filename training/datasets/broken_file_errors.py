"""The error that names all files that cannot be read."""

from collections.abc import Sequence

from keras_ae.errors import InputError
from keras_ae.left_out import some_of

NAMED = 200


def broken_files(first: str, others: Sequence[str]) -> InputError:
    """What is wrong with the first file, and the names of the others, so that all can be replaced at once.

    Example:

    >>> print(broken_files("a.png is cut short: replace it.", ["b.png", "c.png"]))
    a.png is cut short: replace it. 2 more cannot be read: b.png, c.png. Or leave them out: --skip-broken.
    """
    if not others:
        return InputError(f"{first} Or leave it out: --skip-broken.")
    return InputError(
        f"{first} {len(others)} more cannot be read: {some_of(others, NAMED)}. "
        "Or leave them out: --skip-broken."
    )
