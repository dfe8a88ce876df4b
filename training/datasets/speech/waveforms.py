"""Operations on waveforms: sample rate, level, and number format."""

from math import gcd

import numpy as np

from keras_ae.errors import InputError

LEVELS = ("rms", "peak", None)
RMS = 0.05  # -26 dB below full scale, the usual level of speech
SILENCE = 1e-4  # largest amplitude that counts as silence: three steps of 16 bits
NEAR_SILENCE = 1e-3  # largest amplitude that levelling would amplify to noise: -60 dB
MU = 255


def resampled(waveform: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """Resample a waveform in [-1, 1] with a polyphase filter; return float32 `(samples,)`.

    Ringing of the filter beyond [-1, 1] is clipped.

    Raises:
        ImportError: the rates differ, and scipy is not installed.
    """
    if rate == new_rate:
        return waveform
    try:
        from scipy.signal import resample_poly
    except ImportError:
        raise ImportError("Changing the sample rate requires scipy: pip install 'keras-ae[audio]'") from None
    common = gcd(rate, new_rate)
    waveform = resample_poly(waveform, new_rate // common, rate // common)
    return np.clip(waveform, -1, 1).astype("float32")


def levelled(waveform: np.ndarray, level: str | None) -> np.ndarray:
    """Scale a waveform to a level: "rms", root mean square 0.05; "peak", peak 1; `None`: unchanged.

    A constant offset (DC) is inaudible and is removed first. No sample leaves [-1, 1]: a waveform with
    rare high peaks stays below that root mean square. Silence is not amplified.

    Example:

    >>> float(np.abs(levelled(np.array([0.0, 0.1, -0.1], "float32"), "peak")).max())
    1.0
    """
    offset, gain = level_of(waveform, level)
    return ((waveform - offset) * gain).astype("float32")


def level_of(waveform: np.ndarray, level: str | None) -> tuple[float, float]:
    """Return `(offset, gain)`: `levelled` subtracts the offset and multiplies by the gain.

    Example:

    >>> level_of(np.array([0.25, 0.5, 0.75, 0.5]), "peak")
    (0.5, 4.0)
    """
    if level is None or not len(waveform):
        return 0.0, 1.0
    offset = float(np.mean(waveform, dtype="float64"))
    sound = np.asarray(waveform, "float64") - offset
    peak = float(np.abs(sound).max())
    if peak <= SILENCE:
        return offset, 1.0
    if level == "peak":
        return offset, 1 / peak
    return offset, min(1 / peak, RMS / float(np.sqrt(np.mean(np.square(sound)))))


def silence_of(waveform: np.ndarray) -> str:
    """Return "silent" or "nearly silent" for a waveform that is inaudible without its offset, otherwise "".

    The largest amplitude of these is at most 0.0001 (three steps of 16 bits), or 0.001 (-60 dB).

    Example:

    >>> silence_of(np.full(100, 0.3)), silence_of(np.array([0.0005, -0.0005])), silence_of(np.array([0.1, 0]))
    ('silent', 'nearly silent', '')
    """
    sound = np.asarray(waveform, "float64")
    peak = float(np.abs(sound - sound.mean()).max()) if len(sound) else 0.0
    return "silent" if peak <= SILENCE else "nearly silent" if peak <= NEAR_SILENCE else ""


def check_level(level: str | None) -> None:
    """Raise an `InputError` if `level` is unknown."""
    if level not in LEVELS:
        raise InputError(f'level must be "rms", "peak" or None. Received: level={level!r}')


def float_waveform(samples: np.ndarray) -> np.ndarray:
    """Convert stored samples to float32 in [-1, 1].

    int16 and int32 are divided by their range, floats are unchanged, uint8 is mu-law.
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
    """Convert a waveform in [-1, 1] to int16; values outside are clipped."""
    return np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype("int16")
