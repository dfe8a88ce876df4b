"""What there is in many encoded images, found by decoding them once."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.training.datasets.broken_file_errors import broken_files
from keras_ae.training.datasets.image_channels import mixture
from keras_ae.training.datasets.image_decoding import PILLOW, UPRIGHT, decode, read_image, way_of
from keras_ae.training.datasets.progress import progress_of

BLOCK = 256
THREADS = 2


@dataclass(frozen=True)
class ImageSurvey:
    """What there is in encoded images.

    Attributes:
        image_shape: `(height, width, channels)` of all that can be read, as they will be handed out.
        ways: how each is decoded, see `way_of`, int8 `(images,)`.
        readable: bool `(images,)`.
    """

    image_shape: tuple[int, int, int]
    ways: np.ndarray
    readable: np.ndarray


def survey_images(
    items: np.ndarray,
    origins: Sequence[str],
    from_files: bool,
    *,
    image_size: tuple[int, int] | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
) -> ImageSurvey:
    """Decode images that must have one shape, or will be converted to one.

    Every image is decoded once, in parallel. That is less work than one epoch of
    training, which decodes them all again, and finds before the first step what a look
    at the headers would miss: files that are cut short or damaged.

    Args:
        items: paths, or encoded bytes, see `encoded_items`.
        origins: what each is called in errors.
        from_files: whether the items are paths.
        image_size: height and width to which all will be resized; `None`: they must be
            of one size.
        channels: to which all will be converted; `None`: they must have the same number.
        skip_broken: images that cannot be read are no error, unless none can be.

    Raises:
        InputError: images are broken; sizes or channels differ. Names the images.
    """
    ways = np.array([way_of(item, from_files) for item in items], "int8")
    shapes = decoded_shapes(items, ways, from_files, progress_of(len(items), "images", "image"))
    readable = shapes[:, 2] > 0
    if not readable.all() and not (skip_broken and readable.any()):
        raise error_of(np.flatnonzero(~readable), items, origins, from_files)
    found, origins = shapes[readable], [origins[row] for row in np.flatnonzero(readable)]
    if channels is None:
        _check_channels(found[:, 2], origins)
    if image_size is None:
        _check_sizes(found[:, :2], origins)
    height, width = image_size or found[0, :2]
    return ImageSurvey((int(height), int(width), int(channels or found[0, 2])), ways, readable)


def decoded_shapes(
    items: np.ndarray, ways: np.ndarray, from_files: bool, show: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """`(height, width, channels)` of each image upright, int32 `(images, 3)`; zeros where it is broken."""
    shapes = np.zeros((len(items), 3), "int32")
    by_pillow = np.flatnonzero(ways == PILLOW)
    shapes[by_pillow] = _shapes_one_by_one(items[by_pillow], from_files)
    rows = np.flatnonzero(ways != PILLOW)
    start, blocks = 0, None
    while start < len(rows):
        block = rows[start : start + BLOCK]
        blocks = blocks or _blocks_of_shapes(items, ways, rows[start:], from_files)
        try:
            shapes[block] = next(blocks)
        except tf.errors.OpError:  # a broken image ends the pass: it is begun again after this block
            shapes[block], blocks = _shapes_one_by_one(items[block], from_files), None
        start += len(block)
        show(len(by_pillow) + start)
    return shapes


def _blocks_of_shapes(items, ways, rows, from_files):
    plain = bool((ways[rows] == UPRIGHT).all())

    def blocks():
        for start in range(0, len(rows), BLOCK):
            yield items[rows[start : start + BLOCK]], ways[rows[start : start + BLOCK]]

    dataset = tf.data.Dataset.from_generator(
        blocks, output_signature=(tf.TensorSpec((None,), tf.string), tf.TensorSpec((None,), tf.int32))
    )
    dataset = dataset.unbatch().map(
        lambda item, way: tf.shape(decode(item, UPRIGHT if plain else way, from_files)), tf.data.AUTOTUNE
    )
    return dataset.batch(BLOCK).prefetch(1).as_numpy_iterator()


def _shapes_one_by_one(items, from_files):
    def shape(item):
        try:
            return read_image(item, "", from_files).shape
        except InputError:
            return (0, 0, 0)

    with ThreadPoolExecutor(THREADS) as pool:
        return np.array(list(pool.map(shape, items)), "int32").reshape(-1, 3)


def error_of(
    broken: Sequence[int], items: np.ndarray, origins: Sequence[str], from_files: bool
) -> InputError:
    """The error that tells what is wrong with the first broken image, and names all others."""
    first, *others = broken
    try:
        read_image(items[first], origins[first], from_files)
    except InputError as error:
        return broken_files(str(error), [origins[row] for row in others])
    return broken_files(f"{origins[first]} could not be read.", [origins[row] for row in others])


def _check_channels(channels, origins):
    if len(set(channels.tolist())) > 1:
        raise InputError(
            "Expected images with the same number of channels. "
            f"Received: {mixture(channels)}, such as {_examples(channels[:, None], origins)}; "
            "convert all of them: --channels 1 (grey) or --channels 3 (RGB)."
        )


def _check_sizes(sizes, origins):
    other = _first_different(sizes)
    if other:
        raise InputError(
            f"Expected images of one size. Received: {origins[0]} with {sizes[0, 0]}x{sizes[0, 1]} and "
            f"{origins[other]} with {sizes[other, 0]}x{sizes[other, 1]} (height x width); "
            "give the size to use: --image-size HEIGHT WIDTH."
        )


def _examples(rows, origins):
    return f"{origins[0]} and {origins[_first_different(rows)]}"


def _first_different(rows):
    """Index of the first row that differs from row 0; 0 where none does."""
    different = (rows != rows[0]).reshape(len(rows), -1).any(axis=1)
    return int(np.argmax(different))
