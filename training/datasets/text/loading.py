"""Loading of text for training."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from keras_ae.data_files import LeftOut, splits_of_files, splits_of_paths
from keras_ae.errors import InputError
from keras_ae.text.text_file import PIECE, TextFile, check_encoding
from keras_ae.training.datasets._reading import list_files
from keras_ae.training.datasets._splits import draw_splits
from keras_ae.training.datasets.text._docstrings import docstring_documents, package_folders
from keras_ae.training.datasets.text._sentence_splitting import sentence_splitter, splitter_version
from keras_ae.training.datasets.text._store import TextDocument, cached_sentences
from keras_ae.training.datasets.text.data import TextData, TextSource, TextSplit


def load_text(
    source: str | os.PathLike | None = "docstrings",
    *,
    sentence_per_line: bool = False,
    language: str = "en",
    packages: Sequence[str] | None = None,
    encoding: str | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.1,
    seed: int = 0,
) -> TextData:
    """Load documents of consecutive sentences, split into training, validation and test documents.

    A text file is a document; empty lines separate its paragraphs, whose lines are joined and then
    split into sentences. Files of any size are read once, in parts; the sentences and their start
    positions are kept in the cache (`KERAS_AE_CACHE`, by default `~/.cache/keras_ae`), from which they
    are read when they are needed. Unusable files are left out and named in one `DataWarning`, in
    `description["left_out"]` and, with the reason, in `description["problems"]`.

    Args:
        source: "docstrings": the English prose of the docstrings of installed packages, each
            docstring of at least two sentences a document; a text file, plain or gzip;
            a folder, in which and below which `.txt`, `.text` and `.gz` files are read. Folders
            `train`, `validation` and `test` in it (or `training`, `val`, `valid`, `dev`,
            `testing`, in lower or upper case) are splits, also within one outer folder, and so
            are files `train.txt`, `valid.txt` and `test.txt` or `NAME.train.txt` and so on.
        sentence_per_line: each line that is not empty is one sentence.
        language: ISO 639 code of the language, by which sentences are split.
        packages: packages for "docstrings"; "python" is the standard library. `None`: "python" and
            numpy, scipy, scikit-learn, matplotlib, keras and tensorflow, if they are installed.
        encoding: encoding of the files, such as "latin-1". `None`: UTF-8, or the encoding of a byte
            order mark (UTF-8, UTF-16, UTF-32); files with invalid bytes are left out.
        validation_fraction: share of the training documents held out for validation, if the
            source has no folder for it.
        test_fraction: share held out for test, if the source has no folder for it.
        seed: seed of the splits.

    Returns:
        `TextData`.

    Raises:
        ImportError: sentences must be split and sentencex is not installed; the message names the extra.
        InputError: the source is missing, has no text, or is of an unknown kind.

    Example:

    >>> data = load_text("docstrings", packages=["json"])
    >>> data.description["test_split"], len(data.train) > 3 * len(data.test)
    ('ends of documents', True)
    """
    for name, fraction in (("validation", validation_fraction), ("test", test_fraction)):
        if not 0 <= fraction < 1:
            raise InputError(
                f"{name}_fraction must be at least 0 and below 1. Received: {name}_fraction={fraction}"
            )
    if seed < 0:
        raise InputError(f"seed must be at least 0. Received: seed={seed}")
    docstrings = source in (None, "docstrings")
    if docstrings and sentence_per_line:
        raise InputError(
            "sentence_per_line must be False for docstrings, whose sentences span several lines. "
            "Received: sentence_per_line=True"
        )
    if packages is not None and not docstrings:
        raise InputError(f'packages must be used only with the source "docstrings". Received: {source}')
    opened = open_text(source, sentence_per_line, language, packages, encoding)
    fractions = {"test": test_fraction, "validation": validation_fraction}
    spans, how = split_spans(opened, fractions, seed)
    splits = {name: TextSplit(opened.store, spans[name]) for name in ("train", "validation", "test")}
    opened.left_out.warn(opened.origin)
    return TextData(
        name=opened.name,
        **splits,
        description={
            "name": opened.name,
            "source": opened.origin,
            **{f"{name}_documents": len(split.spans) for name, split in splits.items()},
            **{f"{name}_sentences": len(split) for name, split in splits.items()},
            **{f"{name}_words": int(split.words.sum()) for name, split in splits.items()},
            **{f"{name}_split": how[name] for name in ("validation", "test")},
            "seed": seed,
            **opened.details,
            "left_out": opened.left_out.description(),
            "problems": list(opened.store.problems),
        },
    )


EXTENSIONS = (".txt", ".text", ".gz")


def open_text(
    source: str | os.PathLike | None,
    sentence_per_line: bool = False,
    language: str = "en",
    packages: Sequence[str] | None = None,
    encoding: str | None = None,
) -> TextSource:
    """Open any of the sources of `load_text`.

    Raises:
        ImportError: a required package is not installed; the message names the extra.
        InputError: the source is missing, of an unknown kind, or cannot be used.
    """
    if source is None or source == "docstrings":
        return _open_docstrings(packages)
    path = Path(source)
    if not path.exists():
        raise InputError(
            f'{path} does not exist: the source must be "docstrings", a text file or a folder of them.'
        )
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
    """Return the names of the text files at `path`, and `{name: split}`; empty without names of splits."""
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
    """Return path, size and modification time of each file, which identify its sentences in the cache."""
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
            if len(sentences) > 1:  # a single sentence has no neighbour
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
        yield TextDocument(name, number, _sentences(file, split), partial(_remarks, file))


def _sentences(file, split):
    if split is None:
        return (" ".join(line.split()) for line in file.lines(PIECE))
    return (sentence for paragraph in file.paragraphs() for sentence in split(paragraph))


def _remarks(file):
    if not file.unreadable:
        return []
    return [f"{file.path}: {file.unreadable} characters are not {file.encoding}."]


ENOUGH = 10  # least number of documents, or groups of documents, from which whole ones are held out


def split_spans(source: TextSource, fractions: dict[str, float], seed: int) -> tuple[dict, dict[str, str]]:
    """Return the spans of each split, see `TextSplit`, and the origin of each split other than "train".

    A split that the source provides is used. The other splits are drawn from the training documents:
    whole groups if there are at least 10 groups, otherwise whole documents if there are at least 10,
    otherwise the last sentences of each document.

    Args:
        source: the documents.
        fractions: shares of the splits other than "train", in the order of drawing.
        seed: seed of the draws.

    Raises:
        InputError: there are no documents for training.
    """
    store = source.store
    own = set() if source.splits is None else set(source.splits.tolist())
    training = np.ones(len(store.groups), bool) if source.splits is None else source.splits == "train"
    few_groups = len(np.unique(store.groups[training])) < ENOUGH
    groups = np.arange(len(store.groups)) if few_groups else store.groups
    whole = training.sum() >= ENOUGH
    rows = draw_splits(source.splits, groups, fractions if whole else dict.fromkeys(fractions, 0.0), seed)
    bounds = np.stack([store.bounds[:-1], store.bounds[1:]], axis=1)
    spans = {name: bounds[chosen] for name, chosen in rows.items()}
    how = {}
    for name, fraction in fractions.items():
        drawing = "whole documents" if whole else "ends of documents"
        how[name] = "official" if name in own else drawing if fraction else "none"
        if how[name] == "ends of documents" and len(spans["train"]):
            spans["train"], spans[name] = _ends(spans["train"], fraction)
    return spans, how


def _ends(spans, fraction):
    """Divide each span into its first and its last sentences, the share `fraction`, at least one in all."""
    starts, stops = spans.T
    held_out = (fraction * (stops - starts)).astype("int64")
    if not held_out.any():
        held_out[np.argmax(stops - starts)] = 1
    cuts = stops - held_out
    kept, ends = np.stack([starts, cuts], 1), np.stack([cuts, stops], 1)
    return kept[kept[:, 0] < kept[:, 1]], ends[ends[:, 0] < ends[:, 1]]
