"""Reading of folders of images, with a check of sizes, channels and broken files."""

from pathlib import Path

import numpy as np

from keras_ae.data_files import SPLITS, LeftOut, split_level, splits_of_paths
from keras_ae.errors import InputError
from keras_ae.training.datasets._reading import list_files
from keras_ae.training.datasets.images._decoding import survey_images
from keras_ae.training.datasets.images.data import ImageSource
from keras_ae.training.datasets.images.stores import EncodedStore, encoded_items

EXTENSIONS = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff")
EXTENSIONS += (".pgm", ".ppm", ".pbm", ".pnm")
STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"BM")


def read_folder(
    folder: Path,
    image_size: tuple[int, int] | None = None,
    streamed_shape: tuple[int, int, int] | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
) -> ImageSource:
    """Open all images below a folder, sorted by path, independent of the file system.

    An image is recognised by its extension or, if it has another extension, by its first bytes. If all
    images are in sub-folders, the name of the first sub-folder is the label. Sub-folders that are named
    after splits (see `keras_ae.data_files`) are an official split, with labels one level below; outer
    folders that contain nothing but one folder are skipped.
    Hidden files and files of other kinds are left out and recorded.

    Args:
        folder: the folder.
        image_size: height and width to resize to.
        streamed_shape: if given, the images will be read once, all in one part, and each is checked
            against this shape when it is read; otherwise all are decoded once here.
        channels: number of channels to convert to, see `to_channels`.
        skip_broken: leave out images that cannot be read, and record them.

    Raises:
        InputError: there are no images; images are broken; sizes or channels differ; the names of the
            folders do not give valid splits.
    """
    left_out = LeftOut()
    names = list_files(folder, EXTENSIONS, left_out, "image", is_image)
    if not names:
        raise InputError(
            f"{folder} must contain images ({', '.join(EXTENSIONS)}). "
            f"Received: {left_out.summary() or 'an empty folder'}"
        )
    if streamed_shape:
        parts, shape, ways = {"all": (names, None)}, streamed_shape, None
    else:
        parts = _split_by_name(names, folder, left_out)
        names = [name for chosen, _ in parts.values() for name in chosen]
        paths = [str(folder / name) for name in names]
        survey = survey_images(
            encoded_items(paths),
            paths,
            from_files=True,
            image_size=image_size,
            channels=channels,
            skip_broken=skip_broken,
        )
        shape, ways = survey.image_shape, dict(zip(names, survey.ways, strict=True))
        parts = _readable(parts, dict(zip(names, survey.readable, strict=True)), left_out)
    stores, labels = {}, {}
    for part, (chosen, classes) in parts.items():
        files = [str(folder / name) for name in chosen]
        own = np.array([ways[name] for name in chosen]) if ways else None
        stores[part] = EncodedStore(files, files, shape, image_size, channels, own)
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


def _readable(parts, readable, left_out):
    """Return the parts without the images that cannot be read."""
    for name in readable:
        if not readable[name]:
            left_out.add("unreadable", name)
    kept = {}
    for part, (names, classes) in parts.items():
        chosen = [row for row, name in enumerate(names) if readable[name]]
        if not chosen:
            raise InputError(
                f"{part} must contain images that can be read. Received: {len(names)} broken ones"
            )
        kept[part] = ([names[row] for row in chosen], classes and [classes[row] for row in chosen])
    return kept


def is_image(start: bytes) -> bool:
    """Return whether a file with these first bytes is an image of a supported kind."""
    return start.startswith(STARTS) or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")


def _split_by_name(names, folder, left_out):
    """Return `{part: (names, labels or None)}`."""
    splits = splits_of_paths(names, str(folder), left_out)
    if not splits:
        return {"all": (names, _labels(names, level=0))}
    level = split_level(names) + 1
    split_names = {
        split: [name for name in names if splits.get(name) == split]
        for split in SPLITS
        if split in splits.values()
    }
    return {split: (chosen, _labels(chosen, level)) for split, chosen in split_names.items()}


def _labels(names, level):
    folders = [name.split("/")[:-1] for name in names]
    return [parts[level] for parts in folders] if all(len(parts) > level for parts in folders) else None
