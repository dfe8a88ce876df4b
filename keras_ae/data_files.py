"""Files of a data set: splits by the names of files and folders, and a record of items left out."""

import warnings
from collections.abc import Iterable, Sequence

from keras_ae.errors import DataWarning, InputError

SHOWN = 3  # names for each reason in the summary line
STORED = 20  # names for each reason in `description`


class LeftOut:
    """Names of the items that a reader left out, grouped by reason.

    Args:
        unit: kind of the items, in the plural.

    Example:

    >>> left_out = LeftOut()
    >>> left_out.add("hidden", ".DS_Store")
    >>> left_out.add(".txt, no image", "notes.txt")
    >>> left_out.line("folder data")
    'folder data: 2 files are left out: 1 hidden (.DS_Store); 1 .txt, no image (notes.txt).'
    >>> left_out.description()["by_reason"]
    {'hidden': 1, '.txt, no image': 1}
    """

    def __init__(self, unit: str = "files"):
        self.unit = unit
        self.reasons: dict[str, list[str]] = {}
        self.suspicions: dict[str, list[str]] = {}

    def add(self, reason: str, name: str) -> None:
        """Record that `name` is left out because of `reason`."""
        self.reasons.setdefault(reason, []).append(name)

    def keep(self, reason: str, name: str) -> None:
        """Record that `name` is kept although it is suspicious because of `reason`."""
        self.suspicions.setdefault(reason, []).append(name)

    def copy(self) -> "LeftOut":
        """Return an independent copy."""
        other = LeftOut(self.unit)
        other.reasons = {reason: list(names) for reason, names in self.reasons.items()}
        other.suspicions = {reason: list(names) for reason, names in self.suspicions.items()}
        return other

    @property
    def count(self) -> int:
        """Number of names that are left out."""
        return sum(map(len, self.reasons.values()))

    def __bool__(self):
        return bool(self.reasons or self.suspicions)

    def description(self) -> dict:
        """Return counts and up to 20 names for each reason, serialisable as JSON."""
        found = {"count": self.count, **_counted(self.reasons)}
        return {**found, "suspicious": _counted(self.suspicions)} if self.suspicions else found

    def summary(self) -> str:
        """Return the counts of each reason, with a few names."""
        return _named(self.reasons)

    def line(self, origin: str) -> str:
        """Return one line with all counts and a few names for each reason; empty if nothing is recorded."""
        parts = []
        if self.reasons:
            parts.append(f"{self.count} {self._units()} left out: {_named(self.reasons)}.")
        if self.suspicions:
            kept = sum(map(len, self.suspicions.values()))
            parts.append(f"{kept} {'is' if kept == 1 else 'are'} suspicious: {_named(self.suspicions)}.")
        return f"{origin}: {' '.join(parts)}" if parts else ""

    def warn(self, origin: str, stacklevel: int = 2) -> None:
        """Emit `line` as one `DataWarning` if anything is recorded."""
        if self:
            warnings.warn(DataWarning(self.line(origin)), stacklevel=stacklevel + 1)

    def _units(self):
        return f"{self.unit.removesuffix('s')} is" if self.count == 1 else f"{self.unit} are"


def some_of(names: Iterable[str], shown: int = SHOWN) -> str:
    """Return the first names, separated by commas, and "..." if there are more.

    Example:

    >>> some_of(["a", "b", "c", "d"])
    'a, b, c, ...'
    """
    names = list(names)
    return ", ".join([*names[:shown], *["..."][: len(names) > shown]])


def _counted(reasons):
    return {
        "by_reason": {reason: len(names) for reason, names in reasons.items()},
        "examples": {reason: names[:STORED] for reason, names in reasons.items()},
    }


def _named(reasons):
    return "; ".join(f"{len(names)} {reason} ({some_of(names)})" for reason, names in reasons.items())


SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
SPLITS = tuple(SPLIT_NAMES)
_SPLITS = {name: split for split, names in SPLIT_NAMES.items() for name in names}


def split_of(name: str) -> str | None:
    """Return the split that a folder, a cell or a part of a file name denotes; `None`: no split.

    Example:

    >>> split_of("Dev"), split_of("training"), split_of("extra")
    ('validation', 'train', None)
    """
    return _SPLITS.get(name.strip().lower())


