"""Encoders made elsewhere behind the interface of this package: conversion of inputs, pooling of outputs."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders._artifact_outputs import embedding_names
from keras_ae.evaluation.encoders._image_inputs import ImageInputs, image_inputs
from keras_ae.evaluation.encoders._input_options import InputOptions
from keras_ae.evaluation.encoders._sequence_inputs import Part, SequenceInputs
from keras_ae.evaluation.encoders._token_inputs import TokenInputs
from keras_ae.evaluation.encoders._waveform_inputs import WaveformInputs

Conversion = ImageInputs | TokenInputs | WaveformInputs


@dataclass(frozen=True)
class AdaptedEncoder:
    """Encoder of named inputs, called with batches in the form of the data.

    Attributes:
        run: function from inputs to the embedding.
        pack: function from `{name: input}` to the inputs of `run`.
        conversion: from a batch to the named inputs.
        features_first: numbers of axes of an embedding with the features on axis 1; they are last otherwise.
    """

    run: Callable
    pack: Callable
    conversion: Conversion
    features_first: tuple[int, ...] = ()

    @classmethod
    def of(cls, run: Callable, pack: Callable, conversion: Conversion, function: Any) -> "AdaptedEncoder":
        """Return the encoder of an artifact, or of a Keras model if `function` is `None`."""
        if function is None:
            return cls(run, pack, conversion)
        return cls(run, pack, conversion, _features_first(function, getattr(conversion, "layout", "nhwc")))

    def parts(self, batch: Any) -> Iterator[tuple]:
        """Yield `(rows, embedding with features last, real positions or None)`."""
        for rows, named, real in self._named(batch):
            z = np.asarray(self.run(self.pack(named)), "float32")
            yield rows, np.moveaxis(z, 1, -1) if z.ndim in self.features_first else z, real

    def embed(self, batch: Any) -> np.ndarray:
        """Return the embedding `(batch, ...)`; shorter sequences are padded with zeros."""
        return _joined([(rows, z) for rows, z, _ in self.parts(batch)])

    def codes(self, encode: Callable | None) -> Callable | None:
        """Return the function from a batch to its codes, for one from inputs to codes."""
        if encode is None:
            return None

        def codes(batch):
            parts = [(rows, encode(self.pack(named))) for rows, named, _ in self._named(batch)]
            if not parts or parts[0][1] is None:
                return None
            return {level: _joined([(rows, found[level]) for rows, found in parts]) for level in parts[0][1]}

        return codes

    def reconstruct(self, decode: Callable | None, inverted: bool) -> Callable | None:
        """Return the function from a batch to its reconstruction, for one of inputs.

        Args:
            decode: function from inputs to reconstructions.
            inverted: whether these are in the form of the inputs, and must be converted to that of the data.
        """
        if decode is None or not isinstance(self.conversion, ImageInputs):
            return None
        images = self.conversion

        def reconstruct(batch):
            made = decode(self.pack(images(batch)))
            return images.inverse(made, batch) if inverted else made

        return reconstruct

    def pooled(self, batch: Any, pool: str) -> np.ndarray:
        """Return embeddings `(batch, features)`, pooled over the real positions of each example.

        Args:
            batch: as in `embed`.
            pool: "mean", "mean_and_deviation", or "auto": the mean, and for waveforms also the deviation.
        """
        both = pool == "mean_and_deviation" or (pool == "auto" and self.conversion.modality == "speech")
        return _joined([(rows, _pooled(z, real, both)) for rows, z, real in self.parts(batch)])

    def _named(self, batch) -> Iterator[Part]:
        if not isinstance(self.conversion, ImageInputs):
            yield from self.conversion.parts(batch)
        else:
            yield np.arange(len(batch)), self.conversion(batch), None


def _joined(parts):
    """Return the values of `(rows, values)` in the order of the rows; shorter ones are padded with zeros."""
    if len(parts) == 1:
        return parts[0][1]
    longest = np.max([values.shape[1:] for _, values in parts], axis=0, initial=0).tolist()
    joined = np.zeros((sum(len(rows) for rows, _ in parts), *longest), parts[0][1].dtype)
    for rows, values in parts:
        joined[(rows, *map(slice, values.shape[1:]))] = values
    return joined


def _pooled(z, real, both):
    """Return the mean, and with `both` also the standard deviation, over the positions of `z`."""
    if z.ndim < 3:
        return z
    z = z.reshape(len(z), -1, z.shape[-1])
    if real is None or real.shape == z.shape[:2]:
        weight = np.ones(z.shape[:2]) if real is None else real
    else:  # frames: the share of real positions is that of the input
        lengths = np.ceil(real.sum(axis=1) * z.shape[1] / real.shape[1])
        weight = np.arange(z.shape[1]) < lengths[:, None]
    return _mean_and_deviation(z, weight.astype("float32"), both)


def _mean_and_deviation(z, weight, both):
    count = np.maximum(weight.sum(axis=1), 1)[:, None]
    mean = (z * weight[..., None]).sum(axis=1) / count
    if not both:
        return mean
    variance = (np.square(z - mean[:, None]) * weight[..., None]).sum(axis=1) / count
    return np.concatenate([mean, np.sqrt(variance)], axis=1)


def conversion_of(
    inputs: Mapping[str, tuple] | None,
    options: InputOptions,
    known_range: tuple | None,
    assumed_layout: str | None,
) -> Conversion | None:
    """Return the conversion from data to the inputs of an encoder; `None`: data are passed as they are.

    Args:
        inputs: `{name: (shape, dtype)}` of the encoder; `None`: unknown.
        options: the options of `load_encoder`.
        known_range: range of the values of the inputs, if the encoder contains it.
        assumed_layout: layout of images if it is not given and the axes do not show it; `None`: it must be
            given.

    Raises:
        InputError: an option is not valid for these inputs.
    """
    if inputs is None:
        needed = [*options.of_images, *(["tokenizer"] if options.tokenizer else [])]
        if needed:
            raise InputError(
                f"{', '.join(needed)} must be used only with an encoder whose inputs are known: a file, or a "
                "functional Keras model. Received: another one. Convert its inputs in a function."
            )
        return None
    if options.tokenizer is not None:
        return TokenInputs(options.tokenizer, inputs)
    if options.sample_rate is not None:
        return WaveformInputs(inputs, options.sample_rate)
    name, (shape, dtype) = next(iter(inputs.items()))
    if len(inputs) == 1 and len(shape) == 4 and dtype is not None:
        return image_inputs(name, shape, dtype, options, known_range, assumed_layout)
    if options.of_images:
        received = ", ".join(f"{name} {shape}" for name, (shape, _) in inputs.items())
        raise InputError(
            f"{', '.join(options.of_images)} must be used only with an encoder of images, whose only input "
            f"has four axes. Received: {received}"
        )
    return None


def modality_of(inputs: Mapping[str, tuple]) -> str | None:
    """Return the kind of data that an encoder takes, as its inputs show it; `None`: unclear.

    Returns:
        "images", "text", "speech" for waveforms, or "ids", which a tokenizer makes of texts.

    Example:

    >>> modality_of({"x": ((None, 3, 32, 32), "float32")}), modality_of({"x": ((None, 1, None), "float32")})
    ('images', 'speech')
    """
    if any(dtype is None for _, dtype in inputs.values()):
        return "text"
    found = SequenceInputs.of(inputs)
    shape, dtype = (None, None) if found is None else inputs[found.x]
    if shape is None:
        return None
    if len(shape) == 2 and np.dtype(dtype).kind in "iu":
        return "ids"
    if (len(shape) == 2 and shape[1] is None) or (len(shape) == 3 and 1 in shape[1:]):
        return "speech"
    return "images" if len(shape) == 4 else None


def _features_first(function, layout):
    """Return the numbers of axes of an embedding whose axis 1 has the features.

    The operators of an ONNX file show it. Where they do not, maps have the layout of the input, and of three
    axes with a fixed axis 1 and a free axis 2 the latter is the position.
    """
    names = embedding_names(function)
    if len(names) != 1:  # unclear, or flattened and joined
        return ()
    shape, _ = function.outputs[names[0]]
    known = None if len(shape) in (1, 2) else function.features(names[0])
    if known is not None:
        return (3, 4) if known == "first" else ()
    frames = len(shape) == 3 and shape[1] is not None and shape[2] is None
    return (*([3] if frames else []), *([4] if layout == "nchw" else []))
