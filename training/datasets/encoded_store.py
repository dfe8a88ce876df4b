"""Images held as PNG, JPEG, BMP or GIF: files on disk, or their bytes in memory."""

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.training.datasets.image_size_error import ImageSizeError
from keras_ae.training.datasets.pixels import resized


class EncodedStore:
    """Encoded images, decoded in parallel inside of the tf.data pipeline; never all in memory.

    Args:
        items: paths of files, or the bytes of the encoded images.
        origins: what each image is called in errors.
        image_shape: `(height, width, channels)` of every image that comes out.
        image_size: height and width to resize to; `None`: the images have them.

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
    ):
        self.items = encoded_items(items)
        self.from_files = isinstance(items[0], str)
        self.origins = origins
        self.image_shape = tuple(image_shape)
        self.image_size = image_size

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
        dataset = tf.data.Dataset.from_generator(
            lambda: (self.items[rows] for rows in batch_rows()),
            output_signature=tf.TensorSpec((None,), tf.string),
        )
        dataset = dataset.unbatch().map(self._decode, tf.data.AUTOTUNE, deterministic=True)
        return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def stream(self, rows: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
        """The images of `rows` once, in batches; a broken one is named."""
        batch_rows = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
        batches = self.batches(lambda: iter(batch_rows), batch_size).as_numpy_iterator()
        for chosen in batch_rows:
            try:
                yield next(batches)
            except tf.errors.OpError:
                self.check(chosen)
                raise

    def check(self, rows) -> None:
        """Decode the images of `rows` one by one; name the first that cannot be used."""
        for row in rows:
            shape = decoded_shape(self.items[row], self.origins[row], self.from_files)
            if shape[2] != self.image_shape[2]:
                raise InputError(
                    f"Expected images with {self.image_shape[2]} channels. "
                    f"Received: {self.origins[row]} with {shape[2]}; convert it."
                )
            if self.image_size is None and shape != self.image_shape:
                raise ImageSizeError(
                    f"Expected images of {self.image_shape[0]}x{self.image_shape[1]} pixels. "
                    f"Received: {self.origins[row]} with {shape[0]}x{shape[1]}; resize it."
                )

    def _decode(self, item):
        image = tf.cast(decode(item, self.from_files), tf.float32) / 255.0
        if self.image_size:
            image = resized(image, self.image_size)
        return tf.ensure_shape(image, self.image_shape)


def encoded_items(items: Sequence[str | bytes]) -> np.ndarray:
    """Paths or contents as an array of Python bytes: fixed-width strings would lose trailing zeros."""
    array = np.empty(len(items), object)
    array[:] = [os.fsencode(item) for item in items]
    return array


def decode(item, from_file: bool):
    """`(height, width, channels)` uint8 of a path or of encoded bytes; the first frame of a GIF."""
    contents = tf.io.read_file(item) if from_file else item
    return tf.io.decode_image(contents, channels=0, expand_animations=False)


def decoded_shape(item: bytes, origin: str, from_file: bool) -> tuple[int, int, int]:
    """Shape of one image; an `InputError` that names it where it cannot be decoded."""
    try:
        return tuple(decode(item, from_file).shape)
    except tf.errors.NotFoundError:
        raise InputError(f"{origin} does not exist any more.") from None
    except (tf.errors.PermissionDeniedError, tf.errors.UnavailableError):
        raise InputError(f"{origin} cannot be read: check its permissions.") from None
    except tf.errors.OpError:
        raise InputError(
            f"{origin} is not a readable png, jpeg, bmp or gif image, perhaps cut short: "
            "replace or remove it."
        ) from None
