"""Speech as files in a folder."""

import warnings
from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets.audio_file_store import AudioFileStore, resampled_length
from keras_ae.training.datasets.audio_reading import EXTENSIONS
from keras_ae.training.datasets.audio_survey import survey_audio
from keras_ae.training.datasets.class_labels import class_numbers
from keras_ae.training.datasets.file_names import names_ending_in
from keras_ae.training.datasets.speech_manifest import MANIFESTS, read_manifest, rows_of_names
from keras_ae.training.datasets.speech_source import SpeechSource

NOT_COLUMNS = ("path", "text", "split")


def read_speech_folder(folder: Path, sample_rate: int | None = None) -> SpeechSource:
    """The wav, flac, ogg and mp3 files below a folder.

    `manifest.csv` or `manifest.tsv` in it lists the files and what is known of them: a
    header, then a row for each file. The column `path`, relative to the folder, must be
    there; `text`, and `split` with "train", "validation" and "test", have their meaning;
    all others are columns of names, such as `speaker` and `label`. Without a manifest, all
    files are taken in the order of their paths, and names like
    `<label>_<speaker>_<take>.wav` tell label, speaker and take. Hidden files are left out.

    All files are decoded once here. One that cannot be used is left out, with a line in
    `problems` and one warning for all.

    Args:
        folder: the folder.
        sample_rate: to resample to; `None`: as they are, where they are alike.

    Raises:
        ImportError: a file needs soundfile, which is not there.
        InputError: there are no usable files; their rates differ and no rate is given.
    """
    rows, problems = listed_files(folder)
    left_out = len(problems)
    survey = survey_audio([folder / row["path"] for row in rows])
    problems += [problem for *_, problem in survey if problem]
    usable = [(row, length, rate) for row, (length, rate, _) in zip(rows, survey, strict=True) if length]
    if not usable:
        raise InputError(f"{folder} holds no usable audio file; {len(problems)} problems: {problems[0]}")
    _warn(folder, problems, left_out + len(rows) - len(usable))
    rates = sorted({rate for *_, rate in usable})
    if sample_rate is None and len(rates) > 1:
        raise InputError(
            f"{folder}: expected files of one sample rate. "
            f"Received: {', '.join(map(str, rates))} Hz; give the rate to use."
        )
    rate = sample_rate or rates[0]
    rows = [row for row, *_ in usable]
    columns, names = _columns(rows)
    return SpeechSource(
        name=folder.resolve().name,
        origin=f"folder {folder}",
        store=AudioFileStore(
            [folder / row["path"] for row in rows],
            rate,
            [resampled_length(length, own, rate) for _, length, own in usable],
        ),
        columns=columns,
        names=names,
        splits=np.array([row["split"] for row in rows]) if "split" in rows[0] else None,
        texts=[row["text"] for row in rows] if "text" in rows[0] else None,
        problems=problems,
    )


def listed_files(folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """What the manifest or the names tell of each file, `path` at least, and a line for each left out."""
    manifests = [folder / name for name in MANIFESTS if (folder / name).exists()]
    if len(manifests) > 1:
        raise InputError(f"{folder} holds {manifests[0].name} and {manifests[1].name}: remove one.")
    if manifests:
        return read_manifest(manifests[0]), []
    names = names_ending_in(EXTENSIONS, folder)
    if not names:
        raise InputError(f"{folder} holds no audio files ({', '.join(EXTENSIONS)}).")
    return rows_of_names(names)


def _columns(rows):
    columns, names = {}, {}
    for name in rows[0]:
        if name not in NOT_COLUMNS:
            numbers, names[name] = class_numbers({"all": np.array([row[name] for row in rows])})
            columns[name] = numbers["all"]
    return columns, names


def _warn(folder, problems, left_out):
    if problems:
        warnings.warn(
            f"{folder}: {left_out} audio files are left out and {len(problems) - left_out} are suspicious, "
            f'first: {problems[0]} All are in description["problems"].',
            stacklevel=2,
        )
