"""In which order blocks of neighbours come."""

from collections.abc import Iterator

import numpy as np

from keras_ae.training.datasets.batch_order import BatchOrder


class BlockOrder(BatchOrder):
    """Blocks of consecutive numbers; the order within a block is kept.

    With a seed, an epoch begins its first block anywhere, goes around the end, and shuffles
    the blocks: a function of seed and epoch alone. Without one, the blocks of each epoch are
    the same, in order. Numbers that fill no whole block are left out, with a seed others in each
    epoch; fewer numbers than a block are one block.

    Args:
        size: of the numbers.
        block_size: numbers of one block.
        seed: at least 0; `None`: not shuffled.

    Raises:
        InputError: `block_size` or `seed` is too small.

    Example:

    >>> [block.tolist() for block in BlockOrder(7, 3, seed=0).batches(epoch=1)]
    [[6, 0, 1], [3, 4, 5]]
    """

    @property
    def steps(self) -> int:
        """Blocks of an epoch."""
        return max(min(1, self.size), self.size // self.batch_size)

    def batches(self, epoch: int = 0, start: int = 0) -> Iterator[np.ndarray]:
        """The blocks of an epoch from number `start` on."""
        size = min(self.batch_size, self.size)
        first, blocks = 0, np.arange(self.steps)
        if self.seed is not None:
            random = np.random.default_rng((self.seed, epoch))
            if self.size > size:
                first = random.integers(self.size)
            blocks = random.permutation(self.steps)
        for block in blocks[start:]:
            yield (first + block * size + np.arange(size)) % self.size
