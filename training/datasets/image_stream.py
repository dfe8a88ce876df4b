"""Images to be read once, in order."""

from collections.abc import Iterator, Sequence

import numpy as np


class ImageStream:
    """Images of one pass, a batch at a time; memory does not grow with their number.

    Iterating yields float32 `(batch, height, width, channels)` in [0, 1], at most
    `batch_size` images each, in the order of `names`. It can be iterated anew.

    Args:
        parts: pairs of a store and the ascending rows to read of it.
        names: of all these images: relative paths, or their numbers.
        image_shape: `(height, width, channels)`.
        batch_size: images of one batch.

    Raises:
        InputError: on the way: an image is broken or of another shape; it is named.
    """

    def __init__(
        self, parts: Sequence[tuple], names: list[str], image_shape: tuple[int, int, int], batch_size: int
    ):
        self.parts = parts
        self.names = names
        self.image_shape = image_shape
        self.batch_size = batch_size

    def __len__(self):
        return len(self.names)

    def __iter__(self) -> Iterator[np.ndarray]:
        for store, rows in self.parts:
            yield from store.stream(rows, self.batch_size)
