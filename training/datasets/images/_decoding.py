"""Decoding of images: in parallel by TensorFlow where it supports the format, otherwise by Pillow."""

import io
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError, require
from keras_ae.training.datasets._arrays import resized
from keras_ae.training.datasets._reading import broken_files, progress_of

# ways to decode an image; 1 to 8 are EXIF orientations of images that TensorFlow decodes as 8 bits
PILLOW, UPRIGHT, DEEP = 0, 1, 9
START = 34  # bytes that contain the kind of a file and of its pixels
ORIENTATION = 0x0112  # EXIF tag
PILLOW_STARTS = (b"II*\0", b"MM\0*", b"P1", b"P2", b"P3", b"P4", b"P5", b"P6")
MODES = {
    "L": "L",
    "LA": "LA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "1": "L",
    "La": "LA",
    "RGBa": "RGBA",
    "PA": "RGBA",
}
WIDE_MODES = ("I;16", "I;16L", "I;16B", "I;16N")  # 16 bits, grey
TURNS = (  # operations that turn an image of EXIF orientation 1 to 8 upright
    lambda image: image,
    lambda image: image[:, ::-1],
    lambda image: image[::-1, ::-1],
    lambda image: image[::-1],
    lambda image: tf.transpose(image, (1, 0, 2)),
    lambda image: tf.transpose(image, (1, 0, 2))[:, ::-1],
    lambda image: tf.transpose(image[::-1, ::-1], (1, 0, 2)),
    lambda image: tf.transpose(image, (1, 0, 2))[::-1],
)


def way_of(item: bytes, from_file: bool) -> int:
    """Return how to decode an image, judged by its first bytes.

    Args:
        item: path, or encoded bytes.
        from_file: whether `item` is a path.

    Returns:
        an EXIF orientation 1 to 8 for images that TensorFlow decodes as 8 bits (JPEG, PNG, GIF, plain BMP)
        and for files that are not images; `DEEP`: PNG of 16 bits; `PILLOW`: WebP, TIFF, netpbm, other BMP.
    """
    try:
        with open(item, "rb", buffering=0) if from_file else io.BytesIO(item) as file:
            start = file.read(START)
            if start.startswith(b"\xff\xd8"):
                return _jpeg_orientation(file)
            turned = start.startswith(b"\x89PNG") and _png_has_exif(file)
    except OSError:
        return UPRIGHT  # decoding raises the error
    if start.startswith(b"\x89PNG"):
        return PILLOW if turned else DEEP if start[24:25] == b"\x10" else UPRIGHT
    if start.startswith(b"BM"):  # TensorFlow misreads palette indices as grey levels
        return UPRIGHT if start[28:34] == b"\x18\0\0\0\0\0" else PILLOW
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return PILLOW if webp or start.startswith(PILLOW_STARTS) else UPRIGHT


def _png_has_exif(file):
    """Return whether the file has an EXIF chunk, which may come after the pixels."""
    place = 8
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return False
        if head[4:] == b"eXIf":
            return True
        place += 12 + int.from_bytes(head[:4], "big")


def _jpeg_orientation(file):
    """Return the EXIF orientation, 1 to 8, from the segments before the image data."""
    place = 2
    while True:
        file.seek(place)
        head = file.read(10)
        marker, size = head[1:2], int.from_bytes(head[2:4], "big")
        if marker == b"\xe1" and head[4:] == b"Exif\0\0":
            return _exif_orientation(file.read(size - 8))
        # not a segment, or the beginning of the image data
        if head[:1] != b"\xff" or marker in (b"\xda", b"\xd9", b""):
            return UPRIGHT
        place += 2 + size


def _exif_orientation(contents):
    exif = require("PIL.Image", extra="training").Exif()
    try:
        exif.load(b"Exif\0\0" + contents)
        orientation = exif.get(ORIENTATION, UPRIGHT)
    except Exception:  # damaged EXIF data are ignored: the pixels may still be readable
        return UPRIGHT
    return orientation if orientation in range(1, 9) else UPRIGHT


def decode(item, way, from_file: bool):
    """Decode an image with TensorFlow only, for graphs: float32 `(height, width, channels)` in [0, 1].

    Args:
        item: path or encoded bytes, a string tensor.
        way: result of `way_of`, an integer tensor or a number; not `PILLOW`.
        from_file: whether `item` is a path.
    """
    contents = tf.io.read_file(item) if from_file else item
    if isinstance(way, int) and way == UPRIGHT:
        return _unit(tf.io.decode_image(contents, expand_animations=False), 255.0)
    return tf.cond(
        tf.equal(way, DEEP),
        lambda: _unit(tf.io.decode_png(contents, dtype=tf.uint16), 65535.0),
        lambda: _upright(_unit(tf.io.decode_image(contents, expand_animations=False), 255.0), way),
    )


