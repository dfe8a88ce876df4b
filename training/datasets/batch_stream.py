"""Batches of training examples that can start at any step of any epoch."""

import warnings
from collections.abc import Callable

import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.training.datasets._orders import BatchOrder


class BatchStream:
    """Shuffled batches that are a function of `(seed, epoch)` alone.

    `dataset` yields the batches of an epoch: those of epoch 0, at the next iteration those of epoch 1, and so
    on. A training that is to be resumed sets `epoch` and `start_step` in `on_epoch_begin`, after which Keras'
    `fit` begins its iteration; `start_step` is above 0 only in the first epoch of a resumed training. Call
    `fit` with `shuffle=False`; otherwise Keras warns that it ignores `shuffle`.

    Args:
        order: order of the examples.
        dataset_of: function that returns the dataset. Its argument is a function that yields, at each
            iteration, `(epoch, indices)` of the batches.
        transform: function applied to each batch, such as `lambda x: (noisy(x), x)`.

    Attributes:
        epoch: epoch whose batches the next iteration yields; `None`: iterations are counted.
        steps_per_epoch: number of batches in a whole epoch.
        dataset: `tf.data.Dataset` of the batches.

    Raises:
        InputError: there are no examples.
    """

    def __init__(
        self,
        order: BatchOrder,
        dataset_of: Callable[[Callable], tf.data.Dataset],
        transform: Callable | None = None,
    ):
        if not order.size:
            raise InputError("A split for training must contain at least one example. Received: none")
        self.epoch: int | None = None
        self._iterations = 0
        self.steps_per_epoch = order.steps
        self._start_step = 0
        self._warning_filter = None

        def batches():
            epoch = self._iterations if self.epoch is None else self.epoch
            self._iterations += 1
            return ((epoch, batch) for batch in order.batches(epoch, self.start_step))

        dataset = dataset_of(batches)
        if transform is not None:
            dataset = dataset.map(transform, tf.data.AUTOTUNE, deterministic=True)
        self.dataset = _with_cardinality(dataset, order.steps)

    @property
    def start_step(self) -> int:
        """Number of the first batch of the next iteration."""
        return self._start_step

    @start_step.setter
    def start_step(self, step: int) -> None:
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


def _with_cardinality(dataset, steps):
    """Set the cardinality to the steps of a whole epoch, even if the first epoch is shorter.

    Keras reads the cardinality once, at the start of `fit`, and limits every later epoch to it.
    Without it, Keras would use the number of steps of the first, shorter epoch.
    `tf.data.experimental.assert_cardinality` would fail at the end of that epoch.
    """
    dataset.cardinality = lambda: tf.constant(steps, tf.int64)
    return dataset
