"""A progress bar for data that takes long to look through."""

import sys
from collections.abc import Callable

import keras

MANY = 5000  # examples, from which on a terminal sees a progress bar


def progress_of(count: int, examples: str, unit: str) -> Callable[[int], None]:
    """Returns a function that is told how many of `count` examples are done."""
    if count < MANY or not sys.stdout.isatty():
        return lambda done: None
    print(f"Checking the {examples}")
    return keras.utils.Progbar(count, unit_name=unit).update
