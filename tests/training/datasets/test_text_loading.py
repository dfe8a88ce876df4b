"""Text of files and docstrings as documents of sentences."""

import codecs
import gzip
import json
import re
import warnings

import numpy as np
import pytest

from keras_ae.errors import DataWarning
from keras_ae.text import text_file as reading
from keras_ae.training.datasets import load_text
from keras_ae.training.datasets.text._docstrings import prose_of
from keras_ae.training.datasets.text._store import SentenceStore, TextDocument, write_sentences

pytest.importorskip("sentencex")
WHOLE = {"validation_fraction": 0, "test_fraction": 0}
STORY = "Mr. Fox came\nat 3.30 p.m. with a dog.\nDid he stay? No!\n\n\nA new day\r\n came. It rained.\n"
SENTENCES = [
    "Mr. Fox came at 3.30 p.m. with a dog.",
    "Did he stay?",
    "No!",
    "A new day came.",
    "It rained.",
]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_AE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "text"


def written(path, text=STORY):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "encode"),
    [
        ("story.txt", str.encode),
        ("story", str.encode),
        ("story.txt.gz", lambda text: gzip.compress(text.encode())),
        ("story.txt", lambda text: codecs.BOM_UTF8 + text.encode()),
        ("story.txt", lambda text: text.encode("utf-16")),
    ],
)
def test_paragraphs_are_joined_and_cut_into_sentences(tmp_path, name, encode):
    data = load_text(written(tmp_path / name, encode(STORY)), **WHOLE)
    assert list(data.train) == [SENTENCES]
    assert len(data.train) == 5
    assert data.train.words.tolist() == [16, 4, 2, 5, 3]
    assert list(data.validation) == list(data.test) == []
    assert json.loads(json.dumps(data.description))["train_words"] == 30


def test_one_sentence_a_line(tmp_path):
    path = written(tmp_path / "lines.txt", " One. Two \n\n\t\nthree\u2028four\n\u00ad\n")
    data = load_text(path, sentence_per_line=True, **WHOLE)
    assert list(data.train) == [["One. Two", "three four"]]  # a line without tokens is none


def test_chinese(tmp_path):
    path = written(tmp_path / "zh.txt", "这多少钱？很贵。\n好的！")
    assert list(load_text(path, language="zh", **WHOLE).train) == [["这多少钱？", "很贵。", "好的！"]]


def test_folders_of_splits(tmp_path):
    for name in ("train/b.txt", "train/deep/a.txt.gz", "valid/c.text"):
        text = f"This is {name}. Really."
        written(tmp_path / "books" / name, gzip.compress(text.encode()) if "gz" in name else text)
    data = load_text(tmp_path / "books", test_fraction=0)
    assert list(data.train) == [
        ["This is train/b.txt.", "Really."],
        ["This is train/deep/a.txt.gz.", "Really."],
    ]
    assert list(data.validation) == [["This is valid/c.text.", "Really."]]
    assert data.description["validation_split"] == "official"
    assert data.description["test_split"] == "none"


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Train", "DEV", "testing")])
def test_folders_of_splits_are_found_by_every_name(tmp_path, names):
    for name in names:
        written(tmp_path / "books" / name / "a.txt", f"This is {name}. Really.")
    written(tmp_path / "books" / "README.txt", "Which book is it?")
    with pytest.warns(DataWarning, match=r"1 next to the folders of splits \(README.txt\)"):
        data = load_text(tmp_path / "books")
    for name, split in zip(names, (data.train, data.validation, data.test), strict=True):
        assert list(split) == [[f"This is {name}.", "Really."]]


@pytest.mark.parametrize("form", ["{}.txt", "ptb.{}.txt", "set/{}.text", "set/{}/a.txt"])
def test_test_text_is_never_trained_on_wherever_its_name_says_so(tmp_path, form):
    for name in ("train", "valid", "test"):
        written(tmp_path / "books" / form.format(name), f"This is {name}. Really.")
    data = load_text(tmp_path / "books")
    found = [list(split) for split in (data.train, data.validation, data.test)]
    assert found == [[[f"This is {name}.", "Really."]] for name in ("train", "valid", "test")]


