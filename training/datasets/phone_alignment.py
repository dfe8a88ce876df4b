"""When which phone sounds."""

from collections.abc import Sequence

import numpy as np


class PhoneAlignment:
    """The phones of many utterances and the samples at which they begin.

    Args:
        starts: int `(phones,)`, first sample of each phone within its utterance, ascending
            within it.
        phones: int `(phones,)`, indices into `names`.
        offsets: int `(utterances + 1,)`: utterance i has the phones `offsets[i]` to
            `offsets[i + 1]`.
        names: of the phones.

    Example:

    >>> alignment = PhoneAlignment([0, 400], [1, 0], [0, 2], ("a", "_"))
    >>> alignment.of(0)
    [(0, '_'), (400, 'a')]
    >>> alignment.frames(0, frames=5, hop=160).tolist()
    [1, 1, 1, 0, 0]
    """

    def __init__(self, starts, phones, offsets, names: Sequence[str]):
        self.starts = np.asarray(starts, "int64")
        self.phones = np.asarray(phones, "int64")
        self.offsets = np.asarray(offsets, "int64")
        self.names = tuple(names)

    def __len__(self):
        return len(self.offsets) - 1

    def of(self, row: int) -> list[tuple[int, str]]:
        """`[(first sample, phone), ...]` of one utterance."""
        starts, phones = self._utterance(row)
        return [(int(start), self.names[phone]) for start, phone in zip(starts, phones, strict=True)]

    def frames(self, row: int, frames: int, hop: int) -> np.ndarray:
        """The phone that sounds at sample t * hop, int64 `(frames,)`; the first one also before it begins."""
        starts, phones = self._utterance(row)
        begun = np.searchsorted(starts, np.arange(frames) * hop, side="right")
        return phones[np.maximum(begun - 1, 0)]

    def resampled(self, rate: int, new_rate: int) -> "PhoneAlignment":
        """The same times at another sample rate.

        A phone begins at the first sample at or after its time, so that it sounds at the
        same frames.
        """
        starts = -(-self.starts * new_rate // rate)
        return PhoneAlignment(starts, self.phones, self.offsets, self.names)

    def _utterance(self, row):
        chosen = slice(self.offsets[row], self.offsets[row + 1])
        return self.starts[chosen], self.phones[chosen]
