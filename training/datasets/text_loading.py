"""Text for training."""

import os
from collections.abc import Sequence

from keras_ae.errors import InputError
from keras_ae.training.datasets.text_data import TextData
from keras_ae.training.datasets.text_opening import open_text
from keras_ae.training.datasets.text_split import TextSplit
from keras_ae.training.datasets.text_splitting import split_spans


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
    """Documents of consecutive sentences, split into training, validation and test.

    A text file is a document; empty lines separate its paragraphs, in which lines are joined
    and cut into sentences. Files are read once, piece by piece, however large they are; the
    sentences and where each begins are kept in the cache (`KERAS_AE_CACHE`, else
    `~/.cache/keras_ae`), from where they are read as they are needed. A file that cannot be
    used is left out and named in one `DataWarning`, in `description["left_out"]` and, with what is wrong
    with it, in `description["problems"]`.

    Args:
        source: "docstrings": the English prose of the docstrings of installed packages, each
            docstring of at least two sentences a document; a text file, plain or gzip;
            a folder, in which and below which `.txt`, `.text` and `.gz` files are read. Folders
            `train`, `validation` and `test` in it (or `training`, `val`, `valid`, `dev`,
            `testing`, in small or capital letters) are splits, also within one outer folder, and so
            are files `train.txt`, `valid.txt` and `test.txt` or `NAME.train.txt` and so on.
        sentence_per_line: each line that is not empty is one sentence.
        language: ISO 639 code of the language whose sentences are cut.
        packages: for "docstrings"; "python" is the standard library. `None`: that and numpy,
            scipy, scikit-learn, matplotlib, keras and tensorflow, where they are installed.
        encoding: of the files, such as "latin-1". `None`: UTF-8, or what a byte order mark says
            (UTF-8, UTF-16, UTF-32); a file in which other bytes are found is left out.
        validation_fraction: share of the training documents held out for validation, where the
            source has no folder for it.
        test_fraction: share held out for test, where the source has no folder for it.
        seed: of the splits.

    Returns:
        `TextData`.

    Raises:
        ImportError: sentences have to be cut and sentencex is missing; names the extra.
        InputError: the source is missing, has no text, or is of no known kind.

    Example:

    >>> data = load_text("docstrings", packages=["json"])
    >>> data.description["test_split"], len(data.train) > 3 * len(data.test)
    ('ends of documents', True)
    """
    for name, fraction in (("validation", validation_fraction), ("test", test_fraction)):
        if not 0 <= fraction < 1:
            raise InputError(f"The {name} fraction is at least 0 and below 1. Received: {fraction}")
    if seed < 0:
        raise InputError(f"The seed is at least 0. Received: {seed}")
    docstrings = source in (None, "docstrings")
    if docstrings and sentence_per_line:
        raise InputError("Docstrings have no sentence a line: leave out sentence_per_line.")
    if packages is not None and not docstrings:
        raise InputError(f'Only the source "docstrings" takes packages. Received: {source}')
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
