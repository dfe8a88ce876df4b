"""Command `keras-ae decode`: codes back to images, rows of a table, speech or text."""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.files import output_paths, write_atomically
from keras_ae.training.commands._decoded_files import PictureOutput, RowOutput, SoundOutput, pixels_of
from keras_ae.training.commands.opened_model import OpenModel
from keras_ae.training.recipes.option_names import errors_in_options
from keras_ae.training.run_directory.data import files_of_encoder

OPTIONS = {"speaker": "speech", "iterations": "speech", "decoder": "text", "beam_size": "text"}


def decode_codes(
    opened: OpenModel,
    codes: Path,
    output: Path,
    *,
    batch_size: int = 256,
    speaker: str | None = None,
    iterations: int | None = None,
    decoder: str | None = None,
    beam_size: int | None = None,
) -> Path:
    """Decode the .npz file of `keras-ae encode`; the arguments are those of `keras-ae decode --help`.

    Returns:
        the output.

    Raises:
        InputError: the file does not contain the inputs of the decoder; the model has no decoder; the output
            is not valid; an option belongs to another kind of data.
    """
    opened.check_endpoint("decode", "decode")
    options = {"speaker": speaker, "iterations": iterations, "decoder": decoder, "beam_size": beam_size}
    refuse_other_options(opened, OPTIONS, options)
    if iterations is not None and iterations < 1:
        raise InputError(f"--iterations must be at least 1. Received: {iterations}")
    arrays = read_arrays(codes)
    inputs = [*files_of_encoder(opened.path), codes]
    if opened.kind == "text":
        path, what = _write_text(opened, arrays, codes, output, inputs, decoder, beam_size)
    elif opened.kind == "speech":
        path, what = _write_speech(opened, arrays, codes, output, inputs, speaker, iterations)
    elif opened.kind == "tables":
        path, what = _write_rows(opened, arrays, codes, output, inputs, batch_size)
    else:
        path, what = _write_images(opened, arrays, codes, output, inputs, batch_size)
    print(f"{path}: {what}")
    return path


def refuse_other_options(opened: OpenModel, kinds: dict[str, str], options: dict[str, Any]) -> None:
    """Raise an `InputError` for given options of another kind of data; `kinds` is `{option: kinds}`."""
    for name, value in options.items():
        if value not in (None, False) and opened.kind not in kinds[name]:
            raise InputError(
                f"--{name.replace('_', '-')} must be used only with {kinds[name]}. "
                f"Received: {opened.path}, a model of {opened.kind}."
            )


def read_arrays(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file.

    Raises:
        InputError: it does not exist, or is no .npz file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist: CODES must be an .npz file of keras-ae encode.")
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"CODES must be an .npz file of keras-ae encode. Received: {path}, which cannot be read."
        ) from error


def _taken(opened, arrays, path, names):
    """Return the arrays of `names`; all have one row per example or frame."""
    missing = [name for name in names if name not in arrays]
    if missing == ["labels"]:
        raise InputError(
            f"CODES must contain labels, the class of each example, since {opened.path} has labels. "
            f"Received: {path} with {', '.join(arrays)}. Add this array of integers to the file."
        )
    if missing:
        raise InputError(
            f"CODES must contain {' and '.join(names)}, as keras-ae encode writes them with {opened.path}. "
            f"Received: {path} with {', '.join(arrays) or 'nothing'}."
        )
    return {name: arrays[name] for name in names}


def _taken_examples(opened, arrays, codes):
    """Return the checked inputs of the decoder, with one row for each example, and their number."""
    shapes = opened.inputs["decode"]
    given = _taken(opened, arrays, codes, list(shapes))
    number = len(next(iter(given.values())))
    if not number:
        raise InputError(f"CODES must contain at least one example. Received: {codes} without any.")
    for name, values in given.items():
        if values.shape[1:] != tuple(shapes[name][1:]) or len(values) != number:
            raise InputError(
                f"{name} in CODES must have the shape {('examples', *shapes[name][1:])}. "
                f"Received: {values.shape} in {codes}."
            )
    return given, number


def _decoded(opened, given, rows):
    inputs = {name: as_input(values[rows]) for name, values in given.items()}
    return opened.call("decode", inputs)["reconstruction"]


