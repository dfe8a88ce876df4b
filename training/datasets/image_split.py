"""Training, validation or test images."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_ae.training.datasets.array_store import ArrayStore
from keras_ae.training.datasets.batch_order import BatchOrder
from keras_ae.training.datasets.encoded_store import EncodedStore


class ImageSplit:
    """Some of the images of a source; they are loaded when they are asked for.

    Args:
        store: the images.
        rows: which of them.
        labels: class numbers of these images, int64 `(images,)`, or `None`.

    Example:

    >>> split = ImageSplit(ArrayStore(np.zeros((9, 8, 8), "uint8"), 255.0, "zeros"), np.arange(5))
    >>> len(split), split.images([0, 3]).shape
    (5, (2, 8, 8, 1))
    >>> [batch.shape[0] for batch in split.batches(2).as_numpy_iterator()]
    [2, 2, 1]
    """

    def __init__(self, store: ArrayStore | EncodedStore, rows: np.ndarray, labels: np.ndarray | None = None):
        self.store = store
        self.rows = np.asarray(rows, "int64")
        self.labels = labels

    def __len__(self):
        return len(self.rows)

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """`(height, width, channels)`."""
        return self.store.image_shape

    def factors(self) -> dict[str, np.ndarray] | None:
        """What generated the images, `{name: int64 (images,)}`; `None` where the source does not know."""
        array = getattr(self.store, "array", None)
        if not hasattr(array, "factors"):
            return None
        return dict(zip(array.sprites.factor_names, array.factors(self.rows).T, strict=True))

    def images(self, indices=None) -> np.ndarray:
        """Images as float32 `(images, height, width, channels)` in [0, 1].

        Args:
            indices: which of this split, a sequence of numbers or a slice; `None`: all.
        """
        if indices is None:
            indices = slice(None)
        elif not isinstance(indices, slice):
            indices = np.asarray(indices, "int64")
        return self.store.read(self.rows[indices])

    def batches(
        self,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        epoch_counter: Callable[[], int] | None = None,
        start: int = 0,
        labels: bool = False,
    ) -> tf.data.Dataset:
        """Batches of images, float32 `(batch, height, width, channels)`; the last may be smaller.

        Args:
            batch_size: images of one batch.
            shuffle_seed: shuffle as `BatchOrder` says; `None`: in order.
            epoch_counter: tells the epoch at each iteration; `None`: it is always 0.
            start: number of the first batch.
            labels: give `{"x": images, "labels": class numbers}`.
        """
        order = BatchOrder(len(self), batch_size, shuffle_seed)

        def batches():
            return order.batches(epoch_counter() if epoch_counter else 0, start)

        dataset = self.images_of(batches, batch_size, labels)
        return dataset.apply(tf.data.experimental.assert_cardinality(max(0, order.steps - start)))

    def images_of(self, batches: Callable, batch_size: int, labels: bool = False) -> tf.data.Dataset:
        """The images of each batch of indices of `batches()`, asked anew at each iteration.

        With `labels`, `{"x": images, "labels": class numbers}`.
        """
        images = self.store.batches(lambda: (self.rows[batch] for batch in batches()), batch_size)
        if not labels:
            return images
        numbers = tf.data.Dataset.from_generator(
            lambda: (self.labels[batch] for batch in batches()),
            output_signature=tf.TensorSpec((None,), tf.int32),
        )
        return tf.data.Dataset.zip({"x": images, "labels": numbers})
