"""Encoded images as pixels: by TensorFlow where it can, in parallel, and by Pillow elsewhere."""

import io
import os

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError, require
from keras_ae.training.datasets.image_channels import to_channels
from keras_ae.training.datasets.pixels import resized

# ways to decode an image; 1 to 8 are EXIF orientations of what TensorFlow decodes as 8 bits
PILLOW, UPRIGHT, DEEP = 0, 1, 9
START = 34  # bytes that tell the kind of a file and of its pixels
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
TURNS = (  # what shows an image of EXIF orientation 1 to 8 upright
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
    """How an image is decoded, by its first bytes.

    Args:
        item: path, or encoded bytes.
        from_file: whether it is a path.

    Returns:
        an EXIF orientation 1 to 8 where TensorFlow decodes 8 bits (JPEG, PNG, GIF, plain BMP, and what
        is no image); `DEEP`: PNG of 16 bits; `PILLOW`: WebP, TIFF, netpbm, other BMP.
    """
    try:
        with open(item, "rb", buffering=0) if from_file else io.BytesIO(item) as file:
            start = file.read(START)
            if start.startswith(b"\xff\xd8"):
                return _jpeg_orientation(file)
            turned = start.startswith(b"\x89PNG") and _png_has_exif(file)
    except OSError:
        return UPRIGHT  # decoding it says what is wrong
    if start.startswith(b"\x89PNG"):
        return PILLOW if turned else DEEP if start[24:25] == b"\x10" else UPRIGHT
    if start.startswith(b"BM"):  # TensorFlow takes a palette's numbers for grey levels
        return UPRIGHT if start[28:34] == b"\x18\0\0\0\0\0" else PILLOW
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    return PILLOW if webp or start.startswith(PILLOW_STARTS) else UPRIGHT


def _png_has_exif(file):
    """Whether one of the chunks, which may come after the pixels, is EXIF."""
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
    """1 to 8; segments before the picture tell it."""
    place = 2
    while True:
        file.seek(place)
        head = file.read(10)
        marker, size = head[1:2], int.from_bytes(head[2:4], "big")
        if marker == b"\xe1" and head[4:] == b"Exif\0\0":
            return _exif_orientation(file.read(size - 8))
        # no segment, or the picture begins
        if head[:1] != b"\xff" or marker in (b"\xda", b"\xd9", b""):
            return UPRIGHT
        place += 2 + size


def _exif_orientation(contents):
    exif = require("PIL.Image", extra="training").Exif()
    try:
        exif.load(b"Exif\0\0" + contents)
        orientation = exif.get(ORIENTATION, UPRIGHT)
    except Exception:  # EXIF that is damaged says nothing; the picture is another matter
        return UPRIGHT
    return orientation if orientation in range(1, 9) else UPRIGHT


def decode(item, way, from_file: bool):
    """Pixels in [0, 1], float32 `(height, width, channels)`, by TensorFlow alone, for graphs.

    Args:
        item: path or encoded bytes, a string tensor.
        way: of `way_of`, an integer tensor or a number; not `PILLOW`.
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
    """Pixels in [0, 1] of an image that TensorFlow does not decode, float32 `(height, width, channels)`.

    The first frame or page is read, upright by its EXIF orientation. Palettes become colours, with a
    channel for their transparency; 16 bits are divided by 65535.

    Raises:
        ImportError: Pillow is not installed; names the extra.
        InputError: the pixels have no known white: they are floats, or 32 bits.
        Exception: the image is broken; Pillow raises many kinds of them.
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
            f"has pixels of mode {image.mode}, whose white is unknown: save it with 8 or 16 bits"
        )
    transparent = "RGBA" if "transparency" in image.info else "RGB"
    return np.asarray(image.convert(MODES.get(image.mode, transparent)), "float32") / 255


def read_image(item: bytes, origin: str, from_file: bool, image_size=None, channels: int | None = None):
    """One image, float32 `(height, width, channels)` in [0, 1].

    Args:
        item: path, or encoded bytes.
        origin: what it is called in errors.
        from_file: whether `item` is a path.
        image_size: height and width to resize to.
        channels: to convert to, see `to_channels`.

    Raises:
        ImportError: it needs Pillow, which is not installed; names the extra.
        InputError: it cannot be decoded; names it.
    """
    try:
        way = way_of(item, from_file)
        image = decode_by_pillow(item, from_file) if way == PILLOW else decode(item, way, from_file)
    except ImportError:
        raise
    except (FileNotFoundError, tf.errors.NotFoundError):
        raise InputError(f"{origin} does not exist any more.") from None
    except (PermissionError, tf.errors.PermissionDeniedError, tf.errors.UnavailableError):
        raise InputError(f"{origin} cannot be read: check its permissions.") from None
    except InputError as error:
        raise InputError(f"{origin} {error}.") from None
    except Exception:  # of TensorFlow and of Pillow
        raise InputError(
            f"{origin} is not a readable image, perhaps cut short: replace or remove it."
        ) from None
    image = to_channels(image, channels)
    return (resized(image, image_size) if image_size else tf.convert_to_tensor(image)).numpy()
