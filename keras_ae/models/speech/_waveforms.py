"""Waveforms of the frames that a speech model decodes."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae.audio.mel import mel_to_waveforms
from keras_ae.errors import InputError
from keras_ae.layers.speech.frame_normalization import FrameNormalization
from keras_ae.layers.speech.log_mel_spectrogram import LogMelSpectrogram


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
        if isinstance(layer, FrameNormalization):
            frames = layer.denormalize(frames)
        elif isinstance(layer, LogMelSpectrogram):
            return layer, frames
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
