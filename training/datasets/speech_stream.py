"""Utterances to be read once, in order."""

import os
from collections.abc import Iterator, Sequence

import numpy as np

from keras_ae.errors import InputError
from keras_ae.left_out import LeftOut
from keras_ae.training.datasets.broken_file_errors import broken_files
from keras_ae.training.datasets.waveforms import levelled, silence_of


class SpeechStream:
    """Utterances of one pass; memory does not grow with their number.

    Iterating yields `(name, waveform)`, the waveform float32 `(samples,)` in [-1, 1], in
    the order of `names`. It can be iterated again. At the end of a pass one `DataWarning` names what
    was left out and which recordings are silent.

    Args:
        store: `WaveformStore` or `AudioFileStore`.
        rows: which of its utterances.
        names: of these utterances: relative paths, or their numbers.
        level: to which each is scaled, see `levelled`.
        origin: the source, for the warning.
        left_out: what the reader of the source left out.
        skip_broken: leave out files that cannot be read.
        inputs: files and folders that are read, which no output may replace.

    Attributes:
        names: of all utterances; after a pass, of those that could be read.
        silent: after a pass, the silent and nearly silent recordings: `{name: "silent"}`.

    Raises:
        InputError: on the way: files are broken; all are named.

    Example:

    >>> from keras_ae.training.datasets.waveform_store import WaveformStore
    >>> store = WaveformStore(np.sin(np.arange(5, dtype="float32")), [0, 2, 5], 16_000, "tone")
    >>> [(name, len(waveform)) for name, waveform in SpeechStream(store, [0, 1], ["a", "b"])]
    [('a', 2), ('b', 3)]
    """

    def __init__(
        self,
        store,
        rows: Sequence[int],
        names: Sequence[str],
        level: str | None = None,
        *,
        origin: str = "speech",
        left_out: LeftOut | None = None,
        skip_broken: bool = False,
        inputs: Sequence[str | os.PathLike] = (),
    ):
        self.store = store
        self.rows = list(rows)
        self.names = list(names)
        self.level = level
        self.origin = origin
        self.skip_broken = skip_broken
        self.inputs = tuple(inputs)
        self.silent: dict[str, str] = {}
        self._all_names = list(names)
        self._passed_over = left_out or LeftOut()

    def __len__(self):
        return len(self.names)

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        left_out, names, self.silent = self._passed_over.copy(), [], {}
        for place, (name, row) in enumerate(zip(self._all_names, self.rows, strict=True)):
            try:
                waveform = self.store.waveform(row)
            except InputError as error:
                if not self.skip_broken:
                    raise self._broken(place, error) from None
                left_out.add("unreadable", name)
                continue
            names.append(name)
            if reason := silence_of(waveform):
                self.silent[name] = reason
                left_out.keep(reason, name)
            yield name, levelled(waveform, self.level)
        if self._all_names and not names:
            raise InputError(f"{self.origin} must contain recordings that can be read. Received: none")
        self.names = names
        left_out.warn(self.origin)

    def _broken(self, place, first):
        """The error of the recording at `place`, and the names of all later ones that are broken too."""
        others = []
        for name, row in zip(self._all_names[place + 1 :], self.rows[place + 1 :], strict=True):
            try:
                self.store.waveform(row)
            except InputError:
                others.append(name)
        return broken_files(str(first), others)
