"""Store of sentences on disk, and its cache."""

import hashlib
import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import cache_folder, named_errors
from keras_ae.text.tokenizer import tokenize

TEXT, STARTS, WORDS, ABOUT = "sentences.txt", "starts.int64", "words.int32", "about.json"
AT_ONCE = 10_000  # sentences that are kept in memory while writing


@dataclass(frozen=True)
class TextDocument:
    """Consecutive sentences of one document.

    Attributes:
        name: path or location, for reports and errors.
        group: group of the document; a group is never divided between drawn splits.
        sentences: iterable of sentences without line breaks; iterated once.
        remarks: function called after the sentences; it returns lines on suspicious content.
    """

    name: str
    group: int
    sentences: Iterable[str]
    remarks: Callable[[], list[str]] = list


class SentenceStore:
    """Store of the sentences of documents in one file, one after the other; decoded when they are read.

    Memory grows only with the number of documents: the sentences and their start positions are
    memory-mapped.

    Args:
        folder: folder written by `write_sentences`.

    Attributes:
        words: number of tokens of each sentence, int32 `(sentences,)`.
        bounds: first sentence of each document, and the number of sentences, int64
            `(documents + 1,)`.
        names: names of the documents.
        groups: group of each document, int64 `(documents,)`; documents of a group belong together.
        problems: one line for each document that is left out or suspicious.
        left_out, suspicious: pairs of a reason and the name of such a document.
    """

    def __init__(self, folder: Path):
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        self.bounds = np.array(about["bounds"], "int64")
        self.names = about["names"]
        self.groups = np.array(about["groups"], "int64")
        self.problems = about["problems"]
        self.left_out = about["left_out"]
        self.suspicious = about["suspicious"]
        self.words = np.memmap(folder / WORDS, "int32", "r")
        self._starts = np.memmap(folder / STARTS, "int64", "r")
        self._text = np.memmap(folder / TEXT, "uint8", "r")

    def __len__(self):
        return len(self.words)

    def sentences(self, rows: Sequence[int]) -> list[str]:
        """Return the sentences of these rows."""
        return [self._text[self._starts[row] : self._starts[row + 1] - 1].tobytes().decode() for row in rows]

    def document_bytes(self, row: int) -> bytes:
        """Return the sentences of one document as UTF-8, one per line."""
        start, stop = self.bounds[row : row + 2]
        return self._text[self._starts[start] : self._starts[stop]].tobytes()


def write_sentences(documents: Iterable[TextDocument], folder: Path) -> None:
    """Write a folder for `SentenceStore`; memory does not grow with the number of sentences.

    A document that cannot be read, or has no sentences, is left out and named in `problems`.

    Raises:
        InputError: there are no sentences at all.
    """
    about: dict[str, list] = {
        "bounds": [0],
        "names": [],
        "groups": [],
        "problems": [],
        "left_out": [],
        "suspicious": [],
    }
    with (
        (folder / TEXT).open("wb") as text,
        (folder / STARTS).open("wb") as starts,
        (folder / WORDS).open("wb") as words,
    ):
        files = (text, starts, words)
        for document in documents:
            ends = [file.tell() for file in files]
            try:
                for sentences in _portions(document.sentences):
                    _append(sentences, *files)
            except InputError as error:
                for file, end in zip(files, ends, strict=True):
                    file.seek(end)
                    file.truncate()
                about["problems"].append(str(error))
                about["left_out"].append(("unreadable", document.name))
                continue
            if words.tell() == ends[-1]:
                about["problems"].append(f"{document.name} has no sentences.")
                about["left_out"].append(("without sentences", document.name))
                continue
            remarks = document.remarks()
            about["problems"] += remarks
            about["suspicious"] += [("with characters of another encoding", document.name)] if remarks else []
            about["bounds"].append(words.tell() // 4)
            about["names"].append(document.name)
            about["groups"].append(document.group)
        np.array([text.tell()], "int64").tofile(starts)
    if not about["names"]:
        problems = about["problems"] or ["there are no documents."]
        raise InputError(f"The text must contain sentences. Received: {problems[0]}")
    (folder / ABOUT).write_text(json.dumps(about), encoding="utf-8")


def _portions(sentences):
    """Yield lists of `(bytes, tokens)` of sentences that have tokens."""
    portion = []
    for sentence in sentences:
        if count := len(tokenize(sentence)):
            portion.append((f"{sentence}\n".encode("utf-8", "replace"), count))
        if len(portion) == AT_ONCE:
            yield portion
            portion = []
    if portion:
        yield portion


def _append(sentences, text, starts, words):
    lengths = [len(line) for line, _ in sentences]
    (text.tell() + np.cumsum([0, *lengths[:-1]], dtype="int64")).tofile(starts)
    np.array([count for _, count in sentences], "int32").tofile(words)
    text.writelines(line for line, _ in sentences)


VERSION = 2  # version of the files of a store


def cached_sentences(about: dict, documents: Callable[[], Iterable[TextDocument]]) -> SentenceStore:
    """Return the store of these documents, from the cache if it exists there.

    Args:
        about: everything on which the sentences depend, serialisable as JSON.
        documents: function that returns the documents; called only if the store must be written.

    Raises:
        InputError: there are no sentences.
    """
    key = hashlib.sha256(json.dumps([VERSION, about], sort_keys=True).encode()).hexdigest()[:24]
    target = cache_folder() / "text" / key
    if not target.is_dir():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(dir=target.parent, suffix=".part"))
        except OSError as error:
            warnings.warn(
                f"{target.parent} cannot be written to, sentences are not kept: {error}", stacklevel=2
            )
            return _temporary(documents)
        try:
            with named_errors(target):
                write_sentences(documents(), temporary)
                os.rename(temporary, target)
        except OSError:
            if not target.is_dir():  # otherwise another process has written it
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return SentenceStore(target)


def _temporary(documents):
    folder = tempfile.TemporaryDirectory(prefix="keras_ae")
    write_sentences(documents(), Path(folder.name))
    store = SentenceStore(Path(folder.name))
    store.folder = folder  # the folder exists as long as the store
    return store
