"""Images to be read once, in order."""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from keras_ae.errors import InputError
from keras_ae.left_out import LeftOut


class ImageStream:
    """Images of one pass, a batch at a time; memory does not grow with their number.

    Iterating yields float32 `(batch, height, width, channels)` in [0, 1], at most
    `batch_size` images each, in the order of `names`. It can be iterated again. At the end of a pass
    one `DataWarning` names what was left out.

    Args:
        parts: pairs of a store and the ascending rows to read of it.
        names: of all these images: relative paths, or their numbers.
        image_shape: `(height, width, channels)`.
        batch_size: images of one batch.
        origin: the source, for the warning.
        left_out: what the reader of the source left out.
        skip_broken: leave out images that cannot be read.
        inputs: files and folders that are read, which no output may replace.

    Attributes:
        names: of all images; after a pass, of those that could be read.

    Raises:
        InputError: on the way: images are broken or of another shape; they are named.
    """

    def __init__(
        self,
        parts: Sequence[tuple],
        names: list[str],
        image_shape: tuple[int, int, int],
        batch_size: int,
        origin: str = "images",
        left_out: LeftOut | None = None,
        skip_broken: bool = False,
        inputs: Sequence[str | os.PathLike] = (),
    ):
        self.parts = parts
        self.names = names
        self.image_shape = image_shape
        self.batch_size = batch_size
        self.origin = origin
        self.skip_broken = skip_broken
        self.inputs = tuple(inputs)
        self._all_names = names
        self._passed_over = left_out or LeftOut()

    def __len__(self):
        return len(self.names)

    def __iter__(self) -> Iterator[np.ndarray]:
        left_out, names, before = self._passed_over.copy(), [], 0
        for store, rows in self.parts:
            broken: list[int] | None = [] if self.skip_broken else None
            yield from store.stream(rows, self.batch_size, broken)
            own = self._all_names[before : before + len(rows)]
            bad = set(broken or ())
            for row, name in zip(rows, own, strict=True):
                if row in bad:
                    left_out.add("unreadable", name)
                else:
                    names.append(name)
            before += len(rows)
        if self._all_names and not names:
            raise InputError(f"{self.origin} must contain images that can be read. Received: none")
        self.names = names
        left_out.warn(self.origin)
