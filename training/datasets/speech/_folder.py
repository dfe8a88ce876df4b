"""Reading of folders of speech and their manifests, with a check of the recordings."""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_ae.data_files import SPLIT_NAMES, LeftOut, some_of, split_of, splits_of_paths
from keras_ae.errors import InputError
from keras_ae.text.text_file import TextFile
from keras_ae.training.datasets._reading import list_files, progress_of
from keras_ae.training.datasets._splits import class_numbers
from keras_ae.training.datasets.speech._audio_reading import EXTENSIONS, is_audio, read_audio, tensorflow_io
from keras_ae.training.datasets.speech._stores import AudioFileStore, resampled_length
from keras_ae.training.datasets.speech.data import LABEL_COLUMNS, SpeechSource
from keras_ae.training.datasets.speech.waveforms import silence_of

NOT_COLUMNS = ("path", "text", "split")


def read_speech_folder(folder: Path, sample_rate: int | None = None) -> SpeechSource:
    """Open the audio files below a folder, recognised by their extensions or first bytes.

    `manifest.csv` or `manifest.tsv` in the folder lists the files and their annotations: a
    header, then one row per file. The column `path`, relative to the folder, is required;
    `text` contains the spoken words, `split` the names of splits (see `keras_ae.data_files`);
    all others are columns of names, such as `speaker` and `label`. A column with empty cells
    is not used; it is an error if it is the split, the speaker or the label. Without a manifest,
    all files are read in the order of their paths, names like `<label>_<speaker>_<take>.wav`
    give label, speaker and take, and sub-folders that are named after splits are splits.

    All files are decoded once here. Unusable files are left out, with a line in
    `problems`; all are recorded in `left_out`.

    Args:
        folder: the folder.
        sample_rate: sample rate in Hz to resample to; `None`: unchanged, if all rates are equal.

    Raises:
        ImportError: a file needs soundfile, which is not installed.
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
        raise InputError(f"{folder} contains no usable audio file; {len(problems)} problems: {problems[0]}")
    rates = sorted({rate for *_, rate in usable})
    if sample_rate is None and len(rates) > 1:
        raise InputError(
            f"The files in {folder} must have the same sample rate. "
            f"Received: {', '.join(map(str, rates))} Hz; pass the rate to use."
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
    """Return the annotations of each file from the manifest or the names; `path` is always included.

    Args:
        folder: the folder.
        left_out: record to which the files that are left out are added.
        training: leave out files whose names differ in form from most others, derive splits from the
            names of folders, and check a manifest; otherwise all recordings are listed, or those in
            the column `path` of a manifest.
    """
    manifests = [folder / name for name in MANIFESTS if (folder / name).exists()]
    if len(manifests) > 1:
        raise InputError(f"{folder} contains {manifests[0].name} and {manifests[1].name}: remove one.")
    names = list_files(folder, EXTENSIONS, left_out, "audio", is_audio, known=tuple(MANIFESTS))
    if manifests:
        rows = read_speech_manifest(manifests[0], training)
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
    """Return the rows, with the splits given by the names of their folders, if these are names of splits."""
    splits = splits_of_paths([row["path"] for row in rows], str(folder), left_out)
    return [row | {"split": splits[row["path"]]} for row in rows if row["path"] in splits] or rows


def _columns(rows):
    """Return `({name: class numbers}, {name: names}, names of the columns with empty cells)`."""
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


MANIFESTS = {"manifest.csv": ",", "manifest.tsv": "\t"}
NAME = re.compile(r"(?P<label>[^_]+)_(?P<speaker>[^_]+)_(?P<take>\d+)")
NEVER_EMPTY = ("path", "split", "speaker")


def read_speech_manifest(path: Path, training: bool = True) -> list[dict[str, str]]:
    """Read the rows of a csv or tsv file with a header and a column `path`.

    White space around names and cells is removed, and lines without any cell are skipped. In the column
    `split` every name of a split becomes "train", "validation" or "test".

    Args:
        path: the file.
        training: also check and convert split, speaker and label; otherwise only the column `path`.

    Raises:
        InputError: the file is not such a table: a quote is not closed, a row has too many or too few
            cells, a header or a path is repeated, a path, split, speaker or label is empty, or a split is
            unknown. The message names the lines.
    """
    lines = _rows(path)
    header = next(lines, (0, []))[1]
    rows = list(lines)
    if "path" not in header or not rows:
        raise InputError(
            f"{path} must have a header with the column path, and a row for each file. "
            f"Received: {', '.join(header) or 'nothing'}; {len(rows)} rows"
        )
    _check_header(path, header)
    for line, cells in rows:
        if len(cells) != len(header):
            came = "more" if len(cells) > len(header) else "fewer"
            raise InputError(f"{path}, line {line} must have {len(header)} columns. Received: {came}")
    table = [(line, dict(zip(header, cells, strict=True))) for line, cells in rows]
    label = [name for name in LABEL_COLUMNS if name in header][:1]
    _check_cells(path, [*NEVER_EMPTY, *label] if training else ["path"], table)
    _check_repeats(path, table)
    return [_with_split(path, line, row) if training else row for line, row in table]


def _rows(path) -> Iterator[tuple[int, list[str]]]:
    """Yield `(line number, cells)` of the lines that are not empty."""
    table = csv.reader(
        (f"{line}\n" for line in TextFile(path).lines()),
        delimiter=MANIFESTS[path.name],
        # quotes are special in csv only
        quoting=csv.QUOTE_MINIMAL if path.suffix == ".csv" else csv.QUOTE_NONE,
        skipinitialspace=path.suffix == ".csv",
        strict=True,
    )
    first = 1
    try:
        for cells in table:
            # an unclosed quote extends to the next quote, which may be several lines later
            if any("\n" in cell for cell in cells):
                raise InputError(
                    f"{path}, line {first} must not have a line break within a cell. "
                    f"Received: a cell up to line {table.line_num}; close its quote."
                )
            if any(map(str.strip, cells)):
                yield first, [cell.strip() for cell in cells]
            first = table.line_num + 1
    except csv.Error as error:
        raise InputError(
            f"{path}, line {first} must be cells with {quoted(MANIFESTS[path.name])} between them. "
            f"Received: {error}; close the quote that is open, or write a quote within quotes twice."
        ) from None


def quoted(separator: str) -> str:
    """Return a separator as it is shown in errors."""
    return "tabs" if separator == "\t" else f"{separator!r}"


def _check_header(path, header):
    repeated = [name for name, count in Counter(header).items() if count > 1]
    if repeated:
        raise InputError(f"{path} must name each column once. Received: {', '.join(repeated)} more than once")
    if "" in header:
        raise InputError(
            f"{path}: column {header.index('') + 1} must have a name. Received: none in the header; name it "
            "or remove it (pandas writes such a column unless index=False)."
        )


def _check_cells(path, names, table):
    for name in names:
        empty = [str(line) for line, row in table if row.get(name) == ""]
        if empty:
            raise InputError(
                f"{path} must have a {name} in each row. Received: an empty cell in line "
                f"{some_of(empty, shown=20)}; fill it, or remove the row or the column."
            )


def _check_repeats(path, table):
    found: dict[str, list[tuple[int, str]]] = {}
    for line, row in table:
        found.setdefault(real_place(path.parent / row["path"]), []).append((line, row["path"]))
    repeated = [
        f"{rows[0][1]} in lines {', '.join(str(line) for line, _ in rows)}"
        for rows in found.values()
        if len(rows) > 1
    ]
    if repeated:
        raise InputError(f"{path} must name each file once. Received: {some_of(repeated, shown=10)}")


def real_place(path: Path) -> str:
    """Return one canonical path for all paths of a file: absolute, relative, or through links to folders.

    A link to a file counts as a separate file.
    """
    folder, name = os.path.split(os.path.normpath(path))
    return os.path.join(os.path.realpath(folder), name)


def _with_split(path, line, row):
    if "split" not in row:
        return row
    split = split_of(row["split"])
    if split is None:
        known = ", ".join(name for names in SPLIT_NAMES.values() for name in names)
        raise InputError(f"{path}, line {line}: split must be one of {known}. Received: {row['split']}")
    return row | {"split": split}


def rows_of_names(names: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Return the annotations in the names of files, and the names that are left out.

    If most names have the form `<label>_<speaker>_<take>`, the others are left out. Otherwise all
    names are returned without annotations.

    Example:

    >>> rows_of_names(["7_george_12.wav"])
    ([{'path': '7_george_12.wav', 'label': '7', 'speaker': 'george', 'take': '12'}], [])
    """
    matches = {name: NAME.fullmatch(Path(name).stem) for name in names}
    other = [name for name, match in matches.items() if not match]
    if 2 * len(other) >= len(names):
        return [{"path": name} for name in names], []
    return [{"path": name, **match.groupdict()} for name, match in matches.items() if match], other


