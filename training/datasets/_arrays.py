"""Conversion of stored pixels to floats in [0, 1], and reading of .npz arrays in parts."""

import lzma
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf  # code inside a tf.data pipeline is TensorFlow with every Keras backend

from keras_ae.errors import InputError

BYTE = 255.0  # the largest value of uint8
CHUNK_BYTES = 2**24  # bytes read at once from an array that may be larger than memory


def image_shape_of(shape: tuple[int, ...], origin: str) -> tuple[int, int, int]:
    """Return `(height, width, channels)` of an array of images; `origin` names it in errors."""
    if len(shape) == 3:
        shape = (*shape, 1)
    if len(shape) != 4 or not 1 <= shape[3] <= 4:
        raise InputError(
            f"{origin} must contain images of shape (images, height, width) or "
            f"(images, height, width, channels) with 1 to 4 channels last. Received: shape {shape}"
        )
    if 0 in shape:
        raise InputError(f"{origin} must contain at least one image with pixels. Received: shape {shape}")
    return int(shape[1]), int(shape[2]), int(shape[3])


def pixel_scale(chunks: Iterable[np.ndarray], origin: str, scale: float | None = None) -> float:
    """Return the stored pixel value that is converted to 1.

    This is `scale` if it is given. Otherwise it is 255 (the largest value) for uint8, and 1 if all values
    are in [0, 1]. Any other range is ambiguous and raises an error.

    Args:
        chunks: arrays of one dtype.
        origin: name of the arrays in errors.
        scale: value given by the user.

    Raises:
        InputError: values are not numbers, or not from 0 to `scale`; the scale is ambiguous and not given.
    """
    if scale is not None and not 0 < scale < np.inf:
        raise InputError(f"--scale must be a positive number. Received: {scale}")
    low, high, dtype = np.inf, -np.inf, None
    for chunk in chunks:
        dtype = chunk.dtype
        if dtype.kind not in "biuf":
            raise InputError(f"{origin}: pixels must be numbers. Received: dtype {dtype}")
        # minimum and maximum propagate NaN
        low, high = float(np.minimum(low, chunk.min())), float(np.maximum(high, chunk.max()))
        if np.isnan(low):
            raise InputError(
                f"{origin}: pixels must be numbers. Received: NaN; repair these images or leave them out."
            )
        if dtype == np.uint8 and (scale == BYTE or (scale is None and high > 1)):
            return BYTE  # uint8 cannot be out of range: the other chunks need no check
    _check_range(low, high, dtype, origin, scale)
    return float(scale or 1.0)


def _check_range(low, high, dtype, origin, scale):
    received = f"Received: values from {low:g} to {high:g} ({dtype})"
    if low < 0 or np.isinf(high):
        raise InputError(f"{origin}: pixels must be finite and not negative. {received}. Rescale them first.")
    if scale is not None and high > scale:
        raise InputError(
            f"{origin}: pixels must lie between 0 and the scale, {scale:g}. {received}. "
            "Pass the value of white as --scale."
        )
    # all values 0 (black) are valid on every scale
    if scale is None and (high > 1 or (dtype == np.uint8 and high == 1)):
        raise InputError(
            f"{origin}: the pixel value that becomes 1 must be given, unless pixels are in [0, 1] or uint8 "
            f"from 0 to 255. {received}. Pass it as --scale, such as --scale 255 (scale=255 in Python)."
        )


def array_chunks(array: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the array in consecutive groups of rows, about 16 MiB each."""
    rows = chunk_rows(array.shape, array.dtype)
    for start in range(0, len(array), rows):
        yield array[start : start + rows]


def chunk_rows(shape: tuple[int, ...], dtype: np.dtype) -> int:
    """Return the number of rows of an array that take about 16 MiB."""
    row_bytes = int(np.prod(shape[1:], dtype="int64")) * dtype.itemsize
    return max(1, CHUNK_BYTES // max(1, row_bytes))


def unit_images(raw: np.ndarray, scale: float) -> np.ndarray:
    """Convert stored pixels `(n, h, w)` or `(n, h, w, c)` to float32 `(n, h, w, c)` in [0, 1]."""
    images = raw.astype("float32")
    images /= np.float32(scale)
    return images[..., None] if images.ndim == 3 else images


def resized(images, image_size: tuple[int, int]):
    """Resize float images `(..., h, w, c)` with anti-aliasing; return a tensor."""
    return tf.clip_by_value(tf.image.resize(images, image_size, antialias=True), 0.0, 1.0)


# RuntimeError: the file is encrypted, or compressed by a method that zipfile does not support
DAMAGED = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)
HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class NpzMember:
    """One array of an .npz file, read whole or in parts.

    Args:
        path: the .npz file.
        key: name of the array.

    Example:

    >>> import io
    >>> file = io.BytesIO()
    >>> np.savez(file, x=np.zeros((4, 2)))
    >>> member = NpzMember(file, "x")
    >>> member.shape, [chunk.shape for chunk in member.chunks()]
    ((4, 2), [(4, 2)])
    """

    def __init__(self, path: Path, key: str):
        self.path = path
        self.key = key
        self.shape, self.dtype, self.in_rows = self._guarded(self._read_header)

    @property
    def origin(self) -> str:
        """Name of the array in errors."""
        return f"{self.path}[{self.key}]"

    def whole(self) -> np.ndarray:
        """Return the whole array in memory."""
        return self._guarded(self._load)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield the array from its first row to its last, about 16 MiB at a time.

        Arrays in Fortran order do not store rows contiguously and are yielded whole.
        """
        if not self.in_rows:
            yield self.whole()
            return
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{self.key}.npy") as file:
            HEADER_READERS[np.lib.format.read_magic(file)](file)
            rows = chunk_rows(self.shape, self.dtype)
            for start in range(0, self.shape[0], rows):
                shape = (min(rows, self.shape[0] - start), *self.shape[1:])
                yield self._guarded(lambda shape=shape: self._read_rows(file, shape))

    def _read_header(self):
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{self.key}.npy") as file:
            version = np.lib.format.read_magic(file)
            if version not in HEADER_READERS:
                raise ValueError(f"format {version} contains records, not numbers")
            shape, by_columns, dtype = HEADER_READERS[version](file)
            if dtype.hasobject:
                raise ValueError("it contains Python objects, not numbers")
            return shape, dtype, not by_columns and len(shape) > 0

    def _load(self):
        with np.load(self.path, allow_pickle=False) as file:
            return file[self.key]

    def _read_rows(self, file, shape):
        count = int(np.prod(shape, dtype="int64")) * self.dtype.itemsize
        values = file.read(count)
        if len(values) != count:
            raise EOFError("it is cut short")
        return np.frombuffer(values, self.dtype).reshape(shape)

    def _guarded(self, read):
        try:
            return read()
        except DAMAGED as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"{self.origin} cannot be read, perhaps damaged or cut short: {reason}"
            ) from None


def npz_keys(path: Path) -> list[str]:
    """Return the names of the arrays of an .npz file.

    Raises:
        InputError: the file is not an .npz file, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except DAMAGED as error:
        raise InputError(f"{path} is not a readable .npz file, perhaps cut short: {error}") from None
