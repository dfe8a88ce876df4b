"""Conversion of texts to the inputs of an encoder by a tokenizer."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError, require
from keras_ae.evaluation.encoders._sequence_inputs import Part, meaning_of, padded_sequences, sequence_inputs
from keras_ae.evaluation.encoders._texts import as_text


class TokenInputs:
    """Conversion of texts to ids and a mask by a tokenizer.

    Args:
        tokenizer: function from a list of str to ids: a list of integers for each text, or `{name: array}`
            with the names of the encoder's inputs, or encodings of the package `tokenizers`.
        inputs: `{name: (shape, dtype)}` of the encoder.
        name: name of the tokenizer, for the report.

    Raises:
        InputError: the encoder has other inputs than ids, a mask, lengths and type ids.
    """

    modality = "text"

    def __init__(self, tokenizer: Callable, inputs: Mapping[str, tuple], name: str = ""):
        self.tokenizer = tokenizer
        self.names = sequence_inputs(inputs, "ids")
        self.name = name or getattr(tokenizer, "__name__", type(tokenizer).__name__)
        shape, dtype = inputs[self.names.x]
        if dtype is None or np.dtype(dtype).kind not in "iu":
            kind = "string" if dtype is None else np.dtype(dtype)
            raise InputError(
                "tokenizer must be used only with an encoder of ids, which are integers. "
                f"Received: the input {self.names.x} of dtype {kind}."
            )

    def parts(self, batch: Any) -> Iterator[Part]:
        """Yield `(rows, {name: input}, real positions)` of texts."""
        texts = [as_text(one) for one in np.asarray(batch).ravel()]
        found = self.tokenizer(texts)
        if isinstance(found, Mapping):
            yield self._of_mapping(found, len(texts))
            return
        encodings = list(found)
        ids = [getattr(one, "ids", one) for one in encodings]
        if len(ids) != len(texts) or not all(map(_are_ids, ids)):
            raise InputError(
                "tokenizer must return a list of integers for each text, or {name: array}. "
                f"Received: {type(found).__name__} of {len(ids)} for {len(texts)} texts"
            )
        real = [_real_part(one, own) for one, own in zip(encodings, ids, strict=True)]
        yield from self.names.parts(*self._checked(*padded_sequences(real)))

    def describe(self) -> dict[str, Any]:
        """Return the conversion, serialisable as JSON, with a sentence."""
        names = {name: getattr(self.names, name) for name in ("x", "mask", "lengths", "types")}
        given = ", ".join(name for name in names.values() if name)
        text = f"Texts are converted by the tokenizer {self.name} to the inputs {given}."
        found = {"modality": self.modality, "tokenizer": self.name}
        return {**found, "inputs": list(self.names.inputs), "text": text}

    def _checked(self, x, lengths):
        most = self.names.positions
        if most is not None and len(lengths) and max(lengths) > most:
            raise InputError(
                f"tokenizer must return at most {most} ids for a text, which the encoder takes. "
                f"Received: {max(lengths)}. Truncate them in the tokenizer."
            )
        return x, lengths

    def _of_mapping(self, found, count):
        names = self.names
        missing = [name for name in names.inputs if name not in found and name != names.types]
        if missing:
            raise InputError(
                f"tokenizer must return the inputs of the encoder, {', '.join(names.inputs)}. "
                f"Received: {', '.join(map(str, found))}"
            )
        arrays = {name: _array(value) for name, value in found.items() if name in names.inputs}
        arrays.setdefault(names.types, np.zeros_like(arrays[names.x]))
        given = {name: arrays[name] for name in names.inputs}  # in this order: Keras takes a list
        if {len(one) for one in given.values()} != {count}:
            raise InputError(
                f"tokenizer must return one row for each of {count} texts. Received: {_shapes(given)}"
            )
        x = self._checked(given[names.x], [given[names.x].shape[1]])[0]
        return np.arange(count), given, self._real(found, x.shape)

    def _real(self, found, shape):
        """Return the real positions from a mask or lengths: its own, else others of the tokenizer."""
        own = {"mask": self.names.mask, "lengths": self.names.lengths}
        if not any(own.values()):
            others = {meaning_of(str(name)): name for name in found if "special" not in str(name).lower()}
            own = {meaning: others.get(meaning) for meaning in own}
        if own["mask"] is not None:
            mask = _array(found[own["mask"]])
            if mask.size != np.prod(shape):
                raise InputError(
                    f"tokenizer must return a mask with one number for each id. Received: {own['mask']} "
                    f"{mask.shape} for ids {shape}"
                )
            return mask.astype(bool).reshape(shape)
        if own["lengths"] is not None:
            lengths = np.asarray(found[own["lengths"]])
        else:  # rows of several lengths are padded here
            lengths = np.array([len(row) for row in found[self.names.x]])
        return np.arange(shape[1]) < lengths.reshape(-1, 1)


def tokenizer_of(value: Any) -> Callable | None:
    """Return a tokenizer that is given as a function, or as a `tokenizer.json` of the package `tokenizers`.

    Raises:
        InputError: it is neither, or the file cannot be read.
        ImportError: `tokenizers` is not installed.
    """
    if value is None or (callable(value) and not isinstance(value, (str, os.PathLike))):
        return value
    if not isinstance(value, (str, os.PathLike)) or Path(value).suffix != ".json":
        raise InputError(
            "tokenizer must be a function from a list of str to ids, or the path of a tokenizer.json. "
            f"Received: {value!r}"
        )
    if not Path(value).is_file():
        raise InputError(f"tokenizer must be an existing file. Received: {value}")
    package = require("tokenizers", extra="tokenizers")
    try:
        tokenizer = package.Tokenizer.from_file(str(value))
    except Exception as error:  # the package raises `Exception`
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{value} is not a readable tokenizer ({reason}).") from error

    def encode(texts):
        return tokenizer.encode_batch(texts)

    encode.__name__ = Path(value).name
    return encode


def _are_ids(ids):
    kind = np.asarray(ids)
    return kind.ndim == 1 and (kind.dtype.kind in "iu" or not kind.size)


def _real_part(encoding, ids):
    """Return the ids of an encoding without padding."""
    mask = getattr(encoding, "attention_mask", None)
    return ids if mask is None else [number for number, real in zip(ids, mask, strict=True) if real]


def _array(value):
    try:
        return np.asarray(value)
    except ValueError:  # lists of several lengths
        return padded_sequences(value)[0]


def _shapes(given):
    return ", ".join(f"{name} {value.shape}" for name, value in given.items())
