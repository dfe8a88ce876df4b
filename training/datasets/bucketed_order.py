"""In which order utterances of different lengths come."""

from collections.abc import Iterator

import numpy as np

from keras_ae.training.datasets.batch_order import BatchOrder

WINDOW = 50  # batches that are sorted together: less padding with more, less chance with fewer


class BucketedOrder(BatchOrder):
    """Batches of examples that are alike in length, so that little is padded.

    With a seed, an epoch's permutation (see `BatchOrder`) is cut into runs of 50 batches,
    each run is sorted by length, and the batches are shuffled: still a function of seed
    and epoch alone. Without one, all are sorted by length once.

    Args:
        lengths: of the examples, in any unit.
        batch_size: examples of one batch.
        seed: of the shuffling, at least 0; `None`: not shuffled.

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
        """The batches of an epoch from number `start` on."""
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
