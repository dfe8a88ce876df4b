"""Loading of any encoder into the interface that the report requires."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf  # batches of strings

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders._artifacts import open_artifact, preprocessing_in, run_batch
from keras_ae.evaluation.encoders.encoding import encode_batches
from keras_ae.layers.bottlenecks.bottleneck import Bottleneck
from keras_ae.models.endpoint import checked_input
from keras_ae.models.preprocessing import Preprocessing, preprocessing_of

BATCH = 256
KINDS = {  # kinds of examples that are raw data of each modality
    "images": ("images",),
    "speech": ("waveforms",),
    "text": (),
    "values": ("images", "vectors", "sequences", "arrays"),
}
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
    """

    kind: str
    name: str
    embed: Callable
    codes: Callable | None = None
    num_values: dict | None = None
    reconstruct: Callable | None = None
    model: keras.Layer | None = None
    preprocessing: Preprocessing | None = None


def load_encoder(
    encoder: str | os.PathLike | keras.Layer | Callable | LoadedEncoder,
    *,
    layer: str | None = None,
    endpoint: str | None = None,
    decode: Callable | None = None,
) -> LoadedEncoder:
    """Load an encoder from a model, a file or a function.

    Args:
        encoder: a model of this package; any `keras.Model` or layer; a path to a `.keras` file,
            to a directory that contains `model.keras`, to a SavedModel or its version, or to an ONNX
            file or a directory of ONNX files; or a function from a batch to an array.
        layer: the layer of a functional Keras model whose output is the embedding; `None`: its
            only bottleneck of `keras_ae.layers`, else the output of the model.
        endpoint: signature of a SavedModel, or name of an ONNX file; `None`: `encode`, else
            the only one.
        decode: function from embeddings to reconstructions, for an encoder without a decoder.

    Raises:
        InputError: the path contains no encoder, or the part that encodes is ambiguous.

    Example:

    >>> load_encoder(lambda x: x[:, :2], decode=lambda z: z).kind
    'function'
    """
    if isinstance(encoder, LoadedEncoder):
        return encoder
    if isinstance(encoder, (str, os.PathLike)):
        return _of_path(Path(encoder), layer, endpoint, decode)
    if isinstance(encoder, keras.Layer) or callable(getattr(encoder, "embed", None)):
        return _described(_of_model(encoder, type(encoder).__name__, layer, decode), encoder)
    if callable(encoder):
        name = getattr(encoder, "__name__", type(encoder).__name__)
        return LoadedEncoder("function", name, encoder, reconstruct=_through(encoder, decode))
    raise InputError(
        "encoder must be a model, a path to a saved one, or a function of a batch. "
        f"Received: {type(encoder).__name__}"
    )


def _of_path(path, layer, endpoint, decode):
    if not path.exists():
        raise InputError(f"{path} does not exist. It must be a .keras file, a SavedModel or an ONNX file.")
    if (path / "model.keras").is_file():
        path = path / "model.keras"
    if path.suffix == ".keras":
        model = _keras_model(path)
        return _described(_of_model(model, path.name, layer, decode, kind="Keras file"), model)
    function, decoder = open_artifact(path, endpoint)
    kind = (
        "ONNX file" if path.suffix == ".onnx" or type(function).__name__ == "OnnxFunction" else "SavedModel"
    )
    loaded = _of_artifact(function, decoder, kind, path, decode)
    return replace(loaded, preprocessing=preprocessing_in(path))


def _described(loaded, model):
    return replace(loaded, preprocessing=preprocessing_of(model))


def _keras_model(path):
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # damaged files raise many classes of errors
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is not a readable Keras model ({reason}).") from error


def _of_model(model, name, layer, decode, kind="Keras model"):
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


