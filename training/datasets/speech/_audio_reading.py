"""Reading of one audio file as a waveform."""

import io
import math
import os
import re
import struct
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.training.datasets.speech.waveforms import float_waveform

EXTENSIONS = (".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif", ".aifc", ".au", ".sph", ".opus", ".oga")
WAVES = (b"RIFF", b"RIFX", b"RF64")
STARTS_OF = {".flac": b"fLaC", ".ogg": b"OggS", ".mp3": b"ID3"}
STARTS = (b"fLaC", b"OggS", b"NIST_1A", b".snd", b"ID3")
PCM = 1  # code of this format in wav files
STREAMED = 0x7FFFF000, 0xFFFFFF00  # sizes that SoX and FFmpeg write for "until the end"
STREAMED_AIFF = 0x7F000000  # the same in aiff files, for this size and above
UNKNOWN_AU = 0xFFFFFFFF  # the same in au files
SHORTEST_HEADER = 12  # bytes
SPHERE_SIZES = ("sample_count", "sample_n_bytes", "channel_count")


def read_audio(path: str | os.PathLike) -> tuple[np.ndarray, int]:
    """Return the waveform of an audio file and its sample rate.

    The content determines the format, whatever the extension: wav, flac, ogg, mp3, and other formats
    that soundfile supports, such as aiff and NIST SPHERE. Channels are averaged. Floats beyond full scale
    are scaled to a peak of 1. 16-bit wav files require only TensorFlow. Other files are read by
    tensorflow-io if its kernels load (TensorFlow 2.16), and otherwise, or if it fails, by soundfile.

    Returns:
        the waveform, float32 `(samples,)` in [-1, 1], and the sample rate in Hz.

    Raises:
        ImportError: the file needs soundfile, which is not installed.
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
        samples, rate = _read(path)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist.") from None
    except PermissionError:
        raise InputError(f"{path} cannot be read: check its permissions.") from None
    if not len(samples) or rate < 1:
        raise InputError(f"{path} contains no samples: replace or remove it.")
    waveform = float_waveform(samples)
    if waveform.ndim == 2:
        waveform = waveform.mean(axis=1)
    if not np.isfinite(waveform).all():
        raise InputError(f"{path} contains values that are not numbers: replace or remove it.")
    return waveform / max(1.0, np.abs(waveform).max()), int(rate)


def is_audio(start: bytes) -> bool:
    """Return whether a file with these first bytes is audio of a supported kind."""
    riff = start[:4] in WAVES and start[8:12] == b"WAVE"
    aiff = start[:4] == b"FORM" and start[8:11] == b"AIF"
    return riff or aiff or start.startswith(STARTS) or _is_mp3_frame(start)


def _is_mp3_frame(start):
    """Return whether a frame of MPEG audio, layer III, begins here: 11 bits of 1, any version, layer 01."""
    return len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0 and start[1] & 6 == 2


def _starts_as(suffix, contents):
    return contents.startswith(STARTS_OF[suffix]) or (suffix == ".mp3" and _is_mp3_frame(contents))


def _read(path):
    contents = path.read_bytes()
    if contents[:4] in WAVES and contents[8:12] == b"WAVE":
        return _read_wav(contents, path)
    if not is_audio(contents) and path.suffix.lower() == ".wav":
        raise _damaged(path)
    _check_length(contents, path)
    return _read_coded(contents, path)


def _read_wav(contents, path):
    (kind, bits), contents = _wav_format(contents, path)
    if (kind, bits) == (PCM, 16):
        try:
            samples, rate = tf.audio.decode_wav(contents)
            return samples.numpy(), int(rate)
        except tf.errors.OpError:
            pass  # chunks that TensorFlow does not support; soundfile supports more of them
    return _read_with_soundfile(contents, path)


def _read_coded(contents, path):
    tfio, suffix = tensorflow_io(), path.suffix.lower()
    if tfio is not None and suffix in STARTS_OF and _starts_as(suffix, contents):
        try:
            audio = tfio.audio.AudioIOTensor(str(path))
            return audio.to_tensor().numpy(), int(audio.rate)
        except (tf.errors.OpError, ValueError):
            pass  # tensorflow-io does not support Opus, for example
    return _read_with_soundfile(contents, path)


def _read_with_soundfile(contents, path):
    try:
        import soundfile
    except (ImportError, OSError):  # OSError: the library libsndfile is missing
        raise ImportError(
            f"Reading {path} requires soundfile: pip install 'keras-ae[audio]', or convert it to 16-bit wav"
        ) from None
    try:
        return soundfile.read(io.BytesIO(contents), dtype="float32")
    except soundfile.SoundFileError:
        raise _damaged(path) from None


def _damaged(path):
    kind = path.suffix[1:].lower()
    return InputError(
        f"{path} is not readable {f'{kind} ' if kind else ''}audio, perhaps damaged or cut short: "
        "replace or remove it."
    )


@cache
def tensorflow_io():
    """Return tensorflow-io if its compiled kernels load, otherwise `None`.

    With a TensorFlow version it was not built for, its import warns and its kernels raise when they are
    used. Both are suppressed, because the user did not request tensorflow-io.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import tensorflow_io as tfio

            tfio.audio.decode_flac(b"", dtype=tf.int16)
        except (ImportError, NotImplementedError, OSError):
            return None
        except tf.errors.OpError:
            pass  # the kernel is available: it reports that empty contents are not flac
    return tfio


