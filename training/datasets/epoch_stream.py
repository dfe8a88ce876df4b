"""Batches of training images, from any step of any epoch on."""

import warnings
from collections.abc import Callable

import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.training.datasets.batch_order import BatchOrder
from keras_ae.training.datasets.image_split import ImageSplit


class EpochStream:
    """Shuffled batches whose order is a function of `(seed, epoch)` alone.

    `dataset` yields the batches of `epoch` from `start_step` on. Both are read at each
    new iteration, which a stock `fit` begins after `on_epoch_begin`: there a callback
    sets `epoch`, and `start_step`, which is above 0 in the first epoch of a resumed
    training only. Give `fit` `shuffle=False`, or Keras says that it ignores `shuffle`.

    Args:
        split: the images.
        batch_size: images of one batch; the last one may be smaller.
        seed: of the shuffling.
        transform: applied to each batch, such as `lambda x: (noisy(x), x)`.
        labels: give `{"x": images, "labels": class numbers}`.

    Attributes:
        epoch: whose order the next iteration takes.
        steps_per_epoch: batches of a whole epoch.
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
        if not len(split):
            raise InputError("Training needs at least one image. Received: an empty split")
        order = BatchOrder(len(split), batch_size, seed)
        self.epoch = 0
        self.steps_per_epoch = order.steps
        self._start_step = 0
        self._warning_filter = None

        def batches():
            return order.batches(self.epoch, self.start_step)

        dataset = split.images_of(batches, batch_size, labels)
        if transform is not None:
            dataset = dataset.map(transform, tf.data.AUTOTUNE, deterministic=True)
        self.dataset = _with_cardinality(dataset, order.steps)

    @property
    def start_step(self) -> int:
        """Number of the first batch of the next iteration."""
        return self._start_step

    @start_step.setter
    def start_step(self, step: int):
        self._start_step = step
        self._expect_short_epoch(step > 0)

    def _expect_short_epoch(self, expected):
        """Keep Keras from warning that the data ran out: a resumed epoch is meant to be shorter."""
        if self._warning_filter in warnings.filters:
            warnings.filters.remove(self._warning_filter)
        self._warning_filter = None
        if expected:
            warnings.filterwarnings(
                "ignore", message="Your input ran out of data", module=r"keras\.src\.trainers\.epoch_iterator"
            )
            self._warning_filter = warnings.filters[0]


def training_batches(
    split: ImageSplit,
    batch_size: int,
    seed: int,
    *,
    transform: Callable | None = None,
    labels: bool = False,
) -> EpochStream:
    """The images of `split` for a training that can be resumed exactly; see `EpochStream`.

    Example:

    >>> import numpy as np
    >>> from keras_ae.training.datasets.array_store import ArrayStore
    >>> numbers = ArrayStore(np.arange(10).reshape(10, 1, 1), scale=1.0, origin="numbers")
    >>> stream = training_batches(ImageSplit(numbers, np.arange(10)), batch_size=4, seed=0)
    >>> stream.epoch, stream.start_step = 7, 1
    >>> [batch.ravel().astype(int).tolist() for batch in stream.dataset.as_numpy_iterator()]
    [[8, 2, 5, 0], [1, 9]]
    >>> np.random.default_rng((0, 7)).permutation(10)[4:].tolist()
    [8, 2, 5, 0, 1, 9]
    """
    return EpochStream(split, batch_size, seed, transform, labels)


def _with_cardinality(dataset, steps):
    """Tell Keras the steps of a whole epoch, also where the first one will be shorter.

    Keras reads the number once, at the start of `fit`, and cuts every later epoch to it.
    If it did not know, it would take that of the first, shorter epoch.
    `tf.data.experimental.assert_cardinality` would fail at the end of that epoch.
    """
    dataset.cardinality = lambda: tf.constant(steps, tf.int64)
    return dataset
