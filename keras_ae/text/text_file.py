"""Text files of any size and encoding, read in pieces."""

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from keras_ae.errors import InputError

PIECE = 1_000_000  # bytes read at a time; characters of a piece of a long line
BYTE_ORDER_MARKS = (  # the mark of UTF-32 begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
UNREADABLE = "\ufffd"
MARK = "\ufeff"


class TextFile:
    """Text file, plain or gzip (by its content): the only reader of text of the package.

    UTF-16 and UTF-32 are recognised by their byte order mark; other text must be UTF-8. Lines end with
    `\\n`, `\\r\\n`, or, in files with more of them than of `\\n`, a lone `\\r`; otherwise a lone `\\r` is
    white space within a line. A byte order mark is never part of the text.

    Args:
        path: the file.
        encoding: name of another encoding, such as "latin-1". Invalid bytes are then read as U+FFFD and
            counted; without it they are an error.

    Attributes:
        unreadable: number of byte sequences read so far that are not valid in `encoding`.

    Raises:
        InputError: `encoding` is unknown. While reading: the file cannot be opened, is truncated, is
            not text (it has zero bytes), or is not in its encoding; the message names the byte.

    Example:

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.txt"
    >>> _ = path.write_bytes("one\\r\\ntwo".encode("utf-16"))
    >>> list(TextFile(path).lines())
    ['one', 'two']
    """

    def __init__(self, path: str | os.PathLike, encoding: str | None = None):
        self.path = Path(path)
        self.encoding = encoding
        self.unreadable = 0
        if encoding is not None:
            check_encoding(encoding)

    def lines(self, longest: int | None = None) -> Iterator[str]:
        """Yield the lines without their ends.

        Args:
            longest: approximate maximum length in characters; longer lines are yielded in pieces that end
                at spaces. `None`: no maximum.
        """
        rest = ""
        for text in self._with_line_ends():
            *lines, rest = (rest + text).split("\n")
            for line in lines:
                yield from _pieces(line.rstrip("\r"), longest)
            if longest is not None and len(rest) > longest:
                *pieces, rest = _pieces(rest, longest)
                yield from pieces
        if rest := rest.rstrip("\r"):
            yield from _pieces(rest, longest)

    def paragraphs(self) -> Iterator[str]:
        """Yield the paragraphs, which are separated by empty lines, each as one line; long ones in pieces."""
        lines, size = [], 0
        for line in self.lines(PIECE):
            if line.strip():
                lines.append(line.strip())
                size += len(line)
            if lines and (not line.strip() or size >= PIECE):
                yield " ".join(lines)
                lines, size = [], 0
        if lines:
            yield " ".join(lines)

    def _with_line_ends(self):
        """Yield the text in pieces, in which only `\\n` ends lines."""
        universal = None
        for text in self._decoded():
            if universal is None and ("\n" in text or "\r" in text):
                lone = text.count("\r") - text.count("\r\n")
                universal = lone > text.count("\n") and io.IncrementalNewlineDecoder(None, translate=True)
            yield universal.decode(text, final=not text) if universal else text

    def _decoded(self):
        """Yield the decoded text in pieces; the last one is empty or the rest in the decoder."""
        try:
            with self._opened() as file:
                piece, place, begun = file.read(PIECE), 0, False
                encoding = self.encoding or _encoding(piece)
                binary = not codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
                decoder = codecs.getincrementaldecoder(encoding)("replace" if self.encoding else "strict")
                while True:
                    if binary and b"\0" in piece:
                        raise self._no_text(place + piece.index(0))
                    text = self._decode(decoder, piece, place)
                    if text and not begun:
                        text, begun = text.removeprefix(MARK), True
                    self.unreadable += text.count(UNREADABLE) if self.encoding else 0
                    yield text
                    if not piece:
                        return
                    place += len(piece)
                    piece = file.read(PIECE)
        except (OSError, EOFError, zlib.error) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"{self.path} cannot be read: {reason}.") from None

    def _decode(self, decoder, piece, place):
        try:
            return decoder.decode(piece, final=not piece)
        except UnicodeError as error:
            # "utf-16" and "utf-32" without a byte order mark; before Python 3.13 not a UnicodeDecodeError
            if not isinstance(error, UnicodeDecodeError) or "start with BOM" in error.reason:
                raise InputError(
                    f"{self.path} must begin with a byte order mark to be {self.encoding}. Received: none; "
                    f"specify the byte order: {self.encoding}-le or {self.encoding}-be."
                ) from None
            # A decoder keeps the bytes of an incomplete character, and drops byte order marks.
            at = place + len(piece) - len(error.object) + error.start
            raise InputError(
                f"{self.path} must be {error.encoding.upper()} text. Received: byte {at} "
                f"({error.object[error.start]:#04x}), which is not valid. Save the file as UTF-8, or pass "
                "its encoding, such as latin-1."
            ) from None

    def _no_text(self, byte):
        return InputError(
            f"{self.path} must be text. Received: byte {byte} is zero. If it is UTF-16 without a byte order "
            "mark, name the encoding: utf-16-le or utf-16-be."
        )

    def _opened(self):
        with self.path.open("rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
        return (gzip.open if zipped else open)(self.path, "rb")


OF_HOST_NAMES = ("idna", "punycode")


def check_encoding(encoding: str) -> None:
    """Raise `InputError` unless Python has this encoding of text, with support for replacement of errors."""
    try:
        known = codecs.lookup(encoding).name not in OF_HOST_NAMES
        known = known and isinstance(b"text\xff".decode(encoding, "replace"), str)
    except (LookupError, ValueError):  # a UnicodeError is a ValueError
        known = False
    if not known:
        raise InputError(
            f"encoding must be the name of an encoding, such as latin-1. Received: encoding={encoding}"
        ) from None


def _encoding(start):
    return next((name for mark, name in BYTE_ORDER_MARKS if start.startswith(mark)), "utf-8")


def _pieces(line, longest):
    """Yield a line in pieces of at most `longest` characters, which end at spaces where possible."""
    while longest is not None and len(line) > longest:
        piece, space, rest = line[:longest].rpartition(" ")
        if not space:
            piece, rest = line[:longest], ""
        yield piece
        line = rest + line[longest:]
    yield line