def _of_artifact(function, decoder, kind, path, decode):
    def embed(batch):
        return _embedding_in(run_batch(function, _named(batch, function)))

    def codes(batch):
        outputs = run_batch(function, _named(batch, function))
        found = {
            name.removesuffix("codes").strip("_"): value
            for name, value in outputs.items()
            if name.endswith("codes")
        }
        return found or None

    reconstruct = _through(embed, decode)
    if reconstruct is None and decoder is not None:

        def reconstruct(batch):
            outputs = run_batch(function, _named(batch, function))
            if not set(decoder.inputs) <= set(outputs):
                raise InputError(
                    f"The inputs of `decode` must be outputs of the encoder, {sorted(outputs)}. Received: "
                    f"{sorted(decoder.inputs)}. Pass decode=, a function from embeddings to reconstructions."
                )
            given = {name: outputs[name] for name in decoder.inputs}
            return _reconstruction_in(run_batch(decoder, given))

    return LoadedEncoder(kind, path.name, embed, codes, None, reconstruct)


def _embedding_in(outputs):
    """Return the embedding in a dict of outputs: those with that name, or the only one of floats."""
    named = [name for name in outputs if name == "embedding" or name.endswith("_embedding")]
    floats = [name for name, value in outputs.items() if np.asarray(value).dtype.kind == "f"]
    names = named or (list(outputs) if len(outputs) == 1 else floats)
    if not named and len(names) != 1:
        raise InputError(
            "The encoder must have an output `embedding`, or only one output. "
            f"Received: {', '.join(sorted(outputs))}. Wrap it in a function that returns the embedding."
        )
    values = [np.asarray(outputs[name], "float32") for name in sorted(names, reverse=True)]
    if len(values) == 1:
        return values[0]
    return np.concatenate([value.reshape(len(value), -1) for value in values], axis=1)


def _reconstruction_in(outputs):
    """Return the reconstruction in a dict of outputs: the one with that name, or the only one of floats."""
    floats = [name for name, value in outputs.items() if np.asarray(value).dtype.kind == "f"]
    names = ["reconstruction"] if "reconstruction" in outputs else floats
    if len(names) != 1:
        raise InputError(
            "`decode` must have an output `reconstruction`, or only one output of floats. "
            f"Received: {', '.join(sorted(outputs))}. Pass decode=, a function from embeddings to "
            "reconstructions."
        )
    return outputs[names[0]]


def _named(batch, function):
    """Return a batch as the inputs of an artifact, with their names and dtypes."""
    names = list(function.inputs)
    batch = batch if isinstance(batch, dict) else {"x" if "x" in names else names[0]: batch}
    if set(batch) != set(names):
        raise InputError(f"The inputs of the encoder must be {sorted(names)}. Received: {sorted(batch)}")
    return {name: _typed(name, value, function.inputs[name][1]) for name, value in batch.items()}


def _typed(name, value, dtype):
    if dtype is None:
        return np.asarray([_text(one) for one in np.asarray(value).ravel()], object)
    dtype = np.dtype(dtype)
    known = dtype.kind in "fiub"
    return checked_input(f"Input `{name}` of the encoder", value, dtype.name) if known else value


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


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
    own = type(model).__name__
    return own if name == own else f"{own} ({name})"


def embeddings_of(encoder: LoadedEncoder, examples: Any) -> np.ndarray:
    """Return the embedding of every example, `(examples, ...)`.

    Raises:
        InputError: the examples are outside the range of values that the encoder expects.
    """
    known = encoder.preprocessing
    if known is not None and known.value_range is not None and examples.kind in KINDS[known.modality]:
        checked_input("data", examples.array, "float32", known.value_range, examples.lengths)
    batch_size = WAVEFORMS if examples.kind == "waveforms" else BATCH
    return encode_batches(encoder.model or encoder.embed, examples.data, batch_size=batch_size)


def in_batches(function: Callable, examples: Any, batch: int = BATCH) -> list:
    """Apply a function to batches of examples and return the list of its results."""
    parts = []
    for start in range(0, len(examples), batch):
        data = examples.take(np.arange(start, min(start + batch, len(examples)))).data
        parts.append(function(tf.constant(data) if isinstance(data, list) else data))
    return parts
