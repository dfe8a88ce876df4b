"""Speech as files in a folder."""

from pathlib import Path

import numpy as np

from keras_ae.errors import InputError
from keras_ae.left_out import LeftOut
from keras_ae.split_names import splits_of_paths
from keras_ae.training.datasets.audio_file_store import AudioFileStore, resampled_length
from keras_ae.training.datasets.audio_reading import EXTENSIONS, is_audio
from keras_ae.training.datasets.audio_survey import survey_audio
from keras_ae.training.datasets.class_labels import class_numbers
from keras_ae.training.datasets.file_names import list_files
from keras_ae.training.datasets.speech_manifest import MANIFESTS, read_manifest, real_place, rows_of_names
from keras_ae.training.datasets.speech_source import SpeechSource

NOT_COLUMNS = ("path", "text", "split")


def read_speech_folder(folder: Path, sample_rate: int | None = None) -> SpeechSource:
    """The audio files below a folder, found by their endings or first bytes.

    `manifest.csv` or `manifest.tsv` in it lists the files and what is known of them: a
    header, then a row for each file. The column `path`, relative to the folder, must be
    there; `text`, and `split` with names of splits (see `keras_ae.split_names`), have their
    meaning; all others are columns of names, such as `speaker` and `label`. A column with empty cells
    is not used, and refused if it is the split, the speaker or the label. Without a manifest,
    all files are taken in the order of their paths, names like `<label>_<speaker>_<take>.wav`
    tell label, speaker and take, and sub-folders that are named after splits are splits.

    All files are decoded once here. One that cannot be used is left out, with a line in
    `problems`; all are recorded in `left_out`.

    Args:
        folder: the folder.
        sample_rate: to resample to; `None`: as they are, where they are alike.

    Raises:
        ImportError: a file needs soundfile, which is not there.
        InputError: there are no usable files; their rates differ and no rate is given.
    """
    left_out = LeftOut()
    rows = listed_files(folder, left_out)
    survey = survey_audio([folder / row["path"] for row in rows])
    for row, found in zip(rows, survey, strict=True):
        if found.problem:
            (left_out.keep if found.samples else left_out.add)(found.reason, row["path"])
    problems = [found.problem for found in survey if found.problem]
    usable = [
        (row, found.samples, found.rate) for row, found in zip(rows, survey, strict=True) if found.samples
    ]
    if not usable:
        raise InputError(f"{folder} holds no usable audio file; {len(problems)} problems: {problems[0]}")
    rates = sorted({rate for *_, rate in usable})
    if sample_rate is None and len(rates) > 1:
        raise InputError(
            f"{folder}: expected files of one sample rate. "
            f"Received: {', '.join(map(str, rates))} Hz; give the rate to use."
        )
    rate = sample_rate or rates[0]
    rows = [row for row, *_ in usable]
    columns, names, incomplete = _columns(rows)
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
        left_out=left_out,
        incomplete=incomplete,
    )


def listed_files(folder: Path, left_out: LeftOut, training: bool = True) -> list[dict[str, str]]:
    """What the manifest or the names tell of each file, `path` at least.

    Args:
        folder: the folder.
        left_out: takes the files that are left out.
        training: leave out files that are not named like most of the others, read splits off the
            names of folders, and check a manifest; otherwise all recordings are taken, or those that
            the column `path` of a manifest names.
    """
    manifests = [folder / name for name in MANIFESTS if (folder / name).exists()]
    if len(manifests) > 1:
        raise InputError(f"{folder} holds {manifests[0].name} and {manifests[1].name}: remove one.")
    names = list_files(folder, EXTENSIONS, left_out, "audio", is_audio, known=tuple(MANIFESTS))
    if manifests:
        rows = read_manifest(manifests[0], training)
        listed = {real_place(folder / row["path"]) for row in rows}
        for name in names:
            if real_place(folder / name) not in listed:
                left_out.add(f"not in {manifests[0].name}", name)
        return rows
    if not names:
        raise InputError(
            f"{folder} must contain audio files ({', '.join(EXTENSIONS)}). "
            f"Received: {left_out.summary() or 'an empty folder'}"
        )
    if not training:
        return [{"path": name} for name in names]
    rows, others = rows_of_names(names)
    for name in others:
        left_out.add("not named <label>_<speaker>_<take>", name)
    return _with_splits(rows, folder, left_out)


def _with_splits(rows, folder, left_out):
    """The rows with the splits that the names of their folders stand for, if they do."""
    splits = splits_of_paths([row["path"] for row in rows], str(folder), left_out)
    return [row | {"split": splits[row["path"]]} for row in rows if row["path"] in splits] or rows


def _columns(rows):
    """`({name: class numbers}, {name: names}, names of the columns with empty cells)`."""
    columns, names, incomplete = {}, {}, []
    for name in rows[0]:
        if name in NOT_COLUMNS:
            continue
        if not all(row[name] for row in rows):
            incomplete.append(name)
            continue
        numbers, names[name] = class_numbers({"all": np.array([row[name] for row in rows])})
        columns[name] = numbers["all"]
    return columns, names, tuple(incomplete)