SHORTEST = 0.01  # seconds: shorter recordings do not contain a frame of speech
FULL_SCALE, CLIPPED_SHARE = 0.999, 0.001
THREADS = 4  # decoders release Python's global lock


@dataclass(frozen=True)
class SurveyedFile:
    """Result of the check of an audio file.

    Attributes:
        samples: number of samples; 0 if the file cannot be used.
        rate: sample rate in Hz.
        reason: why the file cannot be used or is suspicious, in a few words; empty if it is valid.
        problem: the reason as a line that names the file.
    """

    samples: int
    rate: int
    reason: str = ""
    problem: str = ""


def survey_audio(paths: Sequence[Path]) -> list[SurveyedFile]:
    """Check each audio file by decoding it.

    Every file is decoded once, in parallel: headers do not show that a file is cut short.
    The problem of a file that is usable but suspicious begins with "kept".

    Args:
        paths: paths of the files.

    Raises:
        ImportError: a file needs soundfile, which is not installed.
    """
    tensorflow_io()  # called before threads start, because it silences warnings in all threads
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
        problem = f"left out: {path} contains {samples} at {rate} Hz, less than {SHORTEST:g} seconds."
        return SurveyedFile(0, 0, f"shorter than {SHORTEST:g} s", problem)
    return SurveyedFile(len(waveform), rate, *_suspicion(path, waveform))


def _suspicion(path, waveform):
    if reason := silence_of(waveform):
        return reason, f"kept: {path} is {reason}."
    clipped = float((np.abs(waveform) >= FULL_SCALE).mean())
    if clipped > CLIPPED_SHARE:
        return "clipped", f"kept: {path} is clipped, {clipped:.1%} of its samples are at full scale."
    return "", ""
