"""Evaluation of the embedding of a run, and its transfer tasks."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.attempts import LOG, current_attempts
from keras_ae.evaluation.encoders.examples import Examples
from keras_ae.evaluation.encoders.loading import in_batches, load_encoder
from keras_ae.evaluation.report.data import gather
from keras_ae.evaluation.report.embedding_report import report_outputs, write_page
from keras_ae.evaluation.report.measuring import measure_embedding
from keras_ae.evaluation.report.record import JSON, EmbeddingRecord
from keras_ae.evaluation.report.settings import DEFAULT_BUDGET, settings_of
from keras_ae.models.preprocessing import preprocessing_of
from keras_ae.tables import as_columns
from keras_ae.training.commands._encode_images import refuse_labels
from keras_ae.training.commands._foreign_encoder import (
    LabelledText,
    data_for_encoder,
    in_encoder_options,
    open_foreign_encoder,
)
from keras_ae.training.datasets.speech.data import SpeechData
from keras_ae.training.datasets.tables.data import TableData, TableSplit
from keras_ae.training.datasets.text.data import TextData
from keras_ae.training.recipes import TextRecipe
from keras_ae.training.run_directory.data import load_data_of

SECONDS = 4.0  # maximum duration of an utterance


def measure_run(
    run,
    *,
    data: str | None = None,
    budget=DEFAULT_BUDGET,
    seeds=None,
    progress=None,
    **images,
) -> EmbeddingRecord:
    """Measure the embedding of a run's model on its data, and keep the record in the run.

    Classifiers are fitted on training data and evaluated on test data. The factors are the labels, the
    exact factors of sprites, the speakers and words of utterances, or the number of words of sentences.

    Args:
        run: a `Run`.
        data: other images, utterances, text or rows; `None`: those of the run. Rows have the columns of the
            model, whatever their order and their categories.
        budget, seeds, progress: as in `keras_ae.evaluation.embedding_report`.
        **images: `image_size`, `scale`, `channels` and `skip_broken` of `load_images`; by default, or if
            `None`, those of the run.

    Raises:
        InputError: the data cannot be used; settings of images for a run on other data.
    """
    check_image_options(run.recipe(), **images)
    model = run.load_model()
    refuse_labels(run.directory, bool(getattr(model, "num_labels", None)))
    known = None if data is None else preprocessing_of(model)
    columns = None if known is None or known.columns is None else as_columns(known.columns)
    recipe, examples = load_data_of(run, data=data, columns=columns, **images)
    encoder = load_encoder(model)
    about = {"run": "/".join(run.directory.resolve().parts[-2:]), "recipe": recipe.name}
    log = run.directory / LOG
    record = measure_data(encoder, examples, recipe.name, budget, seeds, about, progress, log)
    record.save(run.directory)
    return record


def check_image_options(recipe, **images) -> None:
    """Raise an error for settings of images if the recipe does not have them (speech or text).

    Raises:
        InputError: such settings are given; the message names the options.
    """
    given = [name for name, value in images.items() if value is not None and not hasattr(recipe, name)]
    if given:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(
            f"{options} must be used only in the report of a run on images. "
            f"Received: a run of the recipe {recipe.name}"
        )


def report_of_file(
    path: Path,
    data: str,
    output: Path,
    *,
    images: Mapping[str, Any],
    inputs: Mapping[str, Any],
    pool: str | None = None,
    budget=DEFAULT_BUDGET,
    seeds=None,
    progress=None,
) -> tuple[Path, EmbeddingRecord]:
    """Write the embedding report of a `.keras` file, a SavedModel or an ONNX file.

    Args:
        path: the encoder.
        data: a source of images, speech or text, as for recipes, or a .tsv file of labelled sentences.
        output: the page, an .html file; the results and the tracebacks of what fails are written next to it.
        images: options of `load_images`; by default the size and the channels that the encoder takes.
        inputs: options of `load_encoder`; a tokenizer may also be MODULE:FUNCTION.
        pool: as in `ReportSettings`.
        budget, seeds, progress: as in `keras_ae.evaluation.embedding_report`.

    Returns:
        the page, and its record.
    """
    log = report_outputs(output, [path, data])[2]
    encoder = open_foreign_encoder(path, inputs)
    refuse_labels(
        path, bool(getattr(encoder.model, "num_labels", None)) or "labels" in (encoder.inputs or {})
    )
    examples = data_for_encoder(encoder, data, images)
    log.unlink(missing_ok=True)  # from an earlier report
    about = {"file": path.name}
    record = measure_data(encoder, examples, path.name, budget, seeds, about, progress, log, pool)
    return write_page(record, output), record


def measure_data(
    encoder, data, title, budget, seeds, about, progress=None, log=None, pool=None
) -> EmbeddingRecord:
    """Measure an encoder on `ImageData`, `SpeechData`, `TextData`, `TableData` or a `LabelledText`."""
    settings = settings_of(budget, {"seeds": seeds, "pool": pool})
    if isinstance(data, LabelledText):
        _try(encoder, data.sentences, data)
        material = gather(encoder, data.sentences, {"label": data.labels}, None, None, settings)
        about = {**about, "data": data.description, "budget": budget}
        return measure_embedding(material, settings, title=title, about=about, progress=progress, log=log)
    kinds = {SpeechData: _utterances, TextData: _sentences, TableData: _rows}
    part = next((part for kind, part in kinds.items() if isinstance(data, kind)), _images)
    train = part(data.train, data, settings.max_examples, settings.seed)
    test = part(data.test, data, settings.max_test, settings.seed)
    if part is _images:
        train, test = ((_in_range(x, encoder.preprocessing), factors) for x, factors in (train, test))
    _try(encoder, test[0], data)
    material = gather(encoder, train[0], train[1], None, test, settings)
    about = {**about, "data": data.description, "budget": budget}
    return measure_embedding(material, settings, title=title, about=about, progress=progress, log=log)


def _in_range(images, preprocessing):
    """Rescale images in [0, 1] to the input range of an encoder."""
    low, high = (0, 1) if preprocessing is None else preprocessing.value_range or (0, 1)
    return images if (low, high) == (0, 1) else low + images * np.float32(high - low)


def has_record(run) -> bool:
    """Return whether a run has a record that is not older than its model."""
    record, model = run.directory / JSON, run.directory / "model.keras"
    return record.is_file() and model.is_file() and record.stat().st_mtime >= model.stat().st_mtime


def _some(split, most, seed):
    return np.sort(np.random.default_rng([seed, 11]).permutation(len(split))[:most])


def _utterances(split, data, most, seed):
    """Return `(Examples, factors)` of at most `most` utterances of a split, cut to their first seconds."""
    rows = _some(split, most, seed)
    waveforms = [split.waveform(row)[: round(SECONDS * data.sample_rate)] for row in rows]
    lengths = np.array([len(waveform) for waveform in waveforms], "int32")
    x = np.zeros((len(rows), lengths.max()), "float32")
    for row, waveform in zip(x, waveforms, strict=True):
        row[: len(waveform)] = waveform
    names = {"speaker": data.speakers, data.description["label"]: data.labels}
    factors = {}
    for name, values in (split.factors() or {}).items():
        values = values[rows]
        factors[name] = _numbers_if_so(np.array(names[name])[values]) if names.get(name) else values
    return Examples({"x": x, "lengths": lengths}, data.sample_rate), factors


def _sentences(split, data, most, seed):
    """Return `(sentences, factors)` of at most `most` sentences of a split."""
    rows = _some(split, most, seed)
    words = split.words[rows].astype("float64")
    alike = any(not np.ptp(part.words) for part in (data.train, data.test))  # only one class
    return split.sentences(rows), {} if alike else {"words": words}


def _rows(split, data, most, seed):
    """Return `(Examples, factors)` of at most `most` rows of a split.

    Classifiers of labels are fitted to training and validation rows: there may be normal training rows only.
    """
    if split is data.train:
        labels = None if split.labels is None else np.concatenate([split.labels, data.validation.labels])
        split = TableSplit(split.store, np.concatenate([split.rows, data.validation.rows]), labels)
    rows = _some(split, most, seed)
    names = np.array(data.class_names)
    factors = {} if split.labels is None else {"label": _numbers_if_so(names[split.labels[rows]])}
    return Examples(split.values(rows), columns=data.columns), factors


def _images(split, images, most, seed):
    """Return `(images, factors)` of at most `most` images of a split; no others are read."""
    rows = _some(split, most, seed)
    factors = split.factors()
    if factors is None:
        names = np.array(images.class_names)
        factors = {} if split.labels is None else {"label": _numbers_if_so(names[split.labels])}
    return split.images(rows), {name: values[rows] for name, values in factors.items()}


def _numbers_if_so(names):
    """Return names of classes, converted to integers if all are integers."""
    return names.astype(int) if all(name.isdecimal() for name in np.unique(names)) else names


def _try(encoder, examples, data):
    some = Examples(examples).take(np.arange(2))
    try:
        in_batches(encoder.embed, some)
    except Exception as error:  # raised by any runtime
        reason = in_encoder_options(" ".join(str(error).split())[:300].rstrip("."))
        advice = "Choose others by --data"
        if some.kind == "images":
            advice += ", or their size by --image-size"
        raise InputError(
            f"The encoder {encoder.name} does not accept the {some.kind} of {data.name}, "
            f"{some.shape}: {reason}. {advice}."
        ) from error


ROWS = "transfer"  # prefix of the name of each attempt to measure a row


def measure_transfer(
    run, folder: str | Path, progress: Callable[[str], None] | None = None, *, data: str | None = None
) -> dict:
    """Measure a run and control rows on the tasks in a folder, and keep the results in the run.

    Args:
        run: a `Run` of a `TextRecipe`.
        folder: as in `evaluation.load_sentence_tasks`.
        progress: function called with the name of the current measurement.
        data: new location of the text of the run, if it was moved.

    Returns:
        `{row: {task: results}}`, also stored under "transfer" in `metrics.json`.

    Raises:
        InputError: the run is not a run of sentences; the folder has no tasks; the data of the run are
            missing.
    """
    recipe = run.recipe()
    if not isinstance(recipe, TextRecipe):
        raise InputError(
            f"The run of --transfer must be a run of sentences. Received: a run of {recipe.name}"
        )
    tasks = recipe.tasks(folder)
    rows = recipe.transfer_rows(run.load_model(), load_data_of(run, data)[1], tasks, progress)
    path = run.directory / "metrics.json"
    metrics = json.loads(path.read_text()) if path.is_file() else {}
    run.write_json("metrics.json", _with_reasons({**metrics, "transfer": rows}))
    return rows


def _with_reasons(metrics):
    """Return the metrics; reasons of rows that failed now replace those of earlier measurements."""
    attempts = current_attempts()
    for key in ("failed", "left_out"):
        now = {} if attempts is None else getattr(attempts, key)
        others = {name: why for name, why in metrics.get(key, {}).items() if not name.startswith(ROWS)}
        reasons = {**others, **{name: why for name, why in now.items() if name.startswith(ROWS)}}
        metrics = {name: value for name, value in metrics.items() if name != key}
        metrics |= {key: reasons} if reasons else {}
    return metrics
