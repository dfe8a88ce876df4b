"""From what a user names to a reader of text."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets.docstrings import docstring_documents, package_folders
from keras_ae.training.datasets.file_names import names_ending_in
from keras_ae.training.datasets.sentence_splitting import sentence_splitter, splitter_version
from keras_ae.training.datasets.text_cache import cached_sentences
from keras_ae.training.datasets.text_document import TextDocument
from keras_ae.training.datasets.text_reading import EXTENSIONS, TextFile
from keras_ae.training.datasets.text_source import TextSource

SPLIT_FOLDERS = {
    "train": "train",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
}


def open_text(
    source: str | os.PathLike | None,
    sentence_per_line: bool = False,
    language: str = "en",
    packages: Sequence[str] | None = None,
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
    names = names_ending_in(EXTENSIONS, path) if path.is_dir() else [path.name]
    if not names:
        raise InputError(f"{path} holds no text files ({', '.join(EXTENSIONS)}).")
    folder = path if path.is_dir() else path.parent
    stats = [(folder / name).stat() for name in names]
    about = {
        "files": [
            (str((folder / name).resolve()), stat.st_size, stat.st_mtime_ns)
            for name, stat in zip(names, stats, strict=True)
        ],
        "sentences": "lines" if sentence_per_line else f"{language} {splitter_version()}",
    }
    store = cached_sentences(about, lambda: _files(folder, names, sentence_per_line, language))
    return TextSource(
        name=path.resolve().name,
        origin=f"{'folder' if path.is_dir() else 'file'} {path}",
        store=store,
        splits=_splits(store.names) if path.is_dir() else None,
        details={"language": None if sentence_per_line else language, "sentence_per_line": sentence_per_line},
    )


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


def _files(folder, names, sentence_per_line, language) -> Iterator[TextDocument]:
    split = None if sentence_per_line else sentence_splitter(language)
    for number, name in enumerate(names):
        file = TextFile(folder / name)
        yield TextDocument(name, number, _sentences(file, split), lambda file=file: _remarks(file))


def _sentences(file, split):
    if split is None:
        return (" ".join(line.split()) for line in file.lines())
    return (sentence for paragraph in file.paragraphs() for sentence in split(paragraph))


def _remarks(file):
    if not file.unreadable:
        return []
    return [f"{file.path}: {file.unreadable} characters are not UTF-8; save it as UTF-8."]


def _splits(names):
    """Of files in folders named for splits, if one is for training."""
    first = [name.split("/")[0] if "/" in name else "" for name in names]
    if "train" not in first:
        return None
    return np.array([SPLIT_FOLDERS.get(folder, "train") for folder in first])
