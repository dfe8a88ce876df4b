"""Conversion of padded sequences to the named inputs of an encoder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_ae.errors import InputError

Part = tuple[np.ndarray, dict, np.ndarray | None]  # rows of a batch, named inputs, real positions


@dataclass(frozen=True)
class SequenceInputs:
    """Inputs of an encoder of sequences, by their meaning.

    An encoder with neither a mask nor lengths reads sequences of equal length together, without padding;
    where the number of its positions is fixed, sequences are padded with zeros to this number.

    Attributes:
        inputs: `{name: (shape, dtype)}` of the encoder.
        x: name of the values.
        mask: name of the mask, 1 at real positions; `None`: there is no such input.
        lengths: name of the numbers of real positions; `None`: there is no such input.
        types: name of the kinds of segments, 0 for single sentences; `None`: there is no such input.
    """

    inputs: Mapping[str, tuple] = field(repr=False)
    x: str
    mask: str | None = None
    lengths: str | None = None
    types: str | None = None

    @classmethod
    def of(cls, inputs: Mapping[str, tuple]) -> "SequenceInputs | None":
        """Return the inputs by their meaning, which is found from their names; `None` if it is unclear.

        Example:

        >>> SequenceInputs.of(dict.fromkeys(["input_ids", "attention_mask"], ((None, None), "int64")))
        SequenceInputs(x='input_ids', mask='attention_mask', lengths=None, types=None)
        """
        meanings = {name: meaning_of(name) for name in inputs}
        found = {meaning: name for name, meaning in meanings.items()}
        if len(found) != len(meanings) or "x" not in found:
            return None
        return cls(inputs, **found)

    @property
    def positions(self) -> int | None:
        """Fixed number of positions of the values; `None`: any."""
        shape = self.inputs[self.x][0]
        axis = 2 if len(shape) == 3 and shape[1] == 1 else 1
        return shape[axis] if len(shape) > axis else None

    def parts(self, x: np.ndarray, lengths: np.ndarray) -> Iterator[Part]:
        """Yield `(rows, {name: input}, real (rows, positions) or None)` of padded `x (batch, positions)`."""
        lengths = np.asarray(lengths)
        rows = np.arange(len(x))
        if self.positions is not None:
            x = np.pad(x[:, : self.positions], [(0, 0), (0, max(0, self.positions - x.shape[1]))])
            yield rows, *self.named(x, np.minimum(lengths, self.positions))
        elif self.mask is not None or self.lengths is not None:
            yield rows, *self.named(x[:, : max(lengths, default=0)], lengths)
        else:
            for length in np.unique(lengths):
                alike = np.flatnonzero(lengths == length)
                named, _ = self.named(x[alike, :length], lengths[alike])
                yield alike, named, None

    def named(self, x: np.ndarray, lengths: np.ndarray) -> tuple[dict, np.ndarray]:
        """Return `({name: input}, real (batch, positions))` of padded `x`."""
        real = np.arange(x.shape[1]) < lengths[:, None]
        values = {self.x: x, self.mask: real, self.lengths: lengths, self.types: np.zeros_like(real)}
        return {name: self._typed(name, values[name]) for name in self.inputs}, real

    def _typed(self, name, values):
        shape, dtype = self.inputs[name]
        if len(shape) == values.ndim + 1:  # one channel of waveforms, or lengths in a column
            values = np.expand_dims(values, 1 if shape[1] == 1 else -1)
        return values if name == self.x else values.astype(dtype)


def meaning_of(name: str) -> str:
    """Return the meaning of an input by its name: "mask", "types", "lengths" or "x"."""
    lower = name.lower()
    if "mask" in lower:
        return "mask"
    if "type_ids" in lower or "segment" in lower:
        return "types"
    return "lengths" if lower.endswith(("length", "lengths", "_len", "_lens")) else "x"


def sequence_inputs(inputs: Mapping[str, tuple], kind: str) -> SequenceInputs:
    """Return the inputs of an encoder by their meaning.

    Args:
        inputs: `{name: (shape, dtype)}` of the encoder.
        kind: name of the values in the error, such as "ids".

    Raises:
        InputError: the meaning of the inputs is unclear.
    """
    found = SequenceInputs.of(inputs)
    if found is None:
        raise InputError(
            f"The inputs of the encoder must be {kind}, and optionally a mask, lengths and type ids, found "
            f"by their names. Received: {', '.join(inputs)}. Wrap the encoder in a function."
        )
    return found


def padded_sequences(rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return `(x, lengths)` of sequences of several lengths, padded with zeros on the right.

    Example:

    >>> padded_sequences([[5, 6], [7]])[0].tolist()
    [[5, 6], [7, 0]]
    """
    arrays = [np.asarray(row) for row in rows]
    lengths = np.array([len(array) for array in arrays], "int32")
    kind = np.result_type(*arrays) if arrays else "int32"
    x = np.zeros((len(arrays), max(lengths, default=0)), kind)
    for row, array in zip(x, arrays, strict=True):
        row[: len(array)] = array
    return x, lengths