def test_test_and_validation_texts_are_never_trained_on(tmp_path, complaint):
    for name in ("test", "valid"):
        written(tmp_path / "books" / name / "a.txt")
    assert "must contain a folder train" in complaint(load_text, tmp_path / "books")


def test_nested_folders_of_other_names_are_data(tmp_path):
    for name in ("austen/test/a.txt", "dickens/b.txt"):
        written(tmp_path / "books" / name, f"This is {name}. Really.")
    assert len(list(load_text(tmp_path / "books", **WHOLE).train)) == 2


def test_texts_of_another_encoding_are_read_by_its_name(tmp_path):
    written(tmp_path / "books" / "a.txt", "Caf\xe9 was good.".encode("latin-1"))
    data = load_text(tmp_path / "books", encoding="latin-1", **WHOLE)
    assert list(data.train) == [["Caf\xe9 was good."]] and data.description["encoding"] == "latin-1"


def test_few_documents_give_their_ends(tmp_path):
    lines = [f"line {number}" for number in range(40)]
    path = written(tmp_path / "lines.txt", "\n".join(lines))
    data = load_text(path, sentence_per_line=True, validation_fraction=0.25, test_fraction=0.5)
    assert (
        [list(split) for split in (data.train, data.validation, data.test)]
        == [
            [lines[:15]],
            [lines[15:20]],  # a quarter of the twenty that are not for test
            [lines[20:]],
        ]
    )


def test_many_documents_stay_whole(tmp_path):
    for number in range(20):
        written(tmp_path / "many" / f"{number}.txt", f"Document {number} begins. It ends.")
    data = load_text(tmp_path / "many", validation_fraction=0.1, test_fraction=0.2)
    documents = [document for split in (data.train, data.validation, data.test) for document in split]
    assert [len(split.spans) for split in (data.train, data.validation, data.test)] == [14, 2, 4]
    assert sorted(document[0] for document in documents) == sorted(
        f"Document {number} begins." for number in range(20)
    )
    again = load_text(tmp_path / "many", validation_fraction=0.1, test_fraction=0.2)
    assert list(again.test) == list(data.test)
    other = load_text(tmp_path / "many", validation_fraction=0.1, test_fraction=0.2, seed=1)
    assert list(other.test) != list(data.test)


def test_files_are_read_once(tmp_path, cache, monkeypatch):
    path = written(tmp_path / "story.txt")
    load_text(path)
    monkeypatch.setattr(reading.TextFile, "lines", None)
    assert list(load_text(path, **WHOLE).train) == [SENTENCES]
    monkeypatch.undo()
    monkeypatch.setenv("KERAS_AE_CACHE", str(cache.parent))
    written(path, "It is another text now.")
    assert list(load_text(path, **WHOLE).train) == [["It is another text now."]]
    assert sorted(p.suffix for p in cache.iterdir()) == ["", ""]  # nothing half-written is left


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_AE_CACHE", str(written(tmp_path / "file")))
    with pytest.warns(UserWarning, match="cannot be written to"):
        data = load_text(written(tmp_path / "story.txt"), **WHOLE)
    assert list(data.train) == [SENTENCES]


def test_bad_files_are_left_out_and_named(tmp_path):
    folder = tmp_path / "mixed"
    written(folder / "good.txt")
    written(folder / "latin.txt", "Caf\xe9 was good. Yes it was.".encode("latin-1"))
    written(folder / "empty.txt", "")
    written(folder / "picture.txt", b"\x89PNG\0\0\0\1")
    written(folder / "cut.gz", gzip.compress(("A sentence. " * 50_000).encode())[:-100])
    with pytest.warns(UserWarning, match="4 files are left out: 3 unreadable .*; 1 without sentences"):
        data = load_text(folder, **WHOLE)
    assert list(data.train) == [SENTENCES]
    problems = " ".join(data.description["problems"])
    for told in (
        "cut.gz cannot be read",
        "empty.txt has no sentences",
        "latin.txt must be UTF-8 text. Received: byte 3 (0xe9), which is not valid",
        "picture.txt must be text",
    ):
        assert told in problems


