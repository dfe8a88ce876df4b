"""What there is in many audio files, found by decoding them once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets.audio_reading import read_audio, tensorflow_io
from keras_ae.training.datasets.progress import progress_of
from keras_ae.training.datasets.waveforms import silence_of

SHORTEST = 0.01  # seconds: less holds no frame of speech
FULL_SCALE, CLIPPED_SHARE = 0.999, 0.001
THREADS = 4  # decoders do their work outside of Python's lock


@dataclass(frozen=True)
class SurveyedFile:
    """What there is in an audio file.

    Attributes:
        samples: their number; 0 if the file cannot be used.
        rate: samples of a second.
        reason: why it cannot be used or is suspicious, in a few words; empty if nothing is wrong.
        problem: the same as a line that names the file.
    """

    samples: int
    rate: int
    reason: str = ""
    problem: str = ""


def survey_audio(paths: Sequence[Path]) -> list[SurveyedFile]:
    """What there is in each file.

    Every file is decoded once, in parallel: headers would miss files that are cut short.
    The problem of a file that can be used, and is suspicious, begins with "kept".

    Args:
        paths: of the files.

    Raises:
        ImportError: a file needs soundfile, which is not there.
    """
    tensorflow_io()  # found out before there are threads: it silences warnings for all of them
    show, found = progress_of(len(paths), "audio files", "file"), []
    with ThreadPoolExecutor(THREADS) as pool:
        for row in pool.map(_survey, paths):
            found.append(row)
            show(len(found))
    return found


def _survey(path):
    try:
        waveform, rate = read_audio(path)
    except InputError as error:
        return SurveyedFile(0, 0, "unreadable", f"left out: {error}")
    if len(waveform) < SHORTEST * rate:
        samples = "1 sample" if len(waveform) == 1 else f"{len(waveform)} samples"
        problem = f"left out: {path} holds {samples} at {rate} Hz, less than {SHORTEST:g} seconds."
        return SurveyedFile(0, 0, f"shorter than {SHORTEST:g} s", problem)
    return SurveyedFile(len(waveform), rate, *_suspicion(path, waveform))


def _suspicion(path, waveform):
    if reason := silence_of(waveform):
        return reason, f"kept: {path} is {reason}."
    clipped = float((np.abs(waveform) >= FULL_SCALE).mean())
    if clipped > CLIPPED_SHARE:
        return "clipped", f"kept: {path} is clipped, {clipped:.1%} of its samples are at full scale."
    return "", ""
