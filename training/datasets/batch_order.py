"""In which order the images of an epoch come."""

from collections.abc import Iterator
from math import ceil

import numpy as np

from keras_ae.errors import InputError


class BatchOrder:
    """Batches of `0 ... size - 1`, in order, or shuffled as a function of seed and epoch.

    The order of epoch e is `numpy.random.default_rng((seed, e)).permutation(size)`, cut
    into batches; the last one may be smaller. It depends on nothing that went before,
    so that a training can go on at any step of any epoch.

    Args:
        size: number of images.
        batch_size: images of one batch.
        seed: of the shuffling, at least 0; `None`: not shuffled.

    Raises:
        InputError: `batch_size` or `seed` is too small.

    Example:

    >>> [batch.tolist() for batch in BatchOrder(5, 2).batches(start=1)]
    [[2, 3], [4]]
    """

    def __init__(self, size: int, batch_size: int, seed: int | None = None):
        if batch_size < 1:
            raise InputError(f"The batch size is at least 1. Received: {batch_size}")
        if seed is not None and seed < 0:
            raise InputError(f"The seed is at least 0. Received: {seed}")
        self.size = size
        self.batch_size = batch_size
        self.seed = seed

    @property
    def steps(self) -> int:
        """Batches of a whole epoch."""
        return ceil(self.size / self.batch_size)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[np.ndarray]:
        """The batches of an epoch from number `start` on."""
        order = np.arange(self.size)
        if self.seed is not None:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.size)
        for first in range(start * self.batch_size, self.size, self.batch_size):
            yield order[first : first + self.batch_size]
