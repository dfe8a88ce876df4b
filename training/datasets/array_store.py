"""Images held as one array."""

from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from keras_ae.training.datasets.image_channels import to_channels
from keras_ae.training.datasets.pixels import image_shape_of, resized, unit_images


class ArrayStore:
    """Images of one array, in memory or memory-mapped, converted batch by batch.

    Args:
        array: `(images, height, width)` or `(images, height, width, channels)`, any
            number type; it is kept as it is.
        scale: the pixel value that becomes 1.
        origin: what the array is, for errors.
        image_size: height and width to resize to; `None`: as they are.

    Example:

    >>> store = ArrayStore(np.full((5, 2, 2), 255, "uint8"), 255.0, origin="white")
    >>> store.image_shape, float(store.read([0, 4]).mean())
    ((2, 2, 1), 1.0)
    """

    def __init__(
        self,
        array: np.ndarray,
        scale: float,
        origin: str,
        image_size: tuple[int, int] | None = None,
    ):
        stored = image_shape_of(array.shape, origin)
        self.array = array
        self.scale = scale
        self.image_size = image_size if image_size and tuple(image_size) != stored[:2] else None
        self.image_shape = (*(self.image_size or stored[:2]), stored[2])
        self.channels = None
        self._stored_channels = stored[2]

    def convert_to(self, channels: int | None) -> None:
        """Hand out images with this number of channels, see `to_channels`; `None`: their own."""
        self.channels = channels
        self.image_shape = (*self.image_shape[:2], channels or self.image_shape[2])

    def __len__(self):
        return len(self.array)

    def read(self, rows) -> np.ndarray:
        """The images of these rows, float32 `(n, h, w, c)` in [0, 1]."""
        images = self._gather(np.asarray(rows, "int64"))
        return np.asarray(self._finished(images))

    def batches(self, batch_rows: Callable[[], Iterator[np.ndarray]], batch_size: int) -> tf.data.Dataset:
        """The batches of images whose rows `batch_rows()` yields, asked anew at each iteration."""
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
        """The images of ascending `rows` once, in batches; no image of an array is broken."""
        for start in range(0, len(rows), batch_size):
            yield self.read(rows[start : start + batch_size])

    def _finished(self, images):
        images = to_channels(images, self.channels)
        return resized(images, self.image_size) if self.image_size else images

    def _gather(self, rows):
        return unit_images(self.array[rows], self.scale)
