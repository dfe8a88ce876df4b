"""Loading of any encoder into the interface that the report requires."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # batches of strings

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders._adapting import AdaptedEncoder, Conversion, conversion_of, modality_of
from keras_ae.evaluation.encoders._artifact_outputs import (
    codes_function,
    embedding_function,
    reconstruction_function,
)
from keras_ae.evaluation.encoders._artifacts import open_artifact, preprocessing_in
from keras_ae.evaluation.encoders._image_inputs import ImageInputs
from keras_ae.evaluation.encoders._input_options import AUTO, InputOptions
from keras_ae.evaluation.encoders._keras_inputs import keras_batch, keras_input_range, keras_inputs
from keras_ae.evaluation.encoders._token_inputs import tokenizer_of
from keras_ae.evaluation.encoders.encoding import batch_function, encode_batches
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.models.endpoint import checked_input
from keras_ae.models.preprocessing import Preprocessing, preprocessing_of

BATCH = 256
GENERAL_CLASSES = ("Functional", "Sequential", "Model")  # of Keras: they do not name a model
AUTOMATIC_NAME = re.compile(r"(functional|sequential|model)(_\d+)?")
KINDS = {  # kinds of examples that are raw data of each modality
    "images": ("images",),
    "speech": ("waveforms",),
    "text": (),
    "values": ("images", "vectors", "sequences", "arrays"),
}
INPUT_OPTIONS = tuple(field.name for field in fields(InputOptions))  # arguments of `load_encoder`
ENDPOINTS = "a SavedModel or a directory of ONNX files"  # encoders that `endpoint` is valid for
WAVEFORMS = 16  # batch size of waveforms, whose encoders need memory for many frames of many channels


@dataclass(frozen=True)
class LoadedEncoder:
    """Encoder as `load_encoder` returns it.

    Attributes:
        kind: description of the kind of encoder, such as "Keras file".
        name: name of the model or the file.
        embed: function from a batch, or `{"x":, "lengths":}`, to its float embedding.
        codes: function from a batch to `{level: integer codes}`; `None` if the embedding is not discrete.
        num_values: `{level: number of values of a code}`, as far as known.
        reconstruct: function from a batch to its reconstruction; `None` if the encoder cannot decode.
        model: the Keras model of the embedding, which is traced; `None` if there is no such model.
        preprocessing: the steps from raw data to its inputs; `None`: unknown.
        inputs: `{name: (shape, dtype)}`, as far as known; the dtype of strings is `None`.
        conversion: conversion from the data to its inputs, for an encoder made elsewhere; `None`: batches are
            passed as they are.
        pooled: function from a batch and a `pool` of `ReportSettings` to embeddings `(batch, features)`;
            `None`: embeddings are not pooled by the encoder.
    """

    kind: str
    name: str
    embed: Callable
    codes: Callable | None = None
    num_values: dict | None = None
    reconstruct: Callable | None = None
    model: keras.Layer | None = None
    preprocessing: Preprocessing | None = None
    inputs: dict | None = None
    conversion: Conversion | None = None
    pooled: Callable | None = None

    @property
    def modality(self) -> str | None:
        """Kind of data: "images", "speech", "text", or "ids", which need a tokenizer; `None`: unknown."""
        if self.conversion is not None:
            return self.conversion.modality
        shown = None if self.inputs is None else modality_of(self.inputs)
        known = None if self.preprocessing is None else self.preprocessing.modality
        return shown if known in (None, "values") or shown == "ids" else known

    @property
    def image_shape(self) -> tuple[tuple[int, int] | None, int | None]:
        """Size and number of channels of images that the encoder takes; `None`: any."""
        if isinstance(self.conversion, ImageInputs):
            return self.conversion.image_size, self.conversion.channels
        known = self.preprocessing
        return (None, None) if known is None else (known.image_size, known.channels)


def load_encoder(
    encoder: str | os.PathLike | keras.Layer | Callable | LoadedEncoder,
    *,
    layer: str | None = None,
    endpoint: str | None = None,
    decode: Callable | None = None,
    output_name: str | None = None,
    layout: str | None = None,
    scale: float | None = None,
    input_range: tuple[float, float] | str | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    tokenizer: Callable | str | os.PathLike | None = None,
    sample_rate: int | None = None,
) -> LoadedEncoder:
    """Load an encoder from a model, a file or a function.

    Images `(examples, height, width, channels)` are transposed to the layout of the encoder's input and
    resized to its fixed size. With `scale`, `input_range`, `mean` or `std`, pixel values v become, with
    u = v / scale in [0, 1] and the range (low, high)::

        x = (low + (high - low) u - mean) / std

    Maps and tokens of encoders made elsewhere are pooled to their mean over positions, tokens by the mask.

    Args:
        encoder: a model of this package; any `keras.Model` or layer; a path to a `.keras` file,
            to a directory that contains `model.keras`, to a SavedModel or its version, or to an ONNX
            file or a directory of ONNX files; or a function from a batch to an array.
        layer: the layer of a functional Keras model whose output is the embedding; `None`: its
            only bottleneck of `keras_ae.layers`, else the output of the model. It is `output_name` for
            these models: pass one of them.
        endpoint: signature of a SavedModel, or name of an ONNX file; `None`: `encode`, else
            `serving_default`, else the only one.
        decode: function from embeddings to reconstructions, for an encoder without a decoder.
        output_name: the embedding: an output of a SavedModel, an output or an inner tensor of an ONNX
            file, or a layer of a functional Keras model.
        layout: "nchw" (channels first) or "nhwc" (channels last), the axes of the encoder's input of images;
            `None`: found from its fixed axes.
        scale: pixel value of the data that becomes 1; `None`: 255 for uint8 data, else 1.
        input_range: range of the encoder's inputs, to which images in [0, 1] are rescaled; "auto": the one
            that the encoder contains (`Rescaling` or `Normalization` at the beginning of a Keras model,
            inputs of integers; int8 needs its range), else (0, 1); `None`: "auto" if `scale`, `mean` or `std`
            is given, else the values are unchanged.
        mean, std: numbers that are subtracted from the inputs, and by which these are then divided: one, or
            one for each channel.
        tokenizer: function from a list of str to ids, for an encoder of ids and a mask: a list of integers
            for each text, or `{name: array}` with the names of the inputs; or the path of a
            `tokenizer.json` of the package `tokenizers`.
        sample_rate: sample rate in Hz of an encoder of waveforms.

    Raises:
        InputError: the path contains no encoder, the part that encodes is ambiguous, or an option is not
            valid for the encoder.
        ImportError: onnxruntime, onnx (for inner tensors) or tokenizers is not installed.

    Example:

    >>> load_encoder(lambda x: x[:, :2], decode=lambda z: z).kind
    'function'
    """
    options = InputOptions(
        output_name=output_name,
        layout=layout,
        scale=scale,
        input_range=input_range,
        mean=mean,
        std=std,
        tokenizer=tokenizer_of(tokenizer),
        sample_rate=sample_rate,
    )
    if isinstance(encoder, LoadedEncoder):
        return _unchanged(encoder, options, {"layer": layer, "endpoint": endpoint, "decode": decode})
    if layer is not None and output_name is not None:
        raise InputError(
            f"layer and output_name must not be given together. Received: {layer=}, {output_name=}. "
            "Both choose the embedding: pass one of them."
        )
    if isinstance(encoder, (str, os.PathLike)):
        return _of_path(Path(encoder), layer, endpoint, decode, options)
    if isinstance(encoder, keras.Layer) or callable(getattr(encoder, "embed", None)):
        return _of_model(encoder, type(encoder).__name__, layer, endpoint, decode, options)
    if callable(encoder):
        return _of_function(encoder, layer, endpoint, decode, options)
    raise InputError(
        "encoder must be a model, a path to a saved one, or a function of a batch. "
        f"Received: {type(encoder).__name__}"
    )


def _unchanged(encoder, options, others):
    given = [*options.given, *(name for name, value in others.items() if value is not None)]
    if given:
        raise InputError(
            f"{', '.join(given)} must be given to load_encoder. Received: an encoder that is loaded already"
        )
    return encoder


def _refused(name, value, valid, received):
    """Raise an error if an option is given that has no meaning for this kind of encoder."""
    if value is not None:
        raise InputError(f"{name} must be used only with {valid}. Received: {received}")


def _of_function(function, layer, endpoint, decode, options):
    _refused("layer", layer, "a functional Keras model", "a function")
    _refused("endpoint", endpoint, ENDPOINTS, "a function")
    _refused("output_name", options.output_name, "a model or a file", "a function")
    name = getattr(function, "__name__", type(function).__name__)
    loaded = LoadedEncoder("function", name, function, reconstruct=_through(function, decode))
    return _adapted(loaded, options, function)


def _of_path(path, layer, endpoint, decode, options):
    if not path.exists():
        raise InputError(f"{path} does not exist. It must be a .keras file, a SavedModel or an ONNX file.")
    if (path / "model.keras").is_file():
        path = path / "model.keras"
    if path.suffix == ".keras":
        return _of_model(_keras_model(path), path.name, layer, endpoint, decode, options, kind="Keras file")
    _refused("layer", layer, "a functional Keras model", f"{path}. Choose its output by output_name=")
    if path.suffix == ".onnx":
        _refused("endpoint", endpoint, ENDPOINTS, path)
    function, decoder = open_artifact(path, endpoint, options.output_name)
    kind = "ONNX file" if type(function).__name__ == "OnnxFunction" else "SavedModel"
    embed = embedding_function(function)
    loaded = LoadedEncoder(
        kind,
        path.name,
        embed,
        codes_function(function),
        reconstruct=_through(embed, decode) or reconstruction_function(function, decoder),
        preprocessing=preprocessing_in(path),
        inputs=function.inputs,
    )
    return _adapted(loaded, options, embed, function, inverted=decode is None)


def _adapted(loaded, options, run, function=None, pack=dict, known_range=None, inverted=False):
    """Return an encoder with the conversion of its inputs that it requires and `options` describe.

    Args:
        loaded: the encoder without a conversion.
        options: `InputOptions`.
        run: function from inputs to the embedding.
        function: the artifact; `None`: a Keras model or a function.
        pack: function from `{name: input}` to the inputs of `run`.
        known_range: range of the inputs, if the encoder contains it.
        inverted: whether reconstructions are in the form of the inputs.
    """
    known = loaded.preprocessing
    if options.sample_rate is not None:
        known = _with_rate(known, options.sample_rate)
        if loaded.preprocessing is not None or loaded.inputs is None:  # takes waveforms as data have them
            options = replace(options, sample_rate=None)
    if known is not None and known.value_range is not None and options.input_range == AUTO:
        options = replace(options, input_range=None)
    elif options.of_values and loaded.inputs is not None:
        known = None  # the given numbers hold, instead of the range that the encoder declares
    assumed_layout = "nhwc" if function is None else function.assumed_layout
    conversion = conversion_of(loaded.inputs, options, known_range, assumed_layout)
    if conversion is None:
        return replace(loaded, preprocessing=known)
    adapted = AdaptedEncoder.of(run, pack, conversion, function)
    own = loaded.preprocessing  # also if other numbers hold in place of its range
    elsewhere = own is None or own.modality == "speech" or options.output_name is not None
    return replace(
        loaded,
        preprocessing=known,
        conversion=conversion,
        embed=adapted.embed,
        codes=adapted.codes(loaded.codes),
        reconstruct=adapted.reconstruct(loaded.reconstruct, inverted),
        model=None,
        pooled=adapted.pooled if elsewhere else None,
    )


def _with_rate(known, rate):
    if known is None:
        return Preprocessing(modality="speech", sample_rate=rate)
    if known.sample_rate not in (None, rate):
        raise InputError(
            f"sample_rate must be that of the encoder, {known.sample_rate} Hz. Received: sample_rate={rate}"
        )
    return replace(known, sample_rate=rate)


def _keras_model(path):
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # damaged files raise many classes of errors
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is not a readable Keras model ({reason}).") from error


def _of_model(model, name, layer, endpoint, decode, options, kind="Keras model"):
    """Return the encoder of a Keras model, with a conversion of its inputs only if `options` ask for one."""
    _refused("endpoint", endpoint, ENDPOINTS, f"a {kind}. Choose its layer by layer=")
    if layer is not None:  # a layer is the output that the caller chooses
        options = replace(options, output_name=layer)
    loaded = _of_keras(model, name, options.output_name, decode, kind)
    loaded = replace(loaded, preprocessing=preprocessing_of(model), inputs=keras_inputs(model))
    if not options.given:
        return loaded
    return _adapted(
        loaded,
        options,
        batch_function(loaded.model),
        pack=lambda named: keras_batch(model, named),
        known_range=keras_input_range(model),
        inverted=decode is None,
    )


def _of_keras(model, name, layer, decode, kind):
    if layer is None and callable(getattr(model, "embed", None)):
        reconstruct = getattr(model, "reconstruct", None)
        reconstruct = _through(model.embed, decode) if decode else reconstruct
        codes, values = (model.encode, _values(model)) if getattr(model, "discrete", False) else (None, None)
        codes = None if codes is None else _by_level(codes)
        return LoadedEncoder(kind, _titled(model, name), model.embed, codes, values, reconstruct, model)
    part, bottleneck = _part(model, layer)
    embed = lambda x: part(x, training=False)  # noqa: E731
    reconstruct = _through(embed, decode)
    if part is not model and reconstruct is None and tuple(model.output_shape) == tuple(model.input_shape):
        reconstruct = lambda x: model(x, training=False)  # noqa: E731
    codes, values = None, None
    if bottleneck is not None:
        before = keras.Model(model.input, keras.tree.flatten(bottleneck.input)[0])
        codes, values = (
            _by_level(lambda x: bottleneck.encode(before(x, training=False))),
            _values_of(bottleneck),
        )
    return LoadedEncoder(kind, _titled(model, name), embed, codes, values, reconstruct, part)


def _part(model, layer):
    """Return `(model up to the embedding, its bottleneck from `keras_ae.layers` or None)`."""
    layers = getattr(model, "layers", [])
    functional = bool(getattr(model, "inputs", None))
    if layer is not None:
        names = [one.name for one in layers]
        if layer not in names or not functional:
            raise InputError(
                f"layer must be a layer of a functional model, one of {names}. Received: {layer=}"
            )
        chosen = model.get_layer(layer)
    else:
        found = [one for one in layers if isinstance(one, Bottleneck)] if functional else []
        if len(found) != 1:
            return model, None
        chosen = found[0]
    output = keras.tree.flatten(chosen.output)[0]
    return keras.Model(model.input, output), chosen if isinstance(chosen, Bottleneck) else None


def _through(embed, decode):
    return None if decode is None else lambda x: decode(embed(x))


def _by_level(encode):
    def codes(batch):
        found = encode(batch)
        found = found if isinstance(found, dict) else {"": found}
        return {level: np.asarray(value) for level, value in found.items()}

    return codes


def _values(model):
    model = getattr(model, "auto_encoder", model)
    if hasattr(model, "bottlenecks"):
        return {level: layer.num_values for level, layer in model.bottlenecks.items()}
    return _values_of(getattr(model, "bottleneck", None))


def _values_of(bottleneck):
    return {"": getattr(bottleneck, "num_values", None)}


def _titled(model, name):
    """Return the class of a model and its file; the own name of a model in place of a class of Keras."""
    own = type(model).__name__
    in_memory = name == own
    if own in GENERAL_CLASSES:
        own = model.name
        if AUTOMATIC_NAME.fullmatch(own) and not in_memory:
            return name
    return own if in_memory else f"{own} ({name})"


def embeddings_of(encoder: LoadedEncoder, examples: Any, pool: str = "none") -> np.ndarray:
    """Return the embedding of every example, `(examples, ...)`.

    Args:
        encoder: the encoder.
        examples: `Examples`.
        pool: pooling by an encoder that has `pooled`, which returns `(examples, features)`; other encoders
            ignore it.

    Raises:
        InputError: the examples are outside the range of values that the encoder expects, or have another
            sample rate.
    """
    known = encoder.preprocessing
    if known is not None and examples.kind == "waveforms":
        rates = known.sample_rate, examples.sample_rate
        if None not in rates and rates[0] != rates[1]:
            raise InputError(
                f"data must be sampled at {rates[0]} Hz, the rate of the encoder. Received: {rates[1]} Hz. "
                "Resample the waveforms."
            )
    if known is not None and known.value_range is not None and examples.kind in KINDS[known.modality]:
        checked_input("data", examples.array, "float32", known.value_range, examples.lengths)
    batch_size = WAVEFORMS if examples.kind == "waveforms" else BATCH
    function = encoder.model or encoder.embed
    if pool != "none" and encoder.pooled is not None:
        function = partial(encoder.pooled, pool=pool)
    return encode_batches(function, examples.data, batch_size=batch_size)


def in_batches(function: Callable, examples: Any, batch: int = BATCH) -> list:
    """Apply a function to batches of examples and return the list of its results."""
    parts = []
    for start in range(0, len(examples), batch):
        data = examples.take(np.arange(start, min(start + batch, len(examples)))).data
        parts.append(function(tf.constant(data) if isinstance(data, list) else data))
    return parts
