"""Transfer tasks for sentence embeddings, and reading them from files."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_ae.data_files import LeftOut, split_of
from keras_ae.errors import InputError, check_finite
from keras_ae.text.text_file import TextFile


@dataclass(frozen=True)
class LabelledSentences:
    """Sentences or pairs of sentences, each with a class or a score.

    Attributes:
        sentences: list of str.
        seconds: the second sentence of each pair; `None`: single sentences.
        target: `(examples,)`; floating-point numbers are scores, anything else is a class.

    Raises:
        InputError: the numbers of examples differ, there are no examples, or a score is not finite.
    """

    sentences: Sequence[str]
    target: Sequence
    seconds: Sequence[str] | None = None

    def __post_init__(self):
        target = np.asarray(self.target)
        target = target.astype(str) if target.dtype.kind == "O" else target
        object.__setattr__(self, "target", target)
        columns = {"sentences": self.sentences, "target": target}
        columns |= {} if self.seconds is None else {"seconds": self.seconds}
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) > 1 or not len(target):
            raise InputError(
                f"{', '.join(columns)} must have the same length, at least 1. Received: {lengths}"
            )
        check_finite(target, "target")

    def __len__(self):
        return len(self.target)


@dataclass(frozen=True)
class SentenceTask:
    """Task with labelled sentences to fit a classifier on and to test it on.

    Attributes:
        name: short name, such as "trec".
        train: `LabelledSentences` to fit the classifier on.
        validation: `LabelledSentences` to choose the penalty of the classifier by; `None`: folds of
            `train` are used.
        test: `LabelledSentences` to test on; `None`: each of the folds of `train` (10 by default) is held
            out once.

    Raises:
        InputError: one part has scores or pairs, and another has not.

    Example:

    >>> train = LabelledSentences(["good", "bad"], ["1", "0"])
    >>> SentenceTask("tiny", train).kind
    'classes'
    >>> SentenceTask("likeness", LabelledSentences(["a"], [4.5], ["b"])).kind
    'scores'
    """

    name: str
    train: LabelledSentences
    validation: LabelledSentences | None = None
    test: LabelledSentences | None = None

    def __post_init__(self):
        kinds = {(part.target.dtype.kind == "f", part.seconds is None) for part in self.parts}
        if len(kinds) > 1:
            received = [
                f"{'scores' if scores else 'classes'} {'without' if single else 'with'} pairs"
                for scores, single in sorted(kinds)
            ]
            raise InputError(
                f"All parts of {self.name} must have the same kind of target, classes or scores, and all or "
                f"none of them must have pairs. Received: {' and '.join(received)}."
            )

    @property
    def parts(self) -> list[LabelledSentences]:
        """Existing parts, in the order train, validation, test."""
        return [part for part in (self.train, self.validation, self.test) if part is not None]

    @property
    def kind(self) -> str:
        """Kind of the targets, "classes" or "scores"."""
        return "scores" if np.asarray(self.train.target).dtype.kind == "f" else "classes"

    @property
    def pairs(self) -> bool:
        """Whether each example is a pair of sentences."""
        return self.train.seconds is not None

    def texts(self) -> list[str]:
        """Return all sentences, each once."""
        texts: dict[str, None] = {}
        for part in self.parts:
            texts |= dict.fromkeys(part.sentences) | dict.fromkeys(part.seconds or ())
        return list(texts)


# columns of the target, the sentence and the second sentence, and whether the target is a score
LABELLED = (0, 1, None, False)
TASK_COLUMNS = {  # tasks in a file, by the name of the file
    "mrpc": {"mrpc": (0, 1, 2, False)},
    "sick": {"sick-r": (0, 2, 3, True), "sick-e": (1, 2, 3, False)},
    "stsb": {"stsb": (0, 1, 2, True)},
}


def load_sentence_tasks(folder: str | os.PathLike, names: Sequence[str] | None = None) -> list[SentenceTask]:
    """Load the tasks in the .tsv files of a folder.

    `NAME.train.tsv`, `NAME.dev.tsv` (or `val`, `valid`, `validation`) and `NAME.test.tsv` form a task.
    `NAME.all.tsv` or `NAME.tsv` is a task whose folds are held out in turn. Each line has a label, a
    tab and a sentence; further columns are ignored. Files of pairs have these columns:

    | NAME | columns | tasks |
    |---|---|---|
    | `mrpc` | class, sentence, second sentence | `mrpc` |
    | `stsb` | score, sentence, second sentence | `stsb` |
    | `sick` | score, class, sentence, second sentence | `sick-r`, `sick-e` |

    Args:
        folder: folder of the files; other files in it are listed in one `DataWarning`.
        names: names of the tasks to load; `None`: all tasks.

    Returns:
        list of `SentenceTask`, sorted by name.

    Raises:
        InputError: there are no such files, a name does not exist, a line has too few columns, no label
            or a score that is not a number, a file cannot be read, or a test file has no training file.

    Example:

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "mood.all.tsv").write_text("good\\tfine , thanks\\nbad\\tnot at all\\n")
    >>> (task,) = load_sentence_tasks(folder)
    >>> task.name, task.train.sentences, task.train.target.tolist()
    ('mood', ['fine , thanks', 'not at all'], ['good', 'bad'])
    """
    files = _files(Path(folder))
    tasks = {}
    for stem, parts in files.items():
        for name, columns in TASK_COLUMNS.get(stem, {stem: LABELLED}).items():
            if names is None or name in names:
                tasks[name] = (parts, columns)
    missing = sorted(set(names or ()) - set(tasks))
    if missing:
        known = [name for stem in files for name in TASK_COLUMNS.get(stem, {stem: None})]
        raise InputError(
            f"{folder}: the names of tasks must be among {', '.join(sorted(known))}. "
            f"Received: {', '.join(missing)}"
        )
    return [
        SentenceTask(name, **{part: _read(path, columns) for part, path in parts.items()})
        for name, (parts, columns) in sorted(tasks.items())
    ]


def read_labelled_sentences(path: Path) -> LabelledSentences:
    """Read a .tsv file, each line of which has a label, a tab and a sentence; further columns are ignored.

    Raises:
        InputError: a line has no tab or no label, there are no lines, or the file cannot be read.
    """
    return _read(path, LABELLED)


def _files(folder):
    """Return `{stem: {part: path}}`, sorted by stem."""
    found: dict[str, dict[str, Path]] = {}
    left_out = LeftOut()
    for path in sorted(path for path in folder.glob("*") if path.is_file()):
        if path.name.startswith("."):  # such as ._NAME.tsv, which macOS writes
            left_out.add("hidden", path.name)
            continue
        if path.suffix.lower() != ".tsv":
            left_out.add(f"{path.suffix.lower() or 'without an ending'}, no .tsv", path.name)
            continue
        stem, _, name = path.stem.rpartition(".")
        part = "train" if name.lower() == "all" else split_of(name)
        stem, part = (stem, part) if stem and part else (path.stem, "train")
        if part in found.setdefault(stem, {}):
            raise InputError(
                f"{path.name} and {found[stem][part].name} are both the {part} part of {stem}. Remove one."
            )
        found[stem][part] = path
    left_out.warn(str(folder), stacklevel=3)
    if not found:
        came = left_out.summary() or "no .tsv file" if folder.is_dir() else "no such folder"
        raise InputError(
            f"{folder} must contain files such as NAME.all.tsv or NAME.train.tsv. Received: {came}"
        )
    for stem, parts in found.items():
        if "train" not in parts or ("validation" in parts and "test" not in parts):
            lacking = "test" if "train" in parts else "train"
            raise InputError(
                f"{folder} must contain {stem}.{lacking}.tsv. Received: only {', '.join(parts)}."
            )
    return dict(sorted(found.items()))


def _read(path, columns):
    target, first, second, is_score = columns
    needed = max(column for column in columns[:3] if column is not None) + 1
    rows = []
    for number, line in enumerate(TextFile(path).lines(), 1):
        cells = line.split("\t")
        if cells == [""]:
            continue
        if len(cells) < needed:
            raise InputError(
                f"{path}, line {number} must have {needed} columns, separated by tabs. "
                f"Received: {line[:60]!r}"
            )
        label = cells[target].strip()
        if not label:
            raise InputError(
                f"{path}, line {number} must have a label in column {target + 1}. Received: none; add it or "
                "remove the line."
            )
        rows.append((_score(label, path, number) if is_score else label, cells))
    return LabelledSentences(
        [cells[first] for _, cells in rows],
        [value for value, _ in rows],
        None if second is None else [cells[second] for _, cells in rows],
    )


def _score(text, path, number):
    try:
        return float(text)
    except ValueError:
        raise InputError(
            f"{path}, line {number} must have a number as score. Received: {text[:60]!r}"
        ) from None
