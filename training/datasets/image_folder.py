"""Images as files in a folder."""

from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.left_out import LeftOut
from keras_ae.split_names import SPLITS, splits_of_folders
from keras_ae.training.datasets.encoded_store import EncodedStore
from keras_ae.training.datasets.file_names import list_files
from keras_ae.training.datasets.image_source import ImageSource
from keras_ae.training.datasets.image_survey import common_image_shape

EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff")
EXTENSIONS += (".pgm", ".ppm", ".pbm", ".pnm")
STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"BM")


def read_folder(
    folder: Path,
    image_size: tuple[int, int] | None = None,
    streamed_shape: tuple[int, int, int] | None = None,
) -> ImageSource:
    """All images below a folder, in the order of their paths, whatever the file system says.

    An image is found by its ending or, where that is another one, by its first bytes. Where all of
    them lie in sub-folders, the name of the first sub-folder is the label. Sub-folders that are named
    after splits (see `keras_ae.split_names`) are an official split, with labels one level below.
    Hidden files and files of other kinds are left out, and recorded.

    Args:
        folder: the folder.
        image_size: height and width to resize to.
        streamed_shape: given, the images will be read once, and are checked against
            this shape on the way; else all are decoded once here.

    Raises:
        InputError: there are no images; an image is broken; sizes or channels differ.
    """
    left_out = LeftOut()
    names = list_files(folder, EXTENSIONS, left_out, "image", is_image)
    if not names:
        raise InputError(
            f"{folder} must contain images ({', '.join(EXTENSIONS)}). "
            f"Received: {left_out.summary() or 'an empty folder'}"
        )
    paths = {name: str(folder / name) for name in names}
    shape = streamed_shape or common_image_shape(list(paths.values()), list(paths.values()), image_size)
    parts = {"all": (names, None)} if streamed_shape else _split_by_name(names, folder, left_out)
    stores, labels = {}, {}
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
        left_out=left_out,
    )


def is_image(start: bytes) -> bool:
    """Whether a file that starts so is an image of a kind that can be read."""
    return start.startswith(STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def _split_by_name(names, folder, left_out):
    """`{part: (names, labels or None)}`."""
    splits = splits_of_folders({name.split("/")[0] for name in names if "/" in name}, str(folder))
    if splits is None:
        return {"all": (names, _labels(names, level=0))}
    for name in names:
        if "/" not in name:
            left_out.add("next to the folders of splits", name)
    split_names = {
        split: [name for name in names if "/" in name and splits[name.split("/")[0]] == split]
        for split in SPLITS
        if split in splits.values()
    }
    return {split: (chosen, _labels(chosen, level=1)) for split, chosen in split_names.items()}


def _labels(names, level):
    folders = [name.split("/")[:-1] for name in names]
    return [parts[level] for parts in folders] if all(len(parts) > level for parts in folders) else None
