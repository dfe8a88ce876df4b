"""Preprocessing of the raw data that a model takes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import keras

from keras_ae.errors import InputError
from keras_ae.layers.speech.log_mel_spectrogram import LogMelSpectrogram

LEVELS = ("rms", "peak", "none")


@dataclass(frozen=True, kw_only=True, repr=False)
class Preprocessing:
    """Description of how raw data became the inputs of a model, to be applied to every further input.

    It belongs to the model: `model.preprocessing = {...}` or the constructor's `preprocessing={...}`.
    It is saved with the model, written into every exported artifact, and checked when an artifact is run.
    All fields but `modality` are optional; `None` means unknown.

    Args:
        modality: "images", "speech", "text", "table", or "values" for anything else.
        value_range: `(low, high)` of the inputs of the model; (0, 1) for pixels divided by 255.
        image_size: `(height, width)` of the images in training.
        channels: number of channels of an image.
        scale: the stored pixel value that becomes the upper end of `value_range`, where it does not follow
            from the dtype and values of an array; not needed for PNG and JPEG files.
        sample_rate: sample rate of the waveforms in Hz.
        level: "rms": each utterance has a root mean square of 0.05 (-26 dB of full scale); "peak": its
            largest amplitude is 1; "none": as recorded.
        dc_removed: whether the mean of each waveform was subtracted first.
        tokenization: name of the rule that cuts text into words.
        lowercase: whether words are lowercased.
        vocabulary_size: number of words in the vocabulary.
        max_words: maximum number of words that are read from a sentence.
        columns: columns of a table, each as `tables.TableColumn.to_dict` describes it: the model takes
            indices in place of their categories, and NaN for missing values.

    Raises:
        InputError: the value of a field is not valid, or the field does not belong to the modality.

    Example:

    >>> Preprocessing(modality="images", value_range=(0, 1), image_size=(28, 28)).to_dict()
    {'modality': 'images', 'value_range': [0.0, 1.0], 'image_size': [28, 28]}
    """

    modality: str
    value_range: tuple[float, float] | None = None
    image_size: tuple[int, int] | None = None
    channels: int | None = None
    scale: float | None = None
    sample_rate: int | None = None
    level: str | None = None
    dc_removed: bool | None = None
    tokenization: str | None = None
    lowercase: bool | None = None
    vocabulary_size: int | None = None
    max_words: int | None = None
    columns: tuple[dict[str, Any], ...] | None = None

    def __repr__(self):
        return f"Preprocessing({', '.join(f'{key}={value!r}' for key, value in self.to_dict().items())})"

    def __post_init__(self):
        if self.modality not in FIELDS:
            raise InputError(
                f"preprocessing: modality must be one of {', '.join(FIELDS)}. "
                f"Received: modality={self.modality!r}"
            )
        for field in fields(self)[1:]:
            value = getattr(self, field.name)
            if value is None:
                continue
            if field.name not in FIELDS[self.modality]:
                raise InputError(
                    f"preprocessing: the fields of {self.modality} must be among "
                    f"{', '.join(FIELDS[self.modality])}. Received: {field.name}={value!r}"
                )
            object.__setattr__(self, field.name, _checked(field.name, value))

    @classmethod
    def of(cls, value: "Mapping[str, Any] | Preprocessing | None") -> "Preprocessing | None":
        """Return the description in a dict as written by `to_dict`; a `Preprocessing` or `None` unchanged.

        Raises:
            InputError: the dict has unknown keys, no modality, or invalid values.
        """
        if value is None or isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise InputError(f"preprocessing must be a dict. Received: {type(value).__name__}")
        unknown = sorted(set(value) - {field.name for field in fields(cls)}, key=str)
        if unknown:
            known = ", ".join(field.name for field in fields(cls))
            raise InputError(f"preprocessing must have keys among {known}. Received: {unknown}")
        if "modality" not in value:
            raise InputError(f"preprocessing must contain its modality. Received: {dict(value)}")
        return cls(**value)

    def to_dict(self) -> dict[str, Any]:
        """Return the known fields, serialisable as JSON."""
        known = {field.name: getattr(self, field.name) for field in fields(self)}
        known = {name: value for name, value in known.items() if value is not None}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in known.items()}

    def range_of(self, rank: int | None) -> tuple[float, float] | None:
        """Return the range of values of an input with `rank` axes; `None`: unknown, or not raw data.

        An input of speech with three axes, for example, contains frames, not waveforms.
        """
        raw = rank is None or rank == RANKS.get(self.modality, rank)
        return self.value_range if raw else None

    def filled_from(self, other: "Preprocessing | None") -> "Preprocessing":
        """Return this description with unknown fields from `other`, which describes the parts of a model.

        Raises:
            InputError: a field is known in both and differs. The range of values may differ: a model may be
                trained to turn noisy inputs into clean ones.
        """
        if other is None:
            return self
        different = {
            field.name: (getattr(self, field.name), getattr(other, field.name))
            for field in fields(self)[1:]
            if field.name != "value_range"
            and None not in (getattr(self, field.name), getattr(other, field.name))
            and getattr(self, field.name) != getattr(other, field.name)
        }
        if self.modality != other.modality and "values" not in (self.modality, other.modality):
            different["modality"] = (self.modality, other.modality)
        if different:
            name, (ours, theirs) = next(iter(different.items()))
            raise InputError(
                f"preprocessing: {name} must be that of the model, {theirs!r}. Received: {name}={ours!r}. "
                "Correct `model.preprocessing`, or build the model with other settings."
            )
        base = other.modality if self.modality == "values" else self.modality
        known = {**other.to_dict(), **self.to_dict(), "modality": base}
        return replace(self, **known)


FIELDS = {  # fields of each modality
    "images": ("value_range", "image_size", "channels", "scale"),
    "speech": ("value_range", "sample_rate", "level", "dc_removed"),
    "text": ("tokenization", "lowercase", "vocabulary_size", "max_words"),
    "table": ("columns",),
    "values": ("value_range",),
}
RANKS = {"images": 4, "speech": 2, "table": 2}  # number of axes of a batch of raw data; any for "values"
COUNTS = ("channels", "sample_rate", "vocabulary_size", "max_words")


def preprocessing_of(model: keras.Model) -> Preprocessing | None:
    """Return the preprocessing of a model, or for any Keras model the sample rate of its front end.

    Raises:
        InputError: the declaration contradicts the model.
    """
    declared = Preprocessing.of(getattr(model, "preprocessing", None))
    found = front_end_preprocessing(model)
    return found if declared is None else declared.filled_from(found)


def front_end_preprocessing(model: keras.Model) -> Preprocessing | None:
    """Return the sample rate of the `LogMelSpectrogram` layers of a model; `None` without one."""
    layers = model._flatten_layers() if isinstance(model, keras.Layer) else ()
    rates = {layer.sample_rate for layer in layers if isinstance(layer, LogMelSpectrogram)}
    if len(rates) != 1:
        return None
    return Preprocessing(modality="speech", sample_rate=rates.pop(), value_range=(-1, 1))


def _checked(name, value):
    """Return the value of a field as a plain Python object; raises `InputError` unless it is valid."""
    rules = {
        "value_range": ("two finite numbers, (low, high) with low < high", _range),
        "image_size": ("(height, width), both at least 1", lambda v: _whole_numbers(v, 2)),
        "scale": ("a positive number", _positive),
        "level": (f"one of {', '.join(LEVELS)}", lambda v: v if v in LEVELS else None),
        "tokenization": ("a name", lambda v: v if isinstance(v, str) else None),
        "columns": ("a list of dicts, each with a name", _dicts),
        **dict.fromkeys(("dc_removed", "lowercase"), ("true or false", _boolean)),
        **dict.fromkeys(COUNTS, ("a whole number of at least 1", lambda v: _whole_numbers([v], 1))),
    }
    expected, convert = rules[name]
    try:
        found = convert(value)
    except (TypeError, ValueError):
        found = None
    if found is None:
        raise InputError(f"preprocessing: {name} must be {expected}. Received: {name}={value!r}")
    return found[0] if name in COUNTS else found


def _range(value):
    low, high = map(float, value)
    return (low, high) if low < high and math.isfinite(low) and math.isfinite(high) else None


def _whole_numbers(values, count):
    numbers = tuple(int(value) for value in values)
    whole = len(numbers) == count and all(n == v and n >= 1 for n, v in zip(numbers, values, strict=True))
    return numbers if whole else None


def _dicts(value):
    found = tuple(dict(column) for column in value)
    return found if found and all(isinstance(column.get("name"), str) for column in found) else None


def _positive(value):
    return float(value) if 0 < float(value) < math.inf else None


def _boolean(value):
    return bool(value) if value in (True, False) else None
