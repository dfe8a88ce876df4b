"""Pixels as they are stored, and as floats in [0, 1]."""

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf  # what runs inside of a tf.data pipeline is TensorFlow, whatever Keras runs on

from keras_ae.errors import InputError

CHUNK_BYTES = 2**24  # read at once where an array may be larger than memory


def image_shape_of(shape: tuple[int, ...], origin: str) -> tuple[int, int, int]:
    """`(height, width, channels)` of an array of images; `origin` names it in errors."""
    if len(shape) == 3:
        shape = (*shape, 1)
    if len(shape) != 4 or not 1 <= shape[3] <= 4:
        raise InputError(
            f"{origin}: expected images of shape (images, height, width) or "
            f"(images, height, width, channels) with 1 to 4 channels last. Received: {shape}"
        )
    if 0 in shape:
        raise InputError(f"{origin} holds no images. Received: shape {shape}")
    return tuple(int(size) for size in shape[1:])


def pixel_scale(chunks: Iterable[np.ndarray], origin: str) -> float:
    """The white of these pixels: 1 where no value is larger than 1, else 255.

    Raises:
        InputError: values that are not numbers, or not in [0, 1] or [0, 255].
    """
    low, high = np.inf, -np.inf
    for chunk in chunks:
        if chunk.dtype.kind not in "biuf":
            raise InputError(f"{origin}: expected numbers as pixels. Received: dtype {chunk.dtype}")
        if chunk.dtype == np.uint8:
            low, high = 0, max(high, int(chunk.max()))
            if high > 1:  # a byte cannot be out of range: there is nothing more to learn
                return 255.0
            continue
        # minimum and maximum hand a NaN on
        low, high = float(np.minimum(low, chunk.min())), float(np.maximum(high, chunk.max()))
        if np.isnan(low):
            raise InputError(
                f"{origin}: expected numbers as pixels. Received: NaN; repair or drop those images."
            )
    if low < 0 or high > 255:
        raise InputError(
            f"{origin}: expected pixels in [0, 1] or [0, 255]. Received: values from {low:g} to {high:g}; "
            "rescale them first."
        )
    return 255.0 if high > 1 else 1.0


def array_chunks(array: np.ndarray) -> Iterator[np.ndarray]:
    """An array in runs of rows of about 16 MiB."""
    rows = chunk_rows(array.shape, array.dtype)
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def chunk_rows(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Rows of an array that take about 16 MiB."""
    row_bytes = int(np.prod(shape[1:], dtype="int64")) * dtype.itemsize
    return max(1, CHUNK_BYTES // max(1, row_bytes))


def unit_images(raw: np.ndarray, scale: float) -> np.ndarray:
    """Stored pixels `(n, h, w)` or `(n, h, w, c)` as float32 `(n, h, w, c)` in [0, 1]."""
    images = raw.astype("float32")
    images /= np.float32(scale)
    return images[..., None] if images.ndim == 3 else images


def resized(images, image_size: tuple[int, int]):
    """Float images `(..., h, w, c)` resized with anti-aliasing; a tensor."""
    return tf.clip_by_value(tf.image.resize(images, image_size, antialias=True), 0.0, 1.0)