def _write_images(opened, arrays, codes, output, inputs, batch_size):
    given, number = _taken_examples(opened, arrays, codes)
    target = PictureOutput(output, names_of(arrays, number), inputs)

    def pictures(rows):
        return {"images": pixels_of(as_images(_decoded(opened, given, rows)), opened.preprocessing)}

    return target.write(pictures, batch_size), f"{number} images"


def _write_rows(opened, arrays, codes, output, inputs, batch_size):
    given, number = _taken_examples(opened, arrays, codes)
    target = RowOutput(output, opened.columns, number, inputs)
    path = target.write(lambda rows: _decoded(opened, given, rows), batch_size)
    return path, f"{number} rows"


def as_input(values: np.ndarray) -> np.ndarray:
    """Return codes as int32, an embedding as float32."""
    return values.astype("int32" if values.dtype.kind in "iu" else "float32")


def as_images(values: Any) -> np.ndarray:
    """Return decoded images `(batch, height, width, channels)`.

    Raises:
        InputError: they are no images.
    """
    values = np.asarray(values)
    if values.ndim != 4 or values.shape[-1] not in (1, 3):
        raise InputError(
            "RUN must decode to images (height, width, 1 or 3 channels), rows, recordings or sentences. "
            f"Received: arrays of shape {values.shape[1:]}. Call its decode() from Python instead."
        )
    return values


def names_of(arrays: dict[str, np.ndarray], number: int) -> list[str]:
    """Return the names in an .npz file, or else numbers of equal width."""
    names = arrays.get("names")
    if names is not None and len(names) == number:
        return [str(name) for name in names]
    return numbered(number)


def numbered(count: int) -> list[str]:
    """Return names `0`, `1`, ... with leading zeros, so that they sort in order.

    >>> numbered(11)[:2]
    ['00', '01']
    """
    width = len(str(count - 1))
    return [f"{row:0{width}}" for row in range(count)]


def _write_speech(opened, arrays, codes, output, inputs, speaker, iterations):
    model = opened.needed_model("decode")
    name = "codes" if "codes" in opened.inputs["decode"] else "embedding"
    given = _taken(opened, arrays, codes, [name, "offsets"])
    frames, offsets = as_input(given[name]), given["offsets"]
    number, chosen = len(offsets) - 1, opened.speaker_number(speaker)
    target = SoundOutput(output, names_of(arrays, number), inputs)
    check_speaker(model, chosen)

    def waveform(row):
        rows = frames[offsets[row] : offsets[row + 1]][None]
        return waveform_of(model, rows, chosen, iterations)

    path = target.write(waveform, sample_rate_of(opened))
    return path, f"{number} recordings"


def check_speaker(model: Any, speaker: int | None) -> None:
    """Raise `InputError` if the decoder is conditioned on a speaker and none is given."""
    if speaker is None and "speaker" in model.decoder_conditions(None):
        raise InputError("--speaker must be given, since the decoder is conditioned on it. Received: none.")


def waveform_of(model: Any, codes: np.ndarray, speaker: int | None, iterations: int | None) -> np.ndarray:
    """Return the waveform `(samples,)` of the codes `(1, frames, ...)` of a recording."""
    given = {} if speaker is None else {"speaker": np.array([speaker], "int32")}
    with errors_in_options("speaker"):
        return model.to_waveform(model.decode(codes, **given), iterations=iterations or 64)[0]


def sample_rate_of(opened: OpenModel) -> int:
    """Return the sample rate in Hz of the recordings of a model."""
    rate = None if opened.preprocessing is None else opened.preprocessing.sample_rate
    if rate is None:
        raise InputError(f"RUN must contain the sample rate of its recordings. Received: {opened.path}.")
    return rate


def _write_text(opened, arrays, codes, output, inputs, decoder, beam_size):
    model = opened.needed_model("decode")
    vectors = _taken(opened, arrays, codes, ["embedding"])["embedding"]
    (path,) = text_output(output, inputs)
    options = {"decoder": decoder, "beam_size": beam_size}
    with errors_in_options(*options):
        texts = model.decode(vectors, **{name: value for name, value in options.items() if value is not None})
    write_atomically(path, "".join(f"{text}\n" for text in texts))
    return path, f"{len(texts)} sentences"


def text_output(output: str | Path, inputs: list) -> list[Path]:
    """Return the path of a .txt file, checked.

    Raises:
        InputError: it is no .txt file, or is an input.
    """
    if Path(output).suffix.lower() != ".txt":
        raise InputError(f"OUTPUT must be a .txt file for sentences. Received: {output}")
    return output_paths([output], inputs=inputs)
