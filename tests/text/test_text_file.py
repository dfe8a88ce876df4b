"""The one reader of text: encodings, line ends, files that are no text."""

import codecs
import gzip

import pytest

from keras_ae.errors import InputError
from keras_ae.text import WordVectors, text_file
from keras_ae.text.text_file import TextFile

LINES = ["the café", "", "这 two", "three"]
ENCODINGS = {
    "plain": str.encode,
    "utf-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16 big": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-32": lambda text: text.encode("utf-32"),
    "utf-32 big": lambda text: codecs.BOM_UTF32_BE + text.encode("utf-32-be"),
    "gzip": lambda text: gzip.compress(text.encode()),
    "gzip of utf-16": lambda text: gzip.compress(text.encode("utf-16")),
}


@pytest.fixture
def written(tmp_path):
    def write(contents, name="a.txt"):
        path = tmp_path / name
        path.write_bytes(contents)
        return path

    return write


@pytest.mark.parametrize("piece", [7, 1_000_000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("kind", ENCODINGS)
def test_every_encoding_and_line_end_gives_the_lines(written, monkeypatch, kind, end, piece):
    monkeypatch.setattr(text_file, "PIECE", piece)  # characters and line ends are cut in two
    path = written(ENCODINGS[kind](end.join(LINES) + end))
    assert list(TextFile(path).lines()) == LINES
    path = written(ENCODINGS[kind](end.join(LINES)))
    assert list(TextFile(path).lines()) == LINES


def test_a_stray_carriage_return_ends_no_line(written):
    assert list(TextFile(written(b"one\rmore\ntwo\r\r\nthree")).lines()) == ["one\rmore", "two", "three"]


@pytest.mark.parametrize("piece", [7, 1_000_000])
def test_latin_1_is_refused_with_its_byte_unless_the_encoding_is_named(written, monkeypatch, piece):
    monkeypatch.setattr(text_file, "PIECE", piece)
    path = written("it was a café\n".encode("latin-1"))
    with pytest.raises(
        InputError, match=r"UTF-8 text. Received: byte 12 \(0xe9\), which is not valid.*latin-1"
    ):
        list(TextFile(path).lines())
    assert list(TextFile(path, "latin-1").lines()) == ["it was a café"]
    lenient = TextFile(path, "utf-8")
    assert (list(lenient.lines()), lenient.unreadable) == (["it was a caf\ufffd"], 1)


def test_the_byte_is_counted_from_the_start_of_the_file(written):
    with pytest.raises(InputError, match="byte 5 "):
        list(TextFile(written(codecs.BOM_UTF8 + b"ab\xe9c")).lines())
    with pytest.raises(InputError, match="UTF-16-LE text. Received: byte 4 "):
        list(TextFile(written(codecs.BOM_UTF16_LE + b"a\0\x00\xdca\0")).lines())
    with pytest.raises(InputError, match="byte 2 "):  # ends within a character
        list(TextFile(written(b"ab\xc3")).lines())


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        (b"RIFF\x24\x10\0\0WAVEfmt ", "must be text. Received: byte 6 is zero"),
        ("no mark".encode("utf-16-le"), "name the encoding: utf-16-le"),
        (gzip.compress(b"text" * 1000, mtime=0)[:-9], "cannot be read"),
        (gzip.compress(b"tar\0", mtime=0), "must be text. Received: byte 3 is zero"),
    ],
)
def test_what_is_no_text_is_refused(written, contents, words):
    with pytest.raises(InputError, match=words):
        list(TextFile(written(contents)).lines())


def test_utf_16_without_a_mark_is_read_by_its_name(written):
    assert list(TextFile(written("a\nb".encode("utf-16-le")), "utf-16-le").lines()) == ["a", "b"]


@pytest.mark.parametrize("piece", [3, 1_000_000])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-32-be", "utf-16"])
def test_a_byte_order_mark_is_no_text_where_the_encoding_is_named(written, monkeypatch, encoding, piece):
    monkeypatch.setattr(text_file, "PIECE", piece)
    mark = "" if encoding == "utf-16" else "\ufeff"
    path = written(f"{mark}one 1\ntwo\ufeff 2\n".encode(encoding))
    assert list(TextFile(path, encoding).lines()) == ["one 1", "two\ufeff 2"]
    assert WordVectors.load(path, encoding=encoding).words[0] == "one"


@pytest.mark.parametrize("encoding", ["idna", "punycode", "undefined", "base64", "rot13"])
def test_codecs_that_are_no_encoding_of_files_are_refused(written, encoding):
    with pytest.raises(InputError, match=f"encoding=.*{encoding}"):
        TextFile(written(b"a"), encoding)


def test_utf_16_by_its_name_needs_a_byte_order(written):
    with pytest.raises(InputError, match="specify the byte order: utf-16-le or utf-16-be"):
        list(TextFile(written("one".encode("utf-16-le")), "utf-16").lines())


def test_unknown_encodings_and_missing_files(written, tmp_path):
    with pytest.raises(InputError, match="Received: encoding=klingon"):
        TextFile(written(b"a"), "klingon")
    with pytest.raises(InputError, match="No such file"):
        list(TextFile(tmp_path / "none.txt").lines())


@pytest.mark.parametrize("kind", ENCODINGS)
def test_word_vectors_of_every_encoding_have_the_first_word(written, kind):
    table = WordVectors.load(written(ENCODINGS[kind]("the 1 2\r\ndog 3 4\r\n")))
    assert table.words == ("the", "dog") and table["dog"].tolist() == [3, 4]


def test_words_of_vectors_may_have_blanks(written):
    """As in glove.840B, whose lines are cut from the right."""
    text = "the 1 2\n. . . 3 4\nat name@domain.com 5 6\n"
    table = WordVectors.load(written(text.encode()))
    assert table.words == ("the", ". . .", "at name@domain.com")
    assert table[". . ."].tolist() == [3, 4]
    sized = WordVectors.load(written(b"2 2\nroute 66 1 2\nthe 3 4\n"))
    assert sized.words == ("route 66", "the")
    with pytest.raises(InputError, match="line 2 must be a word and 2 numbers"):
        WordVectors.load(written(b"the 1 2\ndog 1 2 3\n"))
