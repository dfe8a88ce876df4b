"""Arithmetic on waveforms: sample rate, level, the numbers they are stored as."""

from math import gcd

import numpy as np

from keras_ae.errors import InputError

LEVELS = ("rms", "peak", None)
RMS = 0.05  # -26 dB below full scale, the usual level of speech
SILENCE = 1e-4  # largest amplitude that is taken as nothing said: three steps of 16 bits
MU = 255


def resampled(waveform: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """A waveform in [-1, 1] at another sample rate, by a polyphase filter; float32 `(samples,)`.

    What the filter makes ring beyond the range is clipped.

    Raises:
        ImportError: the rates differ, and scipy is not there.
    """
    if rate == new_rate:
        return waveform
    try:
        from scipy.signal import resample_poly
    except ImportError:
        raise ImportError("Changing the sample rate needs scipy: pip install 'keras-ae[audio]'") from None
    common = gcd(rate, new_rate)
    waveform = resample_poly(waveform, new_rate // common, rate // common)
    return np.clip(waveform, -1, 1).astype("float32")


def levelled(waveform: np.ndarray, level: str | None) -> np.ndarray:
    """A waveform scaled to one level: root mean square 0.05, or peak 1; `None`: as it is.

    No sample leaves [-1, 1]: a waveform with rare high peaks stays below that root mean
    square. Silence stays silence.

    Example:

    >>> float(np.abs(levelled(np.array([0.0, 0.1, -0.2], "float32"), "peak")).max())
    1.0
    """
    return (waveform * level_gain(waveform, level)).astype("float32")


def level_gain(waveform: np.ndarray, level: str | None) -> float:
    """The factor by which `levelled` multiplies.

    Example:

    >>> level_gain(np.array([0.0, 0.1, -0.2]), "peak")
    5.0
    """
    peak = float(np.abs(waveform).max(initial=0.0))
    if level is None or peak <= SILENCE:
        return 1.0
    if level == "peak":
        return 1 / peak
    return min(1 / peak, RMS / float(np.sqrt(np.mean(np.square(waveform, dtype="float64")))))


def check_level(level: str | None) -> None:
    """Raise an `InputError` where `level` is none of the known ones."""
    if level not in LEVELS:
        raise InputError(f'The level is "rms", "peak" or None. Received: {level!r}')


def float_waveform(samples: np.ndarray) -> np.ndarray:
    """Stored samples as float32 in [-1, 1].

    int16 and int32 are divided by their range, floats are as they are, uint8 is mu-law.
    Mu-law (ITU-T G.711, mu = 255, continuous form): `sign(y) ((1 + mu)^|y| - 1) / mu` with
    `y = 2 u / 255 - 1`.

    Example:

    >>> float_waveform(np.array([-32768, 16384], "int16")).tolist()
    [-1.0, 0.5]
    """
    if samples.dtype == np.uint8:
        y = np.arange(256, dtype="float32") / 127.5 - 1
        table = np.sign(y) * ((1 + MU) ** np.abs(y) - 1) / MU
        return table.astype("float32")[samples]
    if samples.dtype.kind == "i":
        return samples.astype("float32") / -float(np.iinfo(samples.dtype).min)
    return samples.astype("float32", copy=False)


def int16_samples(waveform: np.ndarray) -> np.ndarray:
    """A waveform in [-1, 1] as int16; beyond it is clipped."""
    return np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype("int16")
