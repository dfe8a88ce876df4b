"""Waveforms as wav files."""

import io
import os
import wave

import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import write_atomically


def wav_bytes(waveform: np.ndarray, sample_rate: int) -> bytes:
    """Return a mono wav file with 16 bits per sample.

    Args:
        waveform: `(samples,)` in [-1, 1]; values beyond are clipped.
        sample_rate: sample rate in Hz.

    Raises:
        InputError: for another shape, or samples that are not finite.

    Example:

    >>> len(wav_bytes(np.zeros(100), 16000))
    244
    """
    waveform = np.asarray(waveform, "float32")
    if waveform.ndim != 1 or not np.isfinite(waveform).all():
        raise InputError(
            "The waveform of a wav file must have the shape (samples,) and finite values. Received: "
            f"shape {waveform.shape}, {np.count_nonzero(~np.isfinite(waveform))} values that are not finite"
        )
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(np.round(waveform.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return file.getvalue()


def write_wav(path: str | os.PathLike, waveform: np.ndarray, sample_rate: int) -> None:
    """Write `wav_bytes(waveform, sample_rate)` to a file."""
    write_atomically(path, wav_bytes(waveform, sample_rate))
