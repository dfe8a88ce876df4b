"""Utterances to be read once, in order."""

from collections.abc import Iterator, Sequence

import numpy as np

from keras_ae.training.datasets.waveforms import levelled


class SpeechStream:
    """Utterances of one pass; memory does not grow with their number.

    Iterating yields `(name, waveform)`, the waveform float32 `(samples,)` in [-1, 1], in
    the order of `names`. It can be iterated anew.

    Args:
        store: `WaveformStore` or `AudioFileStore`.
        rows: which of its utterances.
        names: of these utterances: relative paths, or their numbers.
        level: to which each is scaled, see `levelled`.

    Raises:
        InputError: on the way: a file is broken; it is named.

    Example:

    >>> from keras_ae.training.datasets.waveform_store import WaveformStore
    >>> store = WaveformStore(np.ones(5, "float32"), [0, 2, 5], 16_000, "ones")
    >>> [(name, len(waveform)) for name, waveform in SpeechStream(store, [0, 1], ["a", "b"])]
    [('a', 2), ('b', 3)]
    """

    def __init__(self, store, rows: Sequence[int], names: Sequence[str], level: str | None = None):
        self.store = store
        self.rows = list(rows)
        self.names = list(names)
        self.level = level

    def __len__(self):
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        for name, row in zip(self.names, self.rows, strict=True):
            yield name, levelled(self.store.waveform(row), self.level)
