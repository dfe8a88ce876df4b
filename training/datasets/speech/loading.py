"""Loading of speech for training."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.data_files import SPLITS
from keras_ae.errors import InputError
from keras_ae.training.datasets._splits import draw_splits
from keras_ae.training.datasets.speech._espeak import read_espeak
from keras_ae.training.datasets.speech._folder import read_speech_folder
from keras_ae.training.datasets.speech._npz import read_speech_npz
from keras_ae.training.datasets.speech.data import SpeechData, SpeechSource, SpeechSplit
from keras_ae.training.datasets.speech.waveforms import check_level


def load_speech(
    source: str | os.PathLike | None = "espeak",
    *,
    sample_rate: int | None = 16_000,
    level: str | None = "rms",
    label: str | None = None,
    validation_fraction: float = 0.1,
    test_fraction: float = 0.2,
    split_by: str = "utterance",
    seed: int = 0,
    **espeak: Any,
) -> SpeechData:
    """Load speech of any source, split into training, validation and test utterances.

    The same arguments give the same split on every machine. Arrays are kept as they are
    stored and converted batch by batch; files are decoded when they are needed. All errors in them are
    found here, before a training begins: unusable files are left out and named in one `DataWarning`, in
    `description["left_out"]` and, with the reason, in `description["problems"]`.

    Args:
        source: "espeak" (see `read_espeak`: sentences spoken in 24 voices); a folder (see
            `read_speech_folder`); an `.npz` file (see `read_speech_npz`).
        sample_rate: sample rate in Hz to which all audio is resampled; `None`: that of the source.
        level: "rms": each utterance has a root mean square of 0.05; "peak": its largest
            amplitude is 1; `None`: as recorded.
        label: the column of a manifest or .npz file that is the label; `None`: the first
            of `label`, `digit`, `word`, `command`, `sentence`, `class` that exists.
        validation_fraction: share of the training utterances held out for validation,
            if the source has no validation utterances of its own.
        test_fraction: share of all utterances held out for test, if the source has
            none of its own.
        split_by: "utterance", or "speaker": no speaker is in two of the splits that are drawn.
        seed: seed of the splits and of the synthesised speech of espeak.
        espeak: further arguments of `read_espeak`: `voices`, `train_sentences`,
            `validation_sentences`, `test_sentences`.

    Returns:
        `SpeechData`.

    Raises:
        ImportError: a required package is not installed; the message names the extra.
        InputError: the source is missing, empty, damaged or of an unknown kind; there are
            too few utterances to split.

    Example:

    >>> data = load_speech("espeak", voices=2, train_sentences=3)
    >>> len(data.train), len(data.validation), len(data.test), data.speakers
    (6, 4, 12, ('Gene', 'Diogo'))
    """
    _check(sample_rate, level, validation_fraction, test_fraction, split_by, seed)
    if source in (None, "espeak"):
        espeak["seed"] = seed
    elif espeak:
        raise InputError(f"{', '.join(espeak)} must be used only with the source espeak. Received: {source}")
    opened = open_speech(source, sample_rate, **espeak)
    opened.left_out.warn(opened.origin)
    chosen = opened.label_column(label)
    rows = draw_splits(
        opened.splits,
        opened.columns.get("speaker") if split_by == "speaker" else np.arange(len(opened.store)),
        {"test": test_fraction, "validation": validation_fraction},
        seed,
    )
    splits = {
        split: SpeechSplit(
            opened.store,
            rows[split],
            level,
            {name: values[rows[split]] for name, values in opened.columns.items()},
            chosen,
            None if opened.texts is None else [opened.texts[row] for row in rows[split]],
            opened.phones,
        )
        for split in SPLITS
    }
    return SpeechData(
        name=opened.name,
        **splits,
        sample_rate=opened.store.sample_rate,
        speakers=opened.names.get("speaker", ()),
        labels=() if chosen is None else opened.names.get(chosen, ()),
        phones=opened.phones.names if opened.phones else (),
        description=_description(opened, splits, chosen, level, split_by, seed),
    )


def _check(sample_rate, level, validation_fraction, test_fraction, split_by, seed):
    check_level(level)
    for name, fraction in (("validation", validation_fraction), ("test", test_fraction)):
        if not 0 <= fraction < 1:
            raise InputError(
                f"{name}_fraction must be at least 0 and below 1. Received: {name}_fraction={fraction}"
            )
    if sample_rate is not None and sample_rate < 1:
        raise InputError(f"sample_rate must be at least 1 Hz. Received: sample_rate={sample_rate}")
    if split_by not in ("utterance", "speaker"):
        raise InputError(f'split_by must be "utterance" or "speaker". Received: split_by={split_by!r}')
    if seed < 0:
        raise InputError(f"seed must be at least 0. Received: seed={seed}")


def _description(opened, splits, label, level, split_by, seed):
    rate = opened.store.sample_rate
    own = set() if opened.splits is None else set(opened.splits.tolist())
    return {
        "name": opened.name,
        "source": opened.origin,
        **{f"{name}_utterances": len(split) for name, split in splits.items()},
        **{f"{name}_minutes": float(split.lengths.sum() / rate / 60) for name, split in splits.items()},
        "sample_rate": rate,
        "level": level,
        "dc_removed": level is not None,
        "speakers": len(opened.names.get("speaker", ())),
        "label": label,
        "classes": len(opened.names.get(label, ())),
        "phones": len(opened.phones.names) if opened.phones else 0,
        **{
            f"{name}_split": "official" if name in own else f"drawn by {split_by}"
            for name in ("validation", "test")
        },
        "seed": seed,
        **opened.details,
        "speaker_names": list(opened.names.get("speaker", ())),
        **({"incomplete_columns": list(opened.incomplete)} if opened.incomplete else {}),
        "left_out": opened.left_out.description(),
        "problems": list(opened.problems),
    }


SOURCES = '"espeak", a folder of wav, flac, ogg or mp3 files, or an .npz file'


def open_speech(
    source: str | os.PathLike | None, sample_rate: int | None = None, **espeak: Any
) -> SpeechSource:
    """Open any of the sources of `load_speech`.

    Args:
        source: the source.
        sample_rate: sample rate in Hz to resample to; `None`: unchanged.
        espeak: arguments of `read_espeak`.

    Raises:
        ImportError: a required package is not installed; the message names the extra.
        InputError: the source is missing, of an unknown kind, or cannot be used.
    """
    if source is None or source == "espeak":
        return read_espeak(sample_rate=sample_rate or 16_000, **espeak)
    path = Path(source)
    if not path.exists():
        raise InputError(f"{path} does not exist: the source must be {SOURCES}.")
    try:
        if path.is_dir():
            return read_speech_folder(path, sample_rate)
        if path.suffix.lower() == ".npz":
            return read_speech_npz(path, sample_rate)
    except PermissionError as error:
        raise InputError(f"{error.filename or path} cannot be read: check its permissions.") from None
    raise InputError(f"{path} must be {SOURCES}. Received: a file ending in {path.suffix or 'nothing'}")