def _wav_format(contents, path):
    """Return `((format, bits), contents)` of a RIFF file; raise an `InputError` if audio data are missing.

    Audio data are missing if there are fewer than the header states: libsndfile reads the rest of a file
    that was cut short without an error. Programs that write into a pipe cannot write the size; in the
    returned contents it is then set to the number of bytes that follow.
    """
    order = ">" if contents[:4] == b"RIFX" else "<"
    kind, place = None, 12
    while place + 8 <= len(contents):
        name, size = struct.unpack(f"{order}4sI", contents[place : place + 8])
        place += 8
        if name == b"fmt " and place + 16 <= len(contents):
            kind, *_, bits = struct.unpack(f"{order}HHIIHH", contents[place : place + 16])
        if name == b"data":
            there = len(contents) - place
            if kind is not None and contents[:4] != b"RF64" and _is_unknown(size, contents[place:]):
                size = there
                contents = contents[: place - 4] + struct.pack(f"{order}I", there) + contents[place:]
            if kind is None or (contents[:4] != b"RF64" and size > there):
                raise _damaged(path)
            return ((kind, bits) if order == "<" else (None, bits)), contents
        place += size + size % 2
    raise _damaged(path)


def _is_unknown(size, following):
    """Return whether a wav file was written without its size: the markers of SoX and FFmpeg, or 0."""
    if size == 0:
        other_chunk = len(following) >= 8 and struct.unpack("<I", following[4:8])[0] <= len(following) - 8
        return bool(following) and not (other_chunk and following[:4].isalnum())
    return size >= STREAMED[1] or STREAMED[0] <= size < 0x80000000


def _check_length(contents, path):
    """Raise an `InputError` for an aiff, au or NIST SPHERE file with less audio than its header states."""
    if len(contents) < SHORTEST_HEADER:
        raise _damaged(path)
    if contents[:4] == b"FORM":
        size = struct.unpack(">I", contents[4:8])[0]
        if len(contents) - 8 < size < STREAMED_AIFF:  # if the size is unknown, libsndfile reads to the end
            raise _damaged(path)
    if contents[:4] == b".snd":
        start, size = struct.unpack(">II", contents[4:12])
        if size != UNKNOWN_AU and start + size > len(contents):
            raise _damaged(path)
    if contents.startswith(b"NIST_1A"):
        _check_sphere(contents, path)


def _check_sphere(contents, path):
    start = contents[8:16].strip()
    if not start.isdigit():
        raise _damaged(path)
    header = contents[: int(start)].decode("ascii", "replace")
    sizes = [re.search(rf"{name} -i (\d+)", header) for name in SPHERE_SIZES]
    if None not in sizes and "shorten" not in header:
        audio = math.prod(int(size[1]) for size in sizes)
        if int(start) + audio > len(contents):
            raise _damaged(path)