def _unit(image, white):
    return tf.cast(image, tf.float32) / white


def _upright(image, orientation):
    index = tf.clip_by_value(tf.cast(orientation, tf.int32) - 1, 0, 7)
    return tf.switch_case(index, [lambda turn=turn: turn(image) for turn in TURNS])


def decode_by_pillow(item: bytes, from_file: bool) -> np.ndarray:
    """Decode an image that TensorFlow cannot decode: float32 `(height, width, channels)` in [0, 1].

    The first frame or page is read and turned upright according to its EXIF orientation. Palettes are
    converted to colours, with an alpha channel for their transparency; 16 bits are divided by 65535.

    Raises:
        ImportError: Pillow is not installed; the message names the extra.
        InputError: the pixel value of white is unknown: the pixels are floats, or 32 bits.
        Exception: the image is broken; Pillow raises exceptions of many types.
    """
    pillow, image_ops = require("PIL.Image", extra="training"), require("PIL.ImageOps", extra="training")
    with pillow.open(os.fsdecode(item) if from_file else io.BytesIO(item)) as image:
        image.load()
        pixels = _pixels(image_ops.exif_transpose(image), image.format)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _pixels(image, format):
    if image.mode in WIDE_MODES or (image.mode == "I" and format == "PPM"):
        return np.asarray(image, "float32") / 65535
    if image.mode in ("I", "F"):
        raise InputError(
            f"has pixels of mode {image.mode}, whose value of white is unknown: save it with 8 or 16 bits"
        )
    transparent = "RGBA" if "transparency" in image.info else "RGB"
    return np.asarray(image.convert(MODES.get(image.mode, transparent)), "float32") / 255


def read_image(item: bytes, origin: str, from_file: bool, image_size=None, channels: int | None = None):
    """Read one image as float32 `(height, width, channels)` in [0, 1].

    Args:
        item: path, or encoded bytes.
        origin: name of the image in errors.
        from_file: whether `item` is a path.
        image_size: height and width to resize to.
        channels: number of channels to convert to, see `to_channels`.

    Raises:
        ImportError: the image needs Pillow, which is not installed; the message names the extra.
        InputError: the image cannot be decoded; the message names it.
    """
    try:
        way = way_of(item, from_file)
        image = decode_by_pillow(item, from_file) if way == PILLOW else decode(item, way, from_file)
    except ImportError:
        raise
    except (FileNotFoundError, tf.errors.NotFoundError):
        raise InputError(f"{origin} no longer exists.") from None
    except (PermissionError, tf.errors.PermissionDeniedError, tf.errors.UnavailableError):
        raise InputError(f"{origin} cannot be read: check its permissions.") from None
    except InputError as error:
        raise InputError(f"{origin} {error}.") from None
    except Exception:  # raised by TensorFlow or by Pillow
        raise InputError(
            f"{origin} is not a readable image, perhaps cut short: replace or remove it."
        ) from None
    image = to_channels(image, channels)
    return (resized(image, image_size) if image_size else tf.convert_to_tensor(image)).numpy()


CHANNELS = (1, 3)
NAMES = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}


def check_image_channels(channels: int | None) -> None:
    """Raise an `InputError` if images cannot be converted to this number of channels."""
    if channels is not None and channels not in CHANNELS:
        raise InputError(f"channels must be 1 (grey) or 3 (RGB). Received: channels={channels}")


def to_channels(images, channels: int | None):
    """Convert images `(..., height, width, channels)` in [0, 1] to grey (1) or RGB (3); `None`: unchanged.

    Transparent images are shown on white: `alpha * colour + 1 - alpha`. Grey is the luma of ITU-R BT.601,
    `0.299 R + 0.587 G + 0.114 B`; RGB of grey images has three equal channels.

    Args:
        images: floats, 1 to 4 channels (grey, grey with alpha, RGB, RGBA); the static shape may be unknown.
        channels: 1, 3 or `None`.

    Example:

    >>> to_channels(np.array([[[1.0, 0.0, 0.0, 0.5]]], "float32"), 3).numpy().tolist()
    [[[1.0, 0.5, 0.5]]]
    """
    if channels is None or images.shape[-1] == channels:
        return images
    if images.shape[-1] is not None:
        return _converted(images, images.shape[-1], channels)
    branches = [lambda own=own: _converted(images, own, channels) for own in NAMES]
    return tf.switch_case(tf.shape(images)[-1] - 1, branches)


