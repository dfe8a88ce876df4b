"""Options and data for the report of an encoder in a file."""

import importlib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.encoders.loading import INPUT_OPTIONS, LoadedEncoder, load_encoder
from keras_ae.evaluation.text.sentence_tasks import read_labelled_sentences
from keras_ae.tables import as_columns
from keras_ae.training.datasets import load_images, load_speech, load_table, load_text


@dataclass(frozen=True)
class LabelledText:
    """Sentences with labels.

    Attributes:
        name: name of the file.
        sentences: list of str.
        labels: names of the classes `(sentences,)`.
        description: source and number of the sentences, serialisable as JSON.
    """

    name: str
    sentences: list
    labels: np.ndarray
    description: dict


def open_foreign_encoder(path: Path, inputs: Mapping[str, Any]) -> LoadedEncoder:
    """Load an encoder with the options of `keras-ae report` for its inputs; images are given in [0, 1].

    Args:
        path: a `.keras` file, SavedModel or ONNX file.
        inputs: options of `load_encoder`, `None` where they are not given; a tokenizer may also be
            MODULE:FUNCTION.

    Raises:
        InputError: an option is not valid, in terms of the options.
    """
    given = {name: value for name, value in inputs.items() if value is not None}
    if "tokenizer" in given:
        given["tokenizer"] = _imported(given["tokenizer"])
    elif "sample_rate" not in given:
        given.setdefault("input_range", "auto")
    try:
        return load_encoder(path, **given)
    except InputError as error:
        raise InputError(in_encoder_options(str(error))) from error


def in_encoder_options(text: str) -> str:
    """Replace arguments of `load_encoder` in an error by options of the command line.

    Example:

    >>> in_encoder_options("mean must lie in [0, 1]. Received: mean=(9, 9). Pass input_range=(0, 255).")
    '--mean must lie in [0, 1]. Received: --mean 9 9. Pass --input-range 0 255.'
    """
    text = re.sub(r"\bendpoint=(?=\W)", "--endpoint", text)
    for name in INPUT_OPTIONS:
        option = f"--{name.replace('_', '-')}"
        values = lambda found, option=option: f"{option} {found[1].replace(',', '')}"  # noqa: E731
        text = re.sub(rf"\b{name}=\(([^)]*)\)", values, text)
        text = re.sub(rf"\b{name}=(?=[\w.'-])", f"{option} ", text)
        # a word such as "mean" also occurs in prose
        alone = rf"(?<![\w-]){name}\b=?" if "_" in name else rf"^{name}\b"
        text = re.sub(alone, option, text)
    return text


def data_for_encoder(encoder: LoadedEncoder, source: str, images: Mapping[str, Any]) -> Any:
    """Load the data of the kind that an encoder takes.

    Args:
        encoder: the encoder.
        source: a source of images, speech, text or tables, as for recipes, or a .tsv file of labelled
            sentences.
        images: options of `load_images`, `None` where they are not given. By default images have the size and
            the channels that the encoder takes.

    Returns:
        `ImageData`, `SpeechData`, `TextData`, `TableData` or `LabelledText`.

    Raises:
        InputError: the data cannot be used, or an option is not valid for this kind of data.
    """
    modality = encoder.modality or "images"
    columns = None if encoder.preprocessing is None else encoder.preprocessing.columns
    if columns is not None:
        modality = "tables"
    shapes = {name: shape for name, (shape, _) in (encoder.inputs or {}).items()}
    if encoder.modality is None and columns is None and shapes and max(map(len, shapes.values())) < 3:
        received = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise InputError(
            f"{encoder.name} must take images, texts, waveforms or a table. "
            f"Received: an encoder of {received}. "
            "Call keras_ae.evaluation.embedding_report with its data."
        )
    if modality == "ids":
        raise InputError(
            f"--tokenizer must be given for {encoder.name}, whose inputs are the ids of words: "
            f"{', '.join(encoder.inputs or {})}. Received: none. Pass its tokenizer.json, or MODULE:FUNCTION."
        )
    if modality != "images":
        given = [f"--{name.replace('_', '-')}" for name, value in images.items() if value]
        if given:
            raise InputError(
                f"{', '.join(given)} must be used only with an encoder of images. "
                f"Received: {encoder.name}, which encodes {modality}."
            )
        if columns is not None:
            return load_table(source, columns=as_columns(columns))
        return _text(source) if modality == "text" else _speech(encoder, source)
    size, channels = encoder.image_shape
    options = {**images, "image_size": images["image_size"] or size, "channels": images["channels"]}
    if channels in (1, 3):
        options["channels"] = options["channels"] or channels
    return load_images(source, **{name: value for name, value in options.items() if value is not None})


def _speech(encoder, source):
    known = encoder.preprocessing
    if known is None or known.sample_rate is None:
        raise InputError(
            f"--sample-rate must be given for {encoder.name}, which encodes waveforms: the rate in Hz of its "
            "training data, to which recordings are resampled. Received: none"
        )
    # encoders made elsewhere get the level that was recorded
    level = "rms" if known.level is None and encoder.conversion is None else known.level
    return load_speech(source, sample_rate=known.sample_rate, level=None if level == "none" else level)


def _text(source):
    if not source.lower().endswith(".tsv"):
        return load_text(source, sentence_per_line=source != "docstrings")
    path = Path(source)
    if not path.is_file():
        raise InputError(f"{path} does not exist. It must be a .tsv file of labelled sentences.")
    found = read_labelled_sentences(path)
    description = {"name": path.name, "source": f"labelled sentences of {path}", "sentences": len(found)}
    return LabelledText(path.name, list(found.sentences), np.asarray(found.target), description)


def _imported(text: str) -> Callable | str:
    """Return the function of "MODULE:FUNCTION", searched in the current folder first, or another text."""
    module, colon, name = str(text).partition(":")
    if not colon or str(text).endswith(".json"):
        return text
    sys.path.insert(0, os.getcwd())
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"--tokenizer must be a tokenizer.json or MODULE:FUNCTION. Received: {text} ({error})"
        ) from error
    finally:
        sys.path.remove(os.getcwd())
    return function
