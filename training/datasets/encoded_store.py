"""Images held as encoded files on disk, or as their bytes in memory."""

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.training.datasets.image_channels import to_channels
from keras_ae.training.datasets.image_decoding import PILLOW, UPRIGHT, decode, read_image, way_of
from keras_ae.training.datasets.image_size_error import ImageSizeError
from keras_ae.training.datasets.image_survey import decoded_shapes, error_of
from keras_ae.training.datasets.pixels import resized
from keras_ae.training.datasets.reading_ahead import read_ahead

UNKNOWN = -1
NO_PIXELS = np.zeros(3, "int32")


class EncodedStore:
    """Encoded images, decoded in parallel inside of the tf.data pipeline; never all in memory.

    What TensorFlow does not decode (see `way_of`), Pillow decodes in threads, ahead of the pipeline.

    Args:
        items: paths of files, or the bytes of the encoded images.
        origins: what each image is called in errors.
        image_shape: `(height, width, channels)` of every image that comes out.
        image_size: height and width to resize to; `None`: the images have them.
        channels: to convert to, see `to_channels`; `None`: the images have those of `image_shape`.
        ways: how each image is decoded, see `way_of`; `None`: found when it is read.

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
        self.image_shape = tuple(image_shape)
        self.image_size = image_size
        self.channels = channels
        self._ways = np.full(len(self.items), UNKNOWN, "int8") if ways is None else np.asarray(ways, "int8")

    def __len__(self):
        return len(self.items)

    def read(self, rows) -> np.ndarray:
        """The images of these rows, float32 `(n, h, w, c)` in [0, 1]."""
        rows = np.asarray(rows, "int64")
        if not len(rows):
            return np.zeros((0, *self.image_shape), "float32")
        return np.concatenate(list(self.stream(rows, batch_size=len(rows))))

    def batches(self, batch_rows: Callable[[], Iterator[np.ndarray]], batch_size: int) -> tf.data.Dataset:
        """The batches of images whose rows `batch_rows()` yields, asked anew at each iteration.

        All but the last have `batch_size` rows.
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
        """The images of `rows` once, in batches.

        Args:
            rows: which images.
            batch_size: images of a batch, at most.
            broken: takes the rows of images that cannot be read, which are left out; `None`: they are
                an error that names all of them.
        """
        parts = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        batches = None
        for number, chosen in enumerate(parts):
            if batches is None:
                batches = self.batches(lambda rest=parts[number:]: iter(rest), batch_size).as_numpy_iterator()
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
                batches = None  # a broken image ends the pass: it is begun again after this batch

    def check(self, rows) -> None:
        """Decode the images of `rows` one by one; name the first that cannot be used."""
        for row in rows:
            self._check_shape(
                row,
                read_image(self.items[row], self.origins[row], self.from_files, None, self.channels).shape,
            )

    def _broken(self, rows):
        """Those of `rows` that cannot be read; an error where one has another shape."""
        shapes = decoded_shapes(self.items[rows], self._ways_of(rows), self.from_files)
        for row, shape in zip(rows, shapes, strict=True):
            if shape[2]:
                height, width, own = map(int, shape)
                self._check_shape(row, (height, width, self.channels or own))
        return [int(row) for row, shape in zip(rows, shapes, strict=True) if not shape[2]]

    def _check_shape(self, row, shape):
        if shape[2] != self.image_shape[2]:
            raise InputError(
                f"Expected images with {self.image_shape[2]} channels. "
                f"Received: {self.origins[row]} with {shape[2]}; convert it, or all of them: "
                f"--channels {1 if self.image_shape[2] < 3 else 3}."
            )
        if self.image_size is None and shape != self.image_shape:
            raise ImageSizeError(
                f"Expected images of {self.image_shape[0]}x{self.image_shape[1]} pixels. "
                f"Received: {self.origins[row]} with {shape[0]}x{shape[1]}; resize it."
            )

    def _ways_of(self, rows):
        for row in rows:
            if self._ways[row] == UNKNOWN:
                self._ways[row] = way_of(self.items[row], self.from_files)
        return self._ways[rows]

    def _prepared(self, rows):
        """Items, ways and shapes of a batch; items and shapes are those of pixels where Pillow decodes."""
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
    """Paths or contents as an array of Python bytes: fixed-width strings would lose trailing zeros."""
    array = np.empty(len(items), object)
    array[:] = [os.fsencode(item) for item in items]
    return array