def _converted(images, own, channels):
    images = tf.convert_to_tensor(images)[..., :own]
    if own in (2, 4):
        colours, alpha = images[..., :-1], images[..., -1:]
        images, own = alpha * colours + 1 - alpha, own - 1
    if own == channels:
        return images
    if channels == 3:
        return tf.repeat(images, 3, axis=-1)
    return tf.tensordot(images, tf.constant([[0.299], [0.587], [0.114]]), 1)


def mixture(channels: Iterable[int]) -> str:
    """Describe a mixture of numbers of channels, most frequent first.

    Example:

    >>> mixture([3, 3, 4, 1, 3])
    '3 RGB, 1 grey, 1 RGBA'
    """
    numbers, counts = np.unique(list(channels), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return ", ".join(
        f"{counts[i]} {NAMES.get(int(numbers[i]), f'with {numbers[i]} channels')}" for i in order
    )


BLOCK = 256


THREADS = 2


@dataclass(frozen=True)
class ImageSurvey:
    """Result of the check of a set of encoded images.

    Attributes:
        image_shape: `(height, width, channels)` of all readable images after conversion.
        ways: how each image is decoded, see `way_of`, int8 `(images,)`.
        readable: whether each image can be read, bool `(images,)`.
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
    """Check images that must have one shape, or will be converted to one, by decoding them.

    Every image is decoded once, in parallel. This is less work than one epoch of training, which decodes
    all images again, and detects before the first step errors that the headers do not show: files that
    are cut short or damaged.

    Args:
        items: paths, or encoded bytes, see `encoded_items`.
        origins: name of each image in errors.
        from_files: whether the items are paths.
        image_size: height and width to which all images will be resized; `None`: they must have one size.
        channels: number of channels to which all images will be converted; `None`: they must have the
            same number.
        skip_broken: accept images that cannot be read, unless none can be read.

    Raises:
        InputError: images are broken; sizes or channels differ. The message names the images.
    """
    ways = np.array([way_of(item, from_files) for item in items], "int8")
    shapes = decoded_shapes(items, ways, from_files, progress_of(len(items), "images", "image"))
    readable = shapes[:, 2] > 0
    if not readable.all() and not (skip_broken and readable.any()):
        raise error_of(np.flatnonzero(~readable).tolist(), items, origins, from_files)
    found, origins = shapes[readable], [origins[row] for row in np.flatnonzero(readable).tolist()]
    if channels is None:
        _check_channels(found[:, 2], origins)
    if image_size is None:
        _check_sizes(found[:, :2], origins)
    height, width = image_size or found[0, :2]
    return ImageSurvey((int(height), int(width), int(channels or found[0, 2])), ways, readable)


def decoded_shapes(
    items: np.ndarray, ways: np.ndarray, from_files: bool, show: Callable[[int], None] = lambda done: None
) -> np.ndarray:
    """Return `(height, width, channels)` of each upright image, int32 `(images, 3)`; zeros if broken."""
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
        except tf.errors.OpError:  # a broken image ends the iteration: it restarts after this block
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
    """Return an error with the problem of the first broken image and the names of all others."""
    first, *others = broken
    try:
        read_image(items[first], origins[first], from_files)
    except InputError as error:
        return broken_files(str(error), [origins[row] for row in others])
    return broken_files(f"{origins[first]} could not be read.", [origins[row] for row in others])


def _check_channels(channels, origins):
    if len(set(channels.tolist())) > 1:
        raise InputError(
            "Images must have the same number of channels. "
            f"Received: {mixture(channels)}, such as {_examples(channels[:, None], origins)}; "
            "convert all of them: --channels 1 (grey) or --channels 3 (RGB)."
        )


def _check_sizes(sizes, origins):
    other = _first_different(sizes)
    if other:
        raise InputError(
            f"Images must have the same size. Received: {origins[0]} with {sizes[0, 0]}x{sizes[0, 1]} and "
            f"{origins[other]} with {sizes[other, 0]}x{sizes[other, 1]} (height x width); "
            "pass the size to use: --image-size HEIGHT WIDTH."
        )


def _examples(rows, origins):
    return f"{origins[0]} and {origins[_first_different(rows)]}"


def _first_different(rows):
    """Return the index of the first row that differs from row 0; 0 if all rows are equal."""
    different = (rows != rows[0]).reshape(len(rows), -1).any(axis=1)
    return int(np.argmax(different))
