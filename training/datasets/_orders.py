"""Orders in which an epoch visits its examples."""

from collections.abc import Iterator
from math import ceil

import numpy as np

from keras_ae.errors import InputError


class BatchOrder:
    """Batches of the indices `0 ... size - 1`, in order, or shuffled as a function of seed and epoch.

    The order of epoch e is `numpy.random.default_rng((seed, e)).permutation(size)`, cut
    into batches; the last one may be smaller. It does not depend on earlier epochs,
    so that a training can resume at any step of any epoch.

    Args:
        size: number of examples.
        batch_size: examples per batch.
        seed: seed of the shuffling, at least 0; `None`: not shuffled.

    Raises:
        InputError: `batch_size` or `seed` is too small.

    Example:

    >>> [batch.tolist() for batch in BatchOrder(5, 2).batches(start=1)]
    [[2, 3], [4]]
    """

    def __init__(self, size: int, batch_size: int, seed: int | None = None):
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1. Received: batch_size={batch_size}")
        if seed is not None and seed < 0:
            raise InputError(f"seed must be at least 0. Received: seed={seed}")
        self.size = size
        self.batch_size = batch_size
        self.seed = seed

    @property
    def steps(self) -> int:
        """Number of batches in a whole epoch."""
        return ceil(self.size / self.batch_size)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[np.ndarray]:
        """Yield the batches of an epoch, beginning with batch number `start`."""
        order = np.arange(self.size)
        if self.seed is not None:
            order = np.random.default_rng((self.seed, epoch)).permutation(self.size)
        for first in range(start * self.batch_size, self.size, self.batch_size):
            yield order[first : first + self.batch_size]


WINDOW = 50  # batches that are sorted together: more reduce the padding but also the randomness


class BucketedOrder(BatchOrder):
    """Batches of examples of similar length, which need little padding.

    With a seed, an epoch's permutation (see `BatchOrder`) is cut into groups of 50 batches,
    each group is sorted by length, and the batches are shuffled: the order is still a function of
    seed and epoch alone. Without a seed, all examples are sorted by length once.

    Args:
        lengths: lengths of the examples, in any unit.
        batch_size: examples per batch.
        seed: seed of the shuffling, at least 0; `None`: not shuffled.

    Raises:
        InputError: `batch_size` or `seed` is too small.

    Example:

    >>> [batch.tolist() for batch in BucketedOrder([30, 10, 31, 11, 90], 2).batches()]
    [[1, 3], [0, 2], [4]]
    """

    def __init__(self, lengths, batch_size: int, seed: int | None = None):
        super().__init__(len(lengths), batch_size, seed)
        self.lengths = np.asarray(lengths)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[np.ndarray]:
        """Yield the batches of an epoch, beginning with batch number `start`."""
        cut = []
        random = None if self.seed is None else np.random.default_rng((self.seed, epoch))
        order = np.arange(self.size) if random is None else random.permutation(self.size)
        run = self.size if random is None else WINDOW * self.batch_size
        for first in range(0, self.size, max(1, run)):
            chosen = order[first : first + run]
            chosen = chosen[np.argsort(self.lengths[chosen], kind="stable")]
            cut += [chosen[i : i + self.batch_size] for i in range(0, len(chosen), self.batch_size)]
        places = np.arange(len(cut)) if random is None else random.permutation(len(cut))
        return iter([cut[place] for place in places[start:]])


class BlockOrder(BatchOrder):
    """Blocks of consecutive indices; the order within a block is kept.

    With a seed, an epoch begins its first block at a random index, wraps around at the end, and
    shuffles the blocks: the order is a function of seed and epoch alone. Without a seed, the blocks of
    each epoch are the same, in order. Indices that do not fill a whole block are left out; with a seed
    these differ between epochs. If `size` is smaller than a block, all indices are one block.

    Args:
        size: number of examples.
        block_size: indices per block.
        seed: seed of the shuffling, at least 0; `None`: not shuffled.

    Raises:
        InputError: `block_size` or `seed` is too small.

    Example:

    >>> [block.tolist() for block in BlockOrder(7, 3, seed=0).batches(epoch=1)]
    [[6, 0, 1], [3, 4, 5]]
    """

    @property
    def steps(self) -> int:
        """Number of blocks in an epoch."""
        return max(min(1, self.size), self.size // self.batch_size)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[np.ndarray]:
        """Yield the blocks of an epoch, beginning with block number `start`."""
        size = min(self.batch_size, self.size)
        first, blocks = 0, np.arange(self.steps)
        if self.seed is not None:
            random = np.random.default_rng((self.seed, epoch))
            if self.size > size:
                first = random.integers(self.size)
            blocks = random.permutation(self.steps)
        for block in blocks[start:]:
            yield (first + block * size + np.arange(size)) % self.size
