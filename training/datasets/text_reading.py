"""Text files, read piece by piece."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from keras_ae.errors import InputError

EXTENSIONS = (".txt", ".text", ".gz")
PIECE = 1_000_000  # characters that are in memory at a time, however long a line or paragraph is
LOOKED_AT = 4096  # bytes, by which text is told from other files
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UNREADABLE = "\ufffd"


class TextFile:
    """A text file, plain or gzip, UTF-8 or UTF-16 with a byte order mark.

    Args:
        path: of the file.

    Attributes:
        unreadable: characters, of those read so far, that are not of the encoding.

    Raises:
        InputError: while reading: the file cannot be opened, is cut short, or is no text.
    """

    def __init__(self, path: Path):
        self.path = path
        self.unreadable = 0

    def lines(self) -> Iterator[str]:
        """The lines without their ends; of those above a million characters, pieces that end at spaces."""
        try:
            with self._opened() as file:
                rest = ""
                while piece := file.readline(PIECE):
                    self.unreadable += piece.count(UNREADABLE)
                    piece = rest + piece
                    rest = ""
                    if not piece.endswith("\n") and len(piece) >= PIECE:
                        piece, space, rest = piece.rpartition(" ")
                        piece, rest = (piece, rest) if space else (rest, "")
                    yield piece.rstrip("\n")
                if rest:
                    yield rest
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{self.path} cannot be read: {reason}.") from None

    def paragraphs(self) -> Iterator[str]:
        """The paragraphs, which empty lines separate, each as one line."""
        lines, size = [], 0
        for line in self.lines():
            if line.strip():
                lines.append(line.strip())
                size += len(line)
            if lines and (not line.strip() or size >= PIECE):
                yield " ".join(lines)
                lines, size = [], 0
        if lines:
            yield " ".join(lines)

    def _opened(self):
        with self.path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        opener = gzip.open if zipped else open
        with opener(self.path, "rb") as file:
            start = file.read(LOOKED_AT)
        encoding = next((name for mark, name in BYTE_ORDER_MARKS if start.startswith(mark)), "utf-8")
        if encoding != "utf-16" and b"\0" in start:
            raise InputError(f"{self.path} is no text: it has zero bytes.")
        return opener(self.path, "rt", encoding=encoding, errors="replace")
