"""Stores of images in memory or in files: encoded files, arrays, and members of .npz files."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike

from keras_ae.errors import InputError
from keras_ae.training.datasets._arrays import BYTE, NpzMember, image_shape_of, resized, unit_images
from keras_ae.training.datasets._reading import read_ahead
from keras_ae.training.datasets.images._decoding import (
    PILLOW,
    UPRIGHT,
    decode,
    decoded_shapes,
    error_of,
    read_image,
    to_channels,
    way_of,
)

UNKNOWN = -1
NO_PIXELS = np.zeros(3, "int32")


class EncodedStore:
    """Store of encoded images, decoded in parallel inside the `tf.data` pipeline; never all in memory.

    Images that TensorFlow does not decode (see `way_of`) are decoded by Pillow in threads, before the
    pipeline.

    Args:
        items: paths of files, or the bytes of the encoded images.
        origins: name of each image in errors.
        image_shape: `(height, width, channels)` of every image that is returned.
        image_size: height and width to resize to; `None`: the images already have this size.
        channels: number of channels to convert to, see `to_channels`; `None`: the images already have
            those of `image_shape`.
        ways: how each image is decoded, see `way_of`; `None`: determined when it is read.

    Raises:
        InputError: while reading: an image is broken, or not of `image_shape`; the
            message names it.
    """

    def __init__(
        self,
        items: Sequence[str | bytes],
        origins: Sequence[str],
        image_shape: tuple[int, int, int],
        image_size: tuple[int, int] | None = None,
        channels: int | None = None,
        ways: np.ndarray | None = None,
    ):
        self.items = encoded_items(items)
        self.from_files = isinstance(items[0], str)
        self.origins = origins
        height, width, depth = image_shape
        self.image_shape = height, width, depth
        self.image_size = image_size
        self.channels = channels
        self._ways = np.full(len(self.items), UNKNOWN, "int8") if ways is None else np.asarray(ways, "int8")

    def __len__(self):
        return len(self.items)

    def read(self, rows: ArrayLike) -> np.ndarray:
        """Return the images of these rows, float32 `(n, h, w, c)` in [0, 1]."""
        rows = np.asarray(rows, "int64")
        if not len(rows):
            return np.zeros((0, *self.image_shape), "float32")
        return np.concatenate(list(self.stream(rows, batch_size=len(rows))))

    def batches(self, batch_rows: Callable[[], Iterator[np.ndarray]], batch_size: int) -> tf.data.Dataset:
        """Return the batches of images whose rows `batch_rows()` yields; it is called at each iteration.

        All batches but the last have `batch_size` rows.
        """
        if (self._ways == UPRIGHT).all():
            dataset = tf.data.Dataset.from_generator(
                lambda: (self.items[rows] for rows in batch_rows()),
                output_signature=tf.TensorSpec((None,), tf.string),
            )
            decode_one = lambda item: self._finished(decode(item, UPRIGHT, self.from_files))  # noqa: E731
        else:
            dataset = tf.data.Dataset.from_generator(
                lambda: read_ahead(self._prepared, batch_rows()),
                output_signature=(
                    tf.TensorSpec((None,), tf.string),
                    tf.TensorSpec((None,), tf.int32),
                    tf.TensorSpec((None, 3), tf.int32),
                ),
            )
            decode_one = self._decode
        dataset = dataset.unbatch().map(decode_one, tf.data.AUTOTUNE, deterministic=True)
        return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def stream(
        self, rows: np.ndarray, batch_size: int, broken: list[int] | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the images of `rows` once, in batches.

        Args:
            rows: rows of the images.
            batch_size: maximum number of images per batch.
            broken: list to which the rows of images that cannot be read are appended; these images are
                left out. `None`: an error names all of them.
        """
        parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        batches = None
        for number, chosen in enumerate(parts):
            if batches is None:
                batches = self.batches(partial(iter, parts[number:]), batch_size).as_numpy_iterator()
            try:
                yield next(batches)
            except tf.errors.OpError:
                bad = self._broken(chosen)
                if not bad and broken is None:
                    raise
                if broken is None:
                    bad += self._broken(np.concatenate(parts[number + 1 :] or [chosen[:0]]))
                    raise error_of(bad, self.items, self.origins, self.from_files) from None
                broken += bad
                if len(good := chosen[~np.isin(chosen, bad)]):
                    yield self.read(good)
                batches = None  # a broken image ends the iteration: it restarts after this batch

    def check(self, rows: Iterable[int]) -> None:
        """Decode the images of `rows` one by one; raise an error that names the first unusable one."""
        for row in rows:
            self._check_shape(
                row,
                read_image(self.items[row], self.origins[row], self.from_files, None, self.channels).shape,
            )

    def _broken(self, rows):
        """Return those of `rows` that cannot be read; raise an error if an image has another shape."""
        shapes = decoded_shapes(self.items[rows], self._ways_of(rows), self.from_files)
        for row, shape in zip(rows, shapes, strict=True):
            if shape[2]:
                height, width, own = map(int, shape)
                self._check_shape(row, (height, width, self.channels or own))
        return [int(row) for row, shape in zip(rows, shapes, strict=True) if not shape[2]]

    def _check_shape(self, row, shape):
        if shape[2] != self.image_shape[2]:
            raise InputError(
                f"Images must have {self.image_shape[2]} channels. "
                f"Received: {self.origins[row]} with {shape[2]}; convert it, or all of them: "
                f"--channels {1 if self.image_shape[2] < 3 else 3}."
            )
        if self.image_size is None and shape != self.image_shape:
            raise ImageSizeError(
                f"Images must have {self.image_shape[0]}x{self.image_shape[1]} pixels. "
                f"Received: {self.origins[row]} with {shape[0]}x{shape[1]}; resize it."
            )

    def _ways_of(self, rows):
        for row in rows:
            if self._ways[row] == UNKNOWN:
                self._ways[row] = way_of(self.items[row], self.from_files)
        return self._ways[rows]

    def _prepared(self, rows):
        """Return items, ways and shapes of a batch; items decoded by Pillow are pixels with their shape."""
        ways, items, shapes = self._ways_of(rows), self.items[rows], np.tile(NO_PIXELS, (len(rows), 1))
        for place in np.flatnonzero(ways == PILLOW):
            row = rows[place]
            image = read_image(
                self.items[row], self.origins[row], self.from_files, self.image_size, self.channels
            )
            items[place], shapes[place] = image.tobytes(), image.shape
        return items, ways.astype("int32"), shapes

    def _decode(self, item, way, shape):
        return tf.cond(
            tf.equal(way, PILLOW),
            lambda: self._checked(tf.reshape(tf.io.decode_raw(item, tf.float32), shape)),
            lambda: self._finished(decode(item, way, self.from_files)),
        )

    def _finished(self, image):
        image = to_channels(image, self.channels)
        return self._checked(resized(image, self.image_size) if self.image_size else image)

    def _checked(self, image):
        return tf.ensure_shape(image, self.image_shape)


