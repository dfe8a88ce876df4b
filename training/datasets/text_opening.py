"""From what a user names to a reader of text."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.left_out import LeftOut
from keras_ae.split_names import splits_of_files, splits_of_paths
from keras_ae.text.text_file import PIECE, TextFile, check_encoding
from keras_ae.training.datasets.docstrings import docstring_documents, package_folders
from keras_ae.training.datasets.file_names import list_files
from keras_ae.training.datasets.sentence_splitting import sentence_splitter, splitter_version
from keras_ae.training.datasets.text_cache import cached_sentences
from keras_ae.training.datasets.text_document import TextDocument
from keras_ae.training.datasets.text_source import TextSource

EXTENSIONS = (".txt", ".text", ".gz")


def open_text(
    source: str | os.PathLike | None,
    sentence_per_line: bool = False,
    language: str = "en",
    packages: Sequence[str] | None = None,
    encoding: str | None = None,
) -> TextSource:
    """Open any of the sources that `load_text` names.

    Raises:
        ImportError: a package is needed that is not there; names the extra.
        InputError: the source is missing, of no known kind, or cannot be used.
    """
    if source in (None, "docstrings"):
        return _open_docstrings(packages)
    path = Path(source)
    if not path.exists():
        raise InputError(f'{path} does not exist: expected "docstrings", a text file or a folder of them.')
    if encoding is not None:
        check_encoding(encoding)
    left_out = LeftOut()
    names, splits = _files_and_splits(path, left_out)
    folder = path if path.is_dir() else path.parent
    about = {
        "files": _identities(folder, names),
        "encoding": encoding,
        "sentences": "lines" if sentence_per_line else f"{language} {splitter_version()}",
    }
    store = cached_sentences(about, lambda: _documents(folder, names, sentence_per_line, language, encoding))
    for reason, name in store.left_out:
        left_out.add(reason, name)
    for reason, name in store.suspicious:
        left_out.keep(reason, name)
    return TextSource(
        name=path.resolve().name,
        origin=f"{'folder' if path.is_dir() else 'file'} {path}",
        store=store,
        splits=np.array([splits[name] for name in store.names]) if splits else None,
        left_out=left_out,
        details={
            "language": None if sentence_per_line else language,
            "sentence_per_line": sentence_per_line,
            "encoding": encoding,
        },
    )


def _files_and_splits(path, left_out):
    """Names of the files of text at `path`, and `{name: split}`, empty where the names are of no splits."""
    if not path.is_dir():
        return [path.name], {}
    names = list_files(path, EXTENSIONS, left_out, "text")
    splits = splits_of_paths(names, str(path), left_out) or splits_of_files(names, str(path))
    names = [name for name in names if not splits or name in splits]
    if not names:
        raise InputError(
            f"{path} must contain text files ({', '.join(EXTENSIONS)}). "
            f"Received: {left_out.summary() or 'an empty folder'}"
        )
    return names, splits


def _identities(folder, names):
    """Path, size and time of change of each file: sentences in the cache are of the same ones."""
    stats = [(folder / name).stat() for name in names]
    return [
        (str((folder / name).resolve()), stat.st_size, stat.st_mtime_ns)
        for name, stat in zip(names, stats, strict=True)
    ]


def _open_docstrings(packages):
    folders = package_folders(packages)
    about = {
        "docstrings": {name: str(folder) for name, folder in folders.items()},
        "sentences": splitter_version(),
    }

    def documents():
        split = sentence_splitter("en")
        for name, group, paragraphs in docstring_documents(list(folders.values())):
            sentences = [sentence for paragraph in paragraphs for sentence in split(paragraph)]
            if len(sentences) > 1:  # one alone has no neighbour
                yield TextDocument(name, group, sentences)

    return TextSource(
        name="docstrings",
        origin="docstrings of installed packages",
        store=cached_sentences(about, documents),
        details={"packages": list(folders), "language": "en", "sentence_per_line": False},
    )


def _documents(folder, names, sentence_per_line, language, encoding) -> Iterator[TextDocument]:
    split = None if sentence_per_line else sentence_splitter(language)
    for number, name in enumerate(names):
        file = TextFile(folder / name, encoding)
        yield TextDocument(name, number, _sentences(file, split), lambda file=file: _remarks(file))


def _sentences(file, split):
    if split is None:
        return (" ".join(line.split()) for line in file.lines(PIECE))
    return (sentence for paragraph in file.paragraphs() for sentence in split(paragraph))


def _remarks(file):
    if not file.unreadable:
        return []
    return [f"{file.path}: {file.unreadable} characters are not {file.encoding}."]
