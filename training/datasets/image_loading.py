"""Images for training."""

import os

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets.class_labels import class_numbers
from keras_ae.training.datasets.image_data import ImageData
from keras_ae.training.datasets.image_opening import open_images
from keras_ae.training.datasets.image_split import ImageSplit


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
    """Images of any source, split into training, validation and test.

    The same arguments give the same split, on every machine. Arrays are kept as they
    are stored and converted batch by batch; the files of a folder are decoded as they
    are needed. All that can be wrong with the images is found here, before a training
    begins.

    Args:
        source: "digits" (scikit-learn's 1,797 handwritten digits); "sprites" (737,280
            rendered ones, see `read_sprites`); a folder of images (png, jpeg, bmp, webp,
            tiff, netpbm, the first frame of a gif), with sub-folders as labels or splits; an `.npz` file (see
            `read_npz`); MNIST's idx files: their folder or one of them; a folder with
            one `.npz` file.
        image_size: height and width to resize all images to.
        scale: the pixel value of an array that becomes 1, such as 255; `None`: uint8 is from 0 to 255,
            other arrays must be in [0, 1].
        channels: 1 (grey) or 3 (RGB, transparency on white) to convert all images to; `None`:
            all must have the same number.
        skip_broken: leave out images that cannot be read; otherwise they are an error that names
            all of them.
        validation_fraction: share of the training images held out for validation.
        test_fraction: share of all images held out for test, where the source has no
            test images of its own.
        split_seed: of the permutations from which the splits are drawn.

    Returns:
        `ImageData`, with images as float32 `(images, height, width, channels)` in [0, 1].

    Raises:
        InputError: the source is missing, empty, damaged or of no known kind; images
            differ in size or channels, or are broken; pixels are out of range, or their scale has to
            be given; there are too few images to split.

    Example:

    >>> data = load_images("digits")
    >>> data.image_shape, len(data.train), len(data.validation), len(data.test)
    ((8, 8, 1), 1294, 144, 359)
    """
    for name, fraction in (("validation", validation_fraction), ("test", test_fraction)):
        if not 0 <= fraction < 1:
            raise InputError(f"The {name} fraction is at least 0 and below 1. Received: {fraction}")
    if split_seed < 0:
        raise InputError(f"The seed of the split is at least 0. Received: {split_seed}")
    opened = open_images(source, image_size, scale=scale, channels=channels, skip_broken=skip_broken)
    opened.check_scale(scale)
    opened.left_out.warn(opened.origin)
    rows = _split_rows(opened, validation_fraction, test_fraction, split_seed)
    labels, class_names = class_numbers(opened.labels, opened.class_names)
    splits = {}
    for split, (part, chosen) in rows.items():
        chosen_labels = labels[part][chosen] if part in labels else None
        splits[split] = ImageSplit(opened.parts[part], chosen, chosen_labels)
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
    """`{split: (part of the source, its rows)}`; rows ascend, so that files are read in order."""
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
    """Rows that stay and rows held out; at least one of the latter unless `fraction` is 0."""
    count = max(1, round(len(rows) * fraction)) if fraction else 0
    if count >= len(rows):
        raise InputError(
            "Expected enough images to hold some out for test and validation. "
            f"Received: {len(rows)} left to split; add images."
        )
    order = np.random.default_rng(seed).permutation(len(rows))
    return np.sort(rows[order[count:]]), np.sort(rows[order[:count]])