def encoded_items(items: Sequence[str | bytes]) -> np.ndarray:
    """Return paths or contents as an array of Python bytes: fixed-width strings would lose trailing zeros."""
    array = np.empty(len(items), object)
    array[:] = [os.fsencode(item) for item in items]
    return array


class ArrayStore:
    """Store of the images of one array, in memory or memory-mapped, converted batch by batch.

    Args:
        array: `(images, height, width)` or `(images, height, width, channels)`, any
            number type; it is kept unchanged.
        scale: the pixel value that is converted to 1.
        origin: description of the array for errors.
        image_size: height and width to resize to; `None`: unchanged.

    Example:

    >>> store = ArrayStore(np.full((5, 2, 2), 255, "uint8"), 255.0, origin="white")
    >>> store.image_shape, float(store.read([0, 4]).mean())
    ((2, 2, 1), 1.0)
    """

    def __init__(
        self,
        array: Any,
        scale: float,
        origin: str,
        image_size: tuple[int, int] | None = None,
    ):
        stored = image_shape_of(array.shape, origin)
        self.array = array
        self.scale = scale
        self.image_size = image_size if image_size and tuple(image_size) != stored[:2] else None
        self.image_shape = (*(self.image_size or stored[:2]), stored[2])
        self.channels: int | None = None
        self._stored_channels = stored[2]

    def convert_to(self, channels: int | None) -> None:
        """Convert images to this number of channels when read, see `to_channels`; `None`: unchanged."""
        self.channels = channels
        self.image_shape = (*self.image_shape[:2], channels or self.image_shape[2])

    def __len__(self):
        return len(self.array)

    def read(self, rows: ArrayLike) -> np.ndarray:
        """Return the images of these rows, float32 `(n, h, w, c)` in [0, 1]."""
        images = self._gather(np.asarray(rows, "int64"))
        return np.asarray(self._finished(images))

    def batches(self, batch_rows: Callable[[], Iterator[np.ndarray]], batch_size: int) -> tf.data.Dataset:
        """Return the batches of images whose rows `batch_rows()` yields; it is called at each iteration."""
        shape = (None, *self.array.shape[1:3], self._stored_channels)
        dataset = tf.data.Dataset.from_generator(
            lambda: map(self._gather, batch_rows()), output_signature=tf.TensorSpec(shape, tf.float32)
        )
        if self.image_size or self.channels:
            dataset = dataset.map(self._finished, tf.data.AUTOTUNE)
        return dataset.prefetch(tf.data.AUTOTUNE)

    def stream(
        self, rows: np.ndarray, batch_size: int, broken: list[int] | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the images of ascending `rows` once, in batches; images of an array are never broken."""
        for start in range(0, len(rows), batch_size):
            yield self.read(rows[start : start + batch_size])

    def _finished(self, images):
        images = to_channels(images, self.channels)
        return resized(images, self.image_size) if self.image_size else images

    def _gather(self, rows):
        return unit_images(self.array[rows], self.scale)


class NpzMemberStore:
    """Store of the images of one array of an .npz file, a few MiB of which are in memory at a time.

    Args:
        member: the array, `(images, height, width)` or `(images, height, width, channels)`.
        image_size: height and width to resize to; `None`: unchanged.
        scale: the pixel value that is converted to 1.
    """

    def __init__(self, member: NpzMember, image_size: tuple[int, int] | None = None, scale: float = BYTE):
        stored = image_shape_of(member.shape, member.origin)
        self.member = member
        self.scale = scale
        self.image_size = image_size if image_size and tuple(image_size) != stored[:2] else None
        self.image_shape = (*(self.image_size or stored[:2]), stored[2])
        self.channels: int | None = None

    def convert_to(self, channels: int | None) -> None:
        """Convert images to this number of channels when read, see `to_channels`; `None`: unchanged."""
        self.channels = channels
        self.image_shape = (*self.image_shape[:2], channels or self.image_shape[2])

    def __len__(self):
        return self.member.shape[0]

    def stream(
        self, rows: np.ndarray, batch_size: int, broken: list[int] | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the images of ascending `rows` once, in batches; images of an array are never broken."""
        waiting, count = [], 0
        for chosen in self._chosen(rows):
            waiting.append(chosen)
            count += len(chosen)
            if count >= batch_size:
                images = np.concatenate(waiting)
                whole = count - count % batch_size
                for start in range(0, whole, batch_size):
                    yield self._convert(images[start : start + batch_size])
                waiting, count = [images[whole:]], count - whole
        if count:
            yield self._convert(np.concatenate(waiting))

    def _chosen(self, rows):
        """Yield the stored pixels of `rows`, chunk by chunk, up to the last requested row."""
        start = 0
        for chunk in self.member.chunks():
            first, last = np.searchsorted(rows, [start, start + len(chunk)])
            yield chunk[rows[first:last] - start]
            start += len(chunk)
            if last == len(rows):
                return

    def _convert(self, raw):
        images = to_channels(unit_images(raw, self.scale), self.channels)
        return np.asarray(resized(images, self.image_size) if self.image_size else images)


class ImageSizeError(InputError):
    """Error of images that differ only in height and width, not in channels, so that resizing would help."""
