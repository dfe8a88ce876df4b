"""From what a user names to a reader of speech."""

import os
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.training.datasets.espeak import read_espeak
from keras_ae.training.datasets.speech_folder import read_speech_folder
from keras_ae.training.datasets.speech_npz import read_speech_npz
from keras_ae.training.datasets.speech_source import SpeechSource

SOURCES = '"espeak", a folder of wav, flac, ogg or mp3 files, or an .npz file'


def open_speech(source: str | os.PathLike | None, sample_rate: int | None = None, **espeak) -> SpeechSource:
    """Open any of the sources that `load_speech` names.

    Args:
        source: the source.
        sample_rate: to resample to; `None`: as it is.
        espeak: for `read_espeak`.

    Raises:
        ImportError: a package is needed that is not there; names the extra.
        InputError: the source is missing, of no known kind, or cannot be used.
    """
    if source is None or source == "espeak":
        return read_espeak(sample_rate=sample_rate or 16_000, **espeak)
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path} does not exist: expected {SOURCES}.")
    try:
        if path.is_dir():
            return read_speech_folder(path, sample_rate)
        if path.suffix.lower() == ".npz":
            return read_speech_npz(path, sample_rate)
    except PermissionError as error:
        raise InputError(f"{error.filename or path} cannot be read: check its permissions.") from None
    raise InputError(f"{path}: expected {SOURCES}. Received: a file ending in {path.suffix or 'nothing'}")
