"""Waveforms of the frames that a speech model decodes, and the functions of a voice converter for export."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.audio.mel import mel_to_waveforms, waveforms_of_frames
from keras_ae.errors import InputError, embedding_rows
from keras_ae.layers.speech.log_mel_spectrogram import LogMelSpectrogram
from keras_ae.models.endpoint import Endpoint, with_labels
from keras_ae.ops.sequences import mask_of, samples_per_frame

FRAMES = 10  # with two or three, a deviation may be so small that it amplifies rounding from 1e-7 to 1e-3


def log_mel_frames(front_end: Any, frames: Any, name: str) -> tuple[LogMelSpectrogram, Any]:
    """Return `(the LogMelSpectrogram of a front end, frames without their normalisation)`.

    Args:
        front_end: model from waveforms to frames, or `None`.
        frames: `(batch, frames, mels)`, normalised as by the front end.
        name: name of the front end, for the message.

    Raises:
        InputError: the front end has no `LogMelSpectrogram`, or a layer after it that cannot be inverted.
    """
    layers = [] if front_end is None else front_end.layers
    layers = [layer for layer in layers if not isinstance(layer, keras.layers.InputLayer)]
    for layer in reversed(layers):
        if isinstance(layer, LogMelSpectrogram):
            return layer, frames
        if hasattr(layer, "denormalize"):  # such as FrameNormalization
            frames = layer.denormalize(frames)
        else:
            break
    received = ", ".join(type(layer).__name__ for layer in layers)
    raise InputError(
        f"{name} must consist of LogMelSpectrogram and FrameNormalization to convert frames to waveforms. "
        f"Received: {received or 'none'}. "
        f"Use a model with {name}=networks.front_end([LogMelSpectrogram(), FrameNormalization()])."
    )


def inverted_frames(front_end: Any, frames: Any, name: str, lengths: Any, iterations: int) -> np.ndarray:
    """Return waveforms `(batch, samples)` float32 of frames; the arguments are those of `to_waveform`."""
    mel, frames = log_mel_frames(front_end, frames, name)
    frames = ops.convert_to_numpy(ops.cast(frames, "float32"))
    return mel_to_waveforms(frames, mel, lengths, iterations)


def conversion_endpoints(model) -> dict[str, Endpoint]:
    """Return the endpoints of a `VoiceConverter`.

    `encode`, `content` and `reconstruct` take `x` and `lengths`, `decode` takes an `embedding` and
    `code_lengths`, and `convert` takes a source `x`, `lengths` and a target: `target` and `target_lengths`.
    Without a speaker encoder, the integer `speaker` replaces the target, and is a further input of `decode`
    and `reconstruct`; with one, `speaker` is also an endpoint. With a front end of log-mel frames,
    `convert_waveform` returns waveforms.
    """
    inputs, number = _utterances(model, "x", "lengths"), {}
    wanted = _utterances(model, "target", "target_lengths")
    channels = model.content_dim
    if model.speaker_encoder is None:
        wanted = number = {"speaker": tf.TensorSpec((None,), tf.int32, name="speaker")}
    else:
        channels += model.speaker_dim
    code = {
        "embedding": tf.TensorSpec((None, None, channels), tf.float32, name="embedding"),
        "code_lengths": tf.TensorSpec((None,), tf.int32, name="code_lengths"),
    }
    functions = _functions(model)
    table = {
        "serving_default": Endpoint(functions["encode"], inputs, ("saved_model",)),
        "encode": Endpoint(functions["encode"], inputs),
        "content": Endpoint(functions["content"], inputs),
        "decode": Endpoint(functions["decode"], {**code, **number}),
        "reconstruct": Endpoint(functions["reconstruct"], {**inputs, **number}),
        "convert": Endpoint(functions["convert"], {**inputs, **wanted}),
    }
    if model.speaker_encoder is not None:
        table["speaker"] = Endpoint(functions["speaker"], inputs)
    layers = [] if model.front_end is None else model.front_end.layers
    if any(isinstance(layer, LogMelSpectrogram) for layer in layers):
        # A SavedModel only: Fourier transforms cannot be converted to ONNX.
        options = {**inputs, **wanted}
        table["convert_waveform"] = Endpoint(functions["convert_waveform"], options, ("saved_model",))
    samples = 1 if model.front_end is None else samples_per_frame(model.front_end)
    table = {
        name: replace(endpoint, unit=FRAMES * samples if "x" in endpoint.inputs else FRAMES)
        for name, endpoint in table.items()
    }
    return with_labels(table, "speaker", embedding_rows(model.decoder))


def _utterances(model, name, lengths):
    return {
        name: tf.TensorSpec((None, *model.sample_shape), tf.float32, name=name),
        lengths: tf.TensorSpec((None,), tf.int32, name=lengths),
    }


def _functions(model):
    def encode(**x):
        embedding = model.encode(x)
        return {"embedding": embedding, "code_lengths": _count(embedding)}

    def content(**x):
        found = model.content(x)
        return {"content": found, "code_lengths": _count(found)}

    def speaker(**x):
        return {"speaker": model.speaker(x)}

    def decode(embedding, code_lengths, speaker=None):
        return {"reconstruction": model.decode(embedding, code_lengths, speaker)}

    def reconstruct(**x):
        frames = model.reconstruct(x)
        return {"reconstruction": frames, "frame_lengths": _count(frames)}

    def convert(x, lengths, speaker=None, target=None, target_lengths=None):
        wanted = {"x": target, "lengths": target_lengths} if speaker is None else speaker
        frames = model.convert({"x": x, "lengths": lengths}, wanted)
        return {"converted": frames, "frame_lengths": _count(frames)}

    def convert_waveform(**inputs):
        found = convert(**inputs)
        mel, frames = model.log_mel(found["converted"])
        waveform = waveforms_of_frames(frames, found["frame_lengths"], mel)
        return {
            "waveform": waveform,
            "waveform_lengths": ops.maximum(0, found["frame_lengths"] - 1) * mel.hop,
        }

    found = (encode, content, speaker, decode, reconstruct, convert, convert_waveform)
    return {function.__name__: function for function in found}


def _count(tensor):
    """Return the number of real positions of each example, from the mask of the tensor."""
    return ops.sum(ops.cast(mask_of(tensor), "int32"), axis=1)
