"""Loading of images for training."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.data_files import LeftOut
from keras_ae.errors import InputError
from keras_ae.training.datasets._reading import START, list_files
from keras_ae.training.datasets._splits import class_numbers
from keras_ae.training.datasets.images._built_in import read_digits, read_sprites
from keras_ae.training.datasets.images._decoding import check_image_channels
from keras_ae.training.datasets.images._folder import EXTENSIONS, is_image, read_folder
from keras_ae.training.datasets.images._idx import is_idx, read_idx
from keras_ae.training.datasets.images._npz import read_npz
from keras_ae.training.datasets.images.data import ImageData, ImageSource, ImageSplit
from keras_ae.training.datasets.images.stores import EncodedStore


def load_images(
    source: str | os.PathLike | None = "digits",
    *,
    image_size: tuple[int, int] | None = None,
    scale: float | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
    split_seed: int = 0,
) -> ImageData:
    """Load images of any source, split into training, validation and test images.

    The same arguments give the same split on every machine. Arrays are kept as they
    are stored and converted batch by batch; the files of a folder are decoded when they
    are needed. All errors in the images are reported here, before a training begins.

    Args:
        source: "digits" (scikit-learn's 1,797 handwritten digits); "sprites" (737,280
            rendered ones, see `read_sprites`); a folder of images (png, jpeg, bmp, webp,
            tiff, netpbm, the first frame of a gif), with sub-folders as labels or splits; an `.npz` file (see
            `read_npz`); MNIST's idx files: their folder or one of them; a folder with
            one `.npz` file.
        image_size: height and width to resize all images to.
        scale: the pixel value of an array that is converted to 1, such as 255; `None`: uint8 is from 0 to
            255, other arrays must be in [0, 1].
        channels: 1 (grey) or 3 (RGB, transparency on white) to convert all images to; `None`:
            all must have the same number.
        skip_broken: leave out images that cannot be read; otherwise an error names all of them.
        validation_fraction: share of the training images held out for validation.
        test_fraction: share of all images held out for test, if the source has no
            test images of its own.
        split_seed: seed of the permutations from which the splits are drawn.

    Returns:
        `ImageData`, with images as float32 `(images, height, width, channels)` in [0, 1].

    Raises:
        InputError: the source is missing, empty, damaged or of an unknown kind; images
            differ in size or channels, or are broken; pixels are out of range, or their scale is
            ambiguous and must be given; there are too few images to split.

    Example:

    >>> data = load_images("digits")
    >>> data.image_shape, len(data.train), len(data.validation), len(data.test)
    ((8, 8, 1), 1294, 144, 359)
    """
    for name, fraction in (("validation", validation_fraction), ("test", test_fraction)):
        if not 0 <= fraction < 1:
            raise InputError(
                f"{name}_fraction must be at least 0 and below 1. Received: {name}_fraction={fraction}"
            )
    if split_seed < 0:
        raise InputError(f"split_seed must be at least 0. Received: split_seed={split_seed}")
    opened = open_images(source, image_size, scale=scale, channels=channels, skip_broken=skip_broken)
    opened.check_scale(scale)
    opened.left_out.warn(opened.origin)
    rows = _split_rows(opened, validation_fraction, test_fraction, split_seed)
    labels, class_names = class_numbers(opened.labels, opened.class_names)
    splits = {}
    for split, (part, chosen) in rows.items():
        chosen_labels = labels[part][chosen] if part in labels else None
        store: Any = opened.parts[part]  # only streams read an `NpzMemberStore`
        splits[split] = ImageSplit(store, chosen, chosen_labels)
    return ImageData(
        name=opened.name,
        **splits,
        image_shape=opened.image_shape,
        num_classes=len(class_names) or None,
        class_names=class_names,
        description={
            "name": opened.name,
            "source": opened.origin,
            **{f"{split}_images": len(images) for split, images in splits.items()},
            "image_shape": list(opened.image_shape),
            "classes": len(class_names),
            "test_split": "official" if "test" in opened.parts else f"{test_fraction:g} of all, drawn",
            "validation_split": "official"
            if "validation" in opened.parts
            else f"{validation_fraction:g} of the training images, drawn",
            "split_seed": split_seed,
            "channels": channels,
            "left_out": opened.left_out.description(),
        },
    )


def _split_rows(opened, validation_fraction, test_fraction, seed):
    """Return `{split: (part of the source, its rows)}`; rows ascend, so that files are read in order."""
    part = "train" if "train" in opened.parts else "all"
    rows = {"train": np.arange(len(opened.parts[part]))}
    for number, (split, fraction) in enumerate(
        (("test", test_fraction), ("validation", validation_fraction))
    ):
        if split in opened.parts:
            rows[split] = (split, np.arange(len(opened.parts[split])))
        else:
            rows["train"], held_out = _draw(rows["train"], fraction, (seed, number))
            rows[split] = (part, held_out)
    return {"train": (part, rows["train"]), "validation": rows["validation"], "test": rows["test"]}


def _draw(rows, fraction, seed):
    """Return the remaining rows and the rows held out, at least one of these unless `fraction` is 0."""
    count = max(1, round(len(rows) * fraction)) if fraction else 0
    if count >= len(rows):
        raise InputError(
            "There must be enough images to hold some out for test and validation. "
            f"Received: only {len(rows)} left to split; add more."
        )
    order = np.random.default_rng(seed).permutation(len(rows))
    return np.sort(rows[order[count:]]), np.sort(rows[order[:count]])


SOURCES = '"digits", "sprites", a folder of images, an .npz file, or MNIST idx files'


def open_images(
    source: str | os.PathLike | None,
    image_size: tuple[int, int] | None = None,
    streamed_shape: tuple[int, int, int] | None = None,
    scale: float | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
) -> ImageSource:
    """Open any of the sources of `load_images`.

    With `streamed_shape`, images are not kept in memory or checked before they are read,
    one file of a set of idx files is read alone, and a single image is also a source.
    `scale` is the pixel value of arrays that is converted to 1; other sources have a scale of their own.
    With `channels`, all images are converted, see `to_channels`. With `skip_broken`, images that cannot be
    read are left out.

    Raises:
        InputError: the source is missing, of an unknown kind, or cannot be used.
    """
    if image_size is not None and (len(image_size) != 2 or min(image_size) < 1):
        raise InputError(f"The image size must be a height and a width of at least 1. Received: {image_size}")
    check_image_channels(channels)
    opened = _open(source, image_size, streamed_shape, scale, channels, skip_broken)
    for store in opened.parts.values():
        if not isinstance(store, EncodedStore):
            store.convert_to(channels)
    return opened


def _open(source, image_size, streamed_shape, scale, channels, skip_broken):
    if source is None or source == "digits":
        return read_digits(image_size)
    if source == "sprites":
        # rendered at the requested size, not resized to it
        size = streamed_shape[:2] if streamed_shape and not image_size else image_size
        return read_sprites(size, streamed=streamed_shape is not None)
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path} does not exist: the source must be {SOURCES}.")
    try:
        return _open_path(path, image_size, streamed_shape, scale, channels, skip_broken)
    except PermissionError as error:
        raise InputError(f"{error.filename or path} cannot be read: check its permissions.") from None


def _open_path(path, image_size, streamed_shape, scale, *encoded):
    if path.is_dir():
        return _open_folder(path, image_size, streamed_shape, scale, *encoded)
    if path.suffix.lower() == ".npz":
        return read_npz(path, image_size, streamed_shape, scale, *encoded)
    if is_idx(path):
        return read_idx(path, image_size, streamed_shape is not None, scale)
    if streamed_shape and (path.suffix.lower() in EXTENSIONS or _starts_as_image(path)):
        channels, _ = encoded
        store = EncodedStore([str(path)], [str(path)], streamed_shape, image_size, channels)
        return ImageSource(path.stem, f"image {path}", {"all": store}, names={"all": [path.name]})
    raise InputError(f"{path} must be {SOURCES}. Received: a file ending in {path.suffix or 'nothing'}")


def _open_folder(path, image_size, streamed_shape, scale, *encoded):
    files = sorted(file for file in path.iterdir() if file.is_file())
    if any(map(is_idx, files)):
        return read_idx(path, image_size, streamed_shape is not None, scale)
    archives = [file for file in files if file.suffix.lower() == ".npz"]
    if archives and not list_files(path, EXTENSIONS, LeftOut(), "image", is_image):
        if len(archives) > 1:
            raise InputError(
                f"{path} contains {len(archives)} .npz files ({archives[0].name}, {archives[1].name}, ...): "
                "pass one of them."
            )
        return read_npz(archives[0], image_size, streamed_shape, scale, *encoded)
    return read_folder(path, image_size, streamed_shape, *encoded)


def _starts_as_image(path):
    with path.open("rb") as file:
        return is_image(file.read(START))
