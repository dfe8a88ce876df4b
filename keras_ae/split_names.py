"""Names of training, validation and test data, the same for images, speech, text and tasks."""

from collections.abc import Iterable

from keras_ae.errors import InputError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
SPLITS = tuple(SPLIT_NAMES)
_SPLITS = {name: split for split, names in SPLIT_NAMES.items() for name in names}


def split_of(name: str) -> str | None:
    """The split that a folder, a cell or a part of a file name stands for; `None`: no split.

    Example:

    >>> split_of("Dev"), split_of("training"), split_of("extra")
    ('validation', 'train', None)
    """
    return _SPLITS.get(name.strip().lower())


def splits_of_folders(folders: Iterable[str], origin: str) -> dict[str, str] | None:
    """`{folder: split}` of the folders directly below a data folder; `None`: they are no splits.

    Folders that are not named after splits are data, and so is a folder `train` next to others if
    none is named after validation or test (it may be a class).

    Args:
        folders: names of the folders that contain data.
        origin: the data folder, for errors.

    Raises:
        InputError: two folders stand for one split; validation or test data without training data;
            folders of other names next to the splits.

    Example:

    >>> splits_of_folders(["Train", "dev"], "data"), splits_of_folders(["cat", "dog"], "data")
    ({'Train': 'train', 'dev': 'validation'}, None)
    """
    folders = sorted(set(folders))
    splits = {folder: split_of(folder) for folder in folders if split_of(folder)}
    others = [folder for folder in folders if folder not in splits]
    held_out = [folder for folder, split in splits.items() if split != "train"]
    if not held_out and (others or not splits):
        return None
    for split in set(splits.values()):
        same = [folder for folder in splits if splits[folder] == split]
        if len(same) > 1:
            raise InputError(
                f"{origin} must contain one folder for {split}. Received: {', '.join(same)}; "
                "merge them or rename one."
            )
    if "train" not in splits.values():
        raise InputError(
            f"{origin} must contain a folder train next to {', '.join(held_out)}. Received: "
            f"{', '.join(folders)}; rename the folder of training data to train, or rename {held_out[0]}."
        )
    if others:
        raise InputError(
            f"{origin} must contain folders of splits alone ({', '.join(splits)}). Received: "
            f"{', '.join(others)} next to them; move {'it' if len(others) == 1 else 'them'} elsewhere or "
            "into one of the splits."
        )
    return splits