@pytest.mark.parametrize("text", ["word " * 1000, "many words on many lines\n" * 200, "字" * 5000])
def test_long_lines_and_paragraphs_come_in_pieces(tmp_path, monkeypatch, text):
    """Neither a line nor a paragraph has to fit into memory, and no word is cut."""
    monkeypatch.setattr(reading, "PIECE", 100)
    pieces = list(reading.TextFile(written(tmp_path / "long.txt", text)).paragraphs())
    assert max(map(len, pieces)) < 250
    assert " ".join(pieces).split() == text.split() or "".join(pieces) == text


def test_memory_does_not_grow_with_the_text(tmp_path, monkeypatch):
    from keras_ae.training.datasets.text import _store as sentence_store

    monkeypatch.setattr(sentence_store, "AT_ONCE", 7)
    sentences = [f"Sentence é {number}" for number in range(100)]
    pulled = []

    def stream(first):
        for sentence in sentences[first : first + 50]:
            size = (tmp_path / "sentences.txt").stat().st_size
            pulled.append(size)
            yield sentence

    write_sentences([TextDocument("a", 0, stream(0)), TextDocument("b", 0, stream(50))], tmp_path)
    store = SentenceStore(tmp_path)
    assert len(store) == 100
    assert store.sentences([99, 0, 7]) == [sentences[99], sentences[0], sentences[7]]
    assert store.sentences(range(100)) == sentences
    assert store.bounds.tolist() == [0, 50, 100]
    assert isinstance(store.words, np.memmap)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"source": "nowhere"}, "does not exist"),
        ({"source": "empty"}, "must contain text files"),
        ({"source": "blank.txt"}, "no sentences"),
        ({"source": "blank.txt", "packages": ["json"]}, "packages must be used only with the source"),
        ({"packages": ["no_such_package"]}, "no_such_package"),
        ({"sentence_per_line": True}, "sentence_per_line must be False for docstrings"),
        ({"test_fraction": 1}, "test_fraction must be at least 0 and below 1"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_complaints(tmp_path, monkeypatch, complaint, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    written(tmp_path / "blank.txt", "\n \n")
    assert message in complaint(load_text, **arguments)


def test_without_sentencex_the_extra_is_named(tmp_path, monkeypatch):
    import sys

    path = written(tmp_path / "story.txt")
    monkeypatch.setitem(sys.modules, "sentencex", None)
    with pytest.raises(ImportError, match=re.escape("keras-ae[text]")):
        load_text(path)
    assert len(load_text(path, sentence_per_line=True, **WHOLE).train) == 5


def test_docstrings_are_sentences_of_plain_english():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = load_text(packages=["json", "email"])
    assert len(data.train) > 300
    assert min(map(len, [*data.train, *data.validation, *data.test])) > 1
    sentences = [
        sentence for split in (data.train, data.validation, data.test) for text in split for sentence in text
    ]
    assert all(">>>" not in sentence and "\n" not in sentence for sentence in sentences)
    assert np.mean([sentence.endswith((".", "!", "?")) for sentence in sentences]) > 0.97
    assert list(load_text(packages=["json", "email"]).train) == list(data.train)
    assert data.description["packages"][0].startswith("json ")


def test_prose_of_a_docstring():
    docstring = """Compute the `sum`.

        This is **not** :func:`~numpy.add.reduce`, see the `manual
        <https://example.org>`_ of it. It is [fast](there.html).

        Args:
            x: An array that is summed up here.

        - A list of things is here to be left out.

        Example of a literal block with some words in it::

            x = 1

        | a | table that is left out too. |

        Returns:
        ``None`` is returned in all of the cases.
        """
    assert prose_of(docstring) == [
        "This is not numpy.add.reduce, see the manual of it. It is fast.",
    ]