def splits_of_paths(names: Sequence[str], origin: str, left_out: LeftOut) -> dict[str, str]:
    """Return `{path: split}` of files in folders named after splits; empty if there are no such folders.

    Outer folders that contain only one folder are skipped.

    Args:
        names: paths of data files, relative to the data folder, with `/` between.
        origin: the data folder, for errors.
        left_out: records files next to the folders of splits.

    Raises:
        InputError: see `splits_of_folders`.

    Example:

    >>> splits_of_paths(["set/dev/a.txt", "set/train/b.txt"], "data", LeftOut())
    {'set/dev/a.txt': 'validation', 'set/train/b.txt': 'train'}
    """
    level = split_level(names)
    folders = {name: name.split("/")[level] for name in names if name.count("/") > level}
    splits = splits_of_folders(folders.values(), origin)
    if splits is None:
        return {}
    for name in names:
        if name not in folders:
            left_out.add("next to the folders of splits", name)
    return {name: splits[folder] for name, folder in folders.items()}


def split_level(names: Sequence[str]) -> int:
    """Return the number of outer folders that contain only one folder, not named after a split.

    Example:

    >>> split_level(["set/dev/a.txt", "set/train/b.txt"]), split_level(["train/a.txt"])
    (1, 0)
    """
    level = 0
    while True:
        parts = {tuple(name.split("/")[level : level + 2]) for name in names}
        folders = {part[0] for part in parts}
        if len(folders) != 1 or any(len(part) < 2 for part in parts) or split_of(*folders):
            return level
        level += 1


def splits_of_files(names: Sequence[str], origin: str) -> dict[str, str]:
    """Return `{path: split}` of the files of one folder if they are named after splits, else nothing.

    `train.txt`, `valid.txt` and `test.txt` are splits, and so are `NAME.train.txt` and so on.

    Args:
        names: paths of data files, relative to the data folder, with `/` between.
        origin: the data folder, for errors.

    Raises:
        InputError: files for training and for validation or test are next to others; two files denote
            one split; all are for validation or test.

    Example:

    >>> splits_of_files(["ptb.train.txt", "ptb.valid.txt"], "data")
    {'ptb.train.txt': 'train', 'ptb.valid.txt': 'validation'}
    >>> splits_of_files(["test.txt", "emma.txt"], "data")
    {}
    """
    if not names:
        return {}
    level = split_level(names)
    if any(name.count("/") > level for name in names):
        return {}
    files = {name: name.split("/")[-1] for name in names}
    found = {name: _split_of_file(file) for name, file in files.items()}
    splits = set(found.values())
    if None in splits and not ("train" in splits and len(splits) > 2):
        return {}
    return _checked(found, origin, "file")


def _split_of_file(name):
    """Return the split of `train.txt`, `train.txt.gz` and `NAME.train.txt`; `None`: no split."""
    first, *parts = name.lower().removesuffix(".gz").split(".")
    return split_of(parts[-2] if len(parts) > 1 else first)


def splits_of_folders(folders: Iterable[str], origin: str) -> dict[str, str] | None:
    """Return `{folder: split}` of the folders directly below a data folder; `None`: they are not splits.

    Folders that are not named after splits are data, and so is a folder `train` next to others if
    none is named after validation or test (it may be a class).

    Args:
        folders: names of the folders that contain data.
        origin: the data folder, for errors.

    Raises:
        InputError: two folders denote one split; validation or test data without training data;
            folders of other names next to the splits.

    Example:

    >>> splits_of_folders(["Train", "dev"], "data"), splits_of_folders(["cat", "dog"], "data")
    ({'Train': 'train', 'dev': 'validation'}, None)
    """
    found = {folder: split_of(folder) for folder in sorted(set(folders))}
    if set(found.values()) <= {None} or set(found.values()) == {None, "train"}:
        return None
    return _checked(found, origin, "folder")


def _checked(found, origin, kind):
    """Return `found` if every name denotes a split and one of them is for training; raise otherwise."""
    splits = {name: split for name, split in found.items() if split}
    others = [name for name in found if name not in splits]
    held_out = [name for name, split in splits.items() if split != "train"]
    for split in SPLITS:
        same = [name for name in splits if splits[name] == split]
        if len(same) > 1:
            raise InputError(
                f"{origin} must contain one {kind} for {split}. Received: {', '.join(same)}; "
                "merge them or rename one."
            )
    if "train" not in splits.values():
        raise InputError(
            f"{origin} must contain a {kind} train next to {', '.join(held_out)}. Received: "
            f"{', '.join(found)}; rename the {kind} of training data to train, or rename {held_out[0]}."
        )
    if others:
        raise InputError(
            f"{origin} must contain only {kind}s of splits ({', '.join(splits)}). Received: "
            f"{', '.join(others)} next to them; move {'it' if len(others) == 1 else 'them'} elsewhere or "
            "into one of the splits."
        )
    return splits
