"""Images as files in a folder."""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets.encoded_store import EncodedStore
from keras_ae.training.datasets.file_names import names_ending_in
from keras_ae.training.datasets.image_source import ImageSource
from keras_ae.training.datasets.image_survey import common_image_shape

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif")


def read_folder(
    folder: Path,
    image_size: tuple[int, int] | None = None,
    streamed_shape: tuple[int, int, int] | None = None,
) -> ImageSource:
    """All images below a folder, in the order of their paths, whatever the file system says.

    Where all of them lie in sub-folders, the name of the first sub-folder is the label.
    Sub-folders `train` and `test`, and no others, are an official split, with labels one
    level below. Hidden files and folders are left out.

    Args:
        folder: the folder.
        image_size: height and width to resize to.
        streamed_shape: given, the images will be read once, and are checked against
            this shape on the way; else all are decoded once here.

    Raises:
        InputError: there are no images; an image is broken; sizes or channels differ.
    """
    names = names_ending_in(EXTENSIONS, folder)
    if not names:
        raise InputError(
            f"{folder} holds no images ({', '.join(EXTENSIONS)}). Received: {_what_there_is(folder)}"
        )
    paths = {name: str(folder / name) for name in names}
    shape = streamed_shape or common_image_shape(list(paths.values()), list(paths.values()), image_size)
    parts, stores, labels = _split_by_name(names), {}, {}
    for part, (chosen, classes) in parts.items():
        files = [paths[name] for name in chosen]
        stores[part] = EncodedStore(files, files, shape, image_size)
        if classes is not None:
            labels[part] = np.array(classes)
    return ImageSource(
        name=folder.resolve().name,
        origin=f"folder {folder}",
        parts=stores,
        labels=labels,
        names={part: chosen for part, (chosen, _) in parts.items()},
    )


def _split_by_name(names):
    """`{part: (names, labels or None)}`."""
    if {name.partition("/")[0] for name in names if "/" in name} == {"train", "test"} and all(
        "/" in name for name in names
    ):
        split = {part: [name for name in names if name.startswith(f"{part}/")] for part in ("train", "test")}
        return {part: (chosen, _labels(chosen, level=1)) for part, chosen in split.items()}
    return {"all": (names, _labels(names, level=0))}


def _labels(names, level):
    folders = [name.split("/")[:-1] for name in names]
    return [parts[level] for parts in folders] if all(len(parts) > level for parts in folders) else None


def _what_there_is(folder):
    files = (Path(name) for _, _, found in os.walk(folder) for name in found)
    found = Counter(file.suffix.lower() or "without extension" for file in files)
    return ", ".join(f"{count} x {kind}" for kind, count in found.most_common(5)) or "an empty folder"
