"""Sentences to be read once, in order."""

import os
from collections.abc import Iterator

from keras_ae.errors import InputError
from keras_ae.text.text_file import TextFile


class SentenceStream:
    """The lines of a text file with their numbers; memory does not grow with their number.

    Iterating yields `(number, sentence)`. It can be iterated again.

    Args:
        path: the file; it is read by `TextFile`.
        shard: `(i, n)`: the lines i, i + n, i + 2n, ...; there may be none of them.
        encoding: of the file; `None`: UTF-8, or what a byte order mark says.

    Attributes:
        inputs: the file, which no output may replace.

    Raises:
        InputError: on the way: the file cannot be read, is no text, or has no lines.
    """

    def __init__(self, path: str | os.PathLike, shard: tuple[int, int] = (0, 1), encoding: str | None = None):
        self.path = path
        self.shard = shard
        self.encoding = encoding
        self.inputs = (path,)

    def __iter__(self) -> Iterator[tuple[int, str]]:
        (first, step), number = self.shard, -1
        for number, line in enumerate(TextFile(self.path, self.encoding).lines()):
            if number % step == first:
                yield number, line
        if number < 0:
            raise InputError(f"{self.path} must contain sentences, one in each line. Received: an empty file")
