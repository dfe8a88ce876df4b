"""Small pictures of examples, many on one sheet."""

import math

import numpy as np
import tensorflow as tf  # writes PNG files and resizes

COLUMNS = 32  # pictures in a row of a sheet
STRIP = 12  # height of the picture of a vector, a stripe of its values


def thumbnails(examples, like=None, largest: int = 64) -> np.ndarray | None:
    """uint8 pictures `(examples, height, width, 1 or 3)`; `None` of texts and tokens.

    Images as they are; sequences, and the log-mel frames of waveforms, with time to the right and
    features upwards; vectors as stripes. Values that are not in [0, 1] are brought there by the
    range of `like`.

    Args:
        examples: `Examples`.
        like: examples whose range of values is that of the grey levels; `None`: these.
        largest: pixels of the longer side; larger pictures are shrunk.
    """
    if examples.kind == "waveforms":
        return thumbnails(examples.frames(), (like or examples).frames(), largest)
    if examples.kind not in ("images", "vectors", "sequences"):
        return None
    low, high = _grey_range((like or examples).array)
    values = np.clip((examples.array.astype("float32") - low) / (high - low), 0, 1)
    if examples.kind == "vectors":
        values = np.repeat(shrunk(values[:, None, :, None], largest), STRIP, axis=1)
    elif examples.kind == "sequences":
        if examples.lengths is not None:
            values = values * (np.arange(values.shape[1]) < examples.lengths[:, None])[..., None]
        values = values.transpose(0, 2, 1)[:, ::-1, :, None]
    values = np.nan_to_num(shrunk(values, largest))
    return np.round(values * 255).astype("uint8")


def sheet(pictures: np.ndarray) -> bytes:
    """All pictures on one PNG, `COLUMNS` in a row.

    Example:

    >>> sheet(np.zeros((40, 8, 8, 1), "uint8"))[1:4]
    b'PNG'
    """
    count, height, width, channels = pictures.shape
    columns, rows = min(COLUMNS, count), math.ceil(count / COLUMNS)
    grid = np.zeros((rows * columns, height, width, channels), "uint8")
    grid[:count] = pictures
    grid = grid.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return tf.io.encode_png(grid.reshape(rows * height, columns * width, channels)).numpy()


def _grey_range(array):
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if array.dtype == np.uint8:
        return 0.0, 255.0
    return low, high if high > low else low + 1


def shrunk(values, largest: int) -> np.ndarray:
    """Images `(examples, height, width, channels)` of which no side is longer than `largest` pixels.

    Example:

    >>> shrunk(np.ones((2, 28, 14, 1)), 14).shape
    (2, 14, 7, 1)
    """
    height, width = values.shape[1:3]
    if max(height, width) <= largest:
        return values
    scale = largest / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    return tf.image.resize(values, size, method="area").numpy()
