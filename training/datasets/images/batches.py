"""Batches of training images that can start at any step of any epoch."""

from collections.abc import Callable

from keras_ae.training.datasets._orders import BatchOrder
from keras_ae.training.datasets.batch_stream import BatchStream
from keras_ae.training.datasets.images.data import ImageSplit


class EpochStream(BatchStream):
    """Shuffled batches of images, see `BatchStream`.

    Args:
        split: the images.
        batch_size: images per batch; the last one may be smaller.
        seed: seed of the shuffling.
        transform: function applied to each batch, such as `lambda x: (noisy(x), x)`.
        labels: whether batches are `{"x": images, "labels": class numbers}`.

    Attributes:
        epoch: epoch whose batches the next iteration yields; `None`: iterations are counted.
        steps_per_epoch: number of batches in a whole epoch.
        dataset: `tf.data.Dataset` of float32 `(batch, height, width, channels)`.

    Raises:
        InputError: there are no images, or `batch_size` or `seed` is too small.
    """

    def __init__(
        self,
        split: ImageSplit,
        batch_size: int,
        seed: int,
        transform: Callable | None = None,
        labels: bool = False,
    ):
        def images_of(batches):
            return split.images_of(lambda: (batch for _, batch in batches()), batch_size, labels)

        super().__init__(BatchOrder(len(split), batch_size, seed), images_of, transform)


def training_batches(
    split: ImageSplit,
    batch_size: int,
    seed: int,
    *,
    transform: Callable | None = None,
    labels: bool = False,
) -> EpochStream:
    """Return the batches of `split` for a training that can be resumed exactly; see `EpochStream`.

    Example:

    >>> import numpy as np
    >>> from keras_ae.training.datasets.images.stores import ArrayStore
    >>> numbers = ArrayStore(np.arange(10).reshape(10, 1, 1), scale=1.0, origin="numbers")
    >>> stream = training_batches(ImageSplit(numbers, np.arange(10)), batch_size=4, seed=0)
    >>> stream.epoch, stream.start_step = 7, 1
    >>> [batch.ravel().astype(int).tolist() for batch in stream.dataset.as_numpy_iterator()]
    [[8, 2, 5, 0], [1, 9]]
    >>> np.random.default_rng((0, 7)).permutation(10)[4:].tolist()
    [8, 2, 5, 0, 1, 9]
    """
    return EpochStream(split, batch_size, seed, transform, labels)
