"""One audio file as a waveform."""

import os
import struct
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.training.datasets.waveforms import float_waveform

EXTENSIONS = (".wav", ".flac", ".ogg", ".mp3")
PCM, STREAMED = 1, 0xFFFFFF00  # format of a wav file; sizes from here on mean "until the end"


def read_audio(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """The waveform of a wav, flac, ogg or mp3 file and its sample rate.

    Channels are averaged. Floats beyond full scale are scaled to a peak of 1. 16-bit wav
    files need nothing but TensorFlow. The others are read by tensorflow-io where its
    kernels load (TensorFlow 2.16), else, and where it fails, by soundfile.

    Returns:
        Float32 `(samples,)` in [-1, 1], and samples of a second.

    Raises:
        ImportError: the file needs soundfile, which is not there.
        InputError: the file is missing, empty, damaged or cut short; the message names it.

    Example:

    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile(suffix=".wav") as file:
    ...     tone = tf.audio.encode_wav(tf.fill((800, 1), 0.5), 16_000)
    ...     _ = file.write(tone.numpy()), file.flush()
    ...     waveform, rate = read_audio(file.name)
    >>> waveform.shape, rate, round(float(waveform.max()), 3)
    ((800,), 16000, 0.5)
    """
    path = Path(path)
    try:
        if not path.stat().st_size:
            raise InputError(f"{path} is an empty file: replace or remove it.")
        samples, rate = _read_wav(path) if path.suffix.lower() == ".wav" else _read_coded(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: check its permissions.") from None
    if not len(samples) or rate < 1:
        raise InputError(f"{path} holds no samples: replace or remove it.")
    waveform = float_waveform(samples)
    if waveform.ndim == 2:
        waveform = waveform.mean(axis=1)
    if not np.isfinite(waveform).all():
        raise InputError(f"{path} holds values that are not numbers: replace or remove it.")
    return waveform / max(1.0, np.abs(waveform).max()), int(rate)


def _read_wav(path):
    contents = path.read_bytes()
    kind, bits = _wav_format(contents, path)
    if (kind, bits) == (PCM, 16):
        try:
            samples, rate = tf.audio.decode_wav(contents)
            return samples.numpy(), int(rate)
        except tf.errors.OpError:
            pass  # chunks that TensorFlow does not expect; soundfile knows more of them
    return _read_with_soundfile(path)


def _read_coded(path):
    tfio = tensorflow_io()
    if tfio is not None:
        try:
            audio = tfio.audio.AudioIOTensor(str(path))
            return audio.to_tensor().numpy(), int(audio.rate)
        except (tf.errors.OpError, ValueError):
            pass  # it knows no Opus, for example
    return _read_with_soundfile(path)


def _read_with_soundfile(path):
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the library libsndfile is missing
        raise ImportError(
            f"Reading {path} needs soundfile: pip install 'keras-ae[audio]', or convert it to 16-bit wav"
        ) from None
    try:
        return soundfile.read(path, dtype="float32")
    except soundfile.SoundFileError:
        raise InputError(
            f"{path} is not readable {path.suffix[1:].lower()} audio, perhaps damaged or cut short: "
            "replace or remove it."
        ) from None


@cache
def tensorflow_io():
    """tensorflow-io where its compiled kernels load, else `None`.

    On a TensorFlow it was not built for, its import warns, and its kernels raise when they
    are used: neither shall reach somebody who never asked for it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import tensorflow_io as tfio

            tfio.audio.decode_flac(b"", dtype=tf.int16)
        except (ImportError, NotImplementedError, OSError):
            return None
        except tf.errors.OpError:
            pass  # the kernel is there, and says that nothing is no flac
    return tfio


def _wav_format(contents, path):
    """`(format, bits)` of a RIFF file; an `InputError` where there is less audio than it says.

    libsndfile reads what is left of a file that was cut short and says nothing.
    """
    damaged = InputError(
        f"{path} is not readable wav audio, perhaps damaged or cut short: replace or remove it."
    )
    if len(contents) < 12 or contents[:4] not in (b"RIFF", b"RIFX", b"RF64") or contents[8:12] != b"WAVE":
        raise damaged
    order = ">" if contents[:4] == b"RIFX" else "<"
    kind, place = None, 12
    while place + 8 <= len(contents):
        name, size = struct.unpack(f"{order}4sI", contents[place : place + 8])
        place += 8
        if name == b"fmt " and place + 16 <= len(contents):
            kind, *_, bits = struct.unpack(f"{order}HHIIHH", contents[place : place + 16])
        if name == b"data":
            if kind is None or (size < STREAMED and place + size > len(contents)):
                raise damaged
            return (kind, bits) if order == "<" else (None, bits)
        place += size + size % 2
    raise damaged
