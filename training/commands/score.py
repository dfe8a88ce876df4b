"""Command `keras-ae score`: the objective of each example."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf  # one trace for batches of any size

from keras_ae.errors import InputError
from keras_ae.files import output_paths, replacing, write_atomically
from keras_ae.progress import counted
from keras_ae.training.commands._encode_images import image_input
from keras_ae.training.commands._encode_tables import RowStream
from keras_ae.training.commands._image_inputs import ModelImages
from keras_ae.training.commands.decode import check_speaker, refuse_other_options, sample_rate_of
from keras_ae.training.commands.encode import stored_level
from keras_ae.training.commands.opened_model import OpenModel
from keras_ae.training.datasets import stream_speech
from keras_ae.training.run_directory.data import files_of_encoder

OPTIONS = {"resize": "images", "scale": "images", "channels": "images", "speaker": "speech"}
OPTIONS |= {"skip_broken": "images and speech", "label": "tables"}
COLUMNS = ("score", "reconstruction_error")


def score_examples(
    opened: OpenModel,
    source: Path,
    output: Path,
    *,
    batch_size: int = 256,
    resize: bool = False,
    channels: int | None = None,
    scale: float | None = None,
    skip_broken: bool = False,
    speaker: str | None = None,
    label: str | None = None,
) -> Path:
    """Write one row for each example of `source`; the arguments are those of `keras-ae score --help`.

    Returns:
        the output.

    Raises:
        InputError: the model has no score of single examples; the examples or the output are not valid.
    """
    target = _checked(output, [*files_of_encoder(opened.path), source])
    images: dict[str, Any] = {"resize": resize, "scale": scale, "channels": channels}
    others = {"speaker": speaker, "skip_broken": skip_broken, "label": label}
    refuse_other_options(opened, OPTIONS, {**images, **others})
    if opened.kind == "speech":
        names, columns = _of_speech(opened, source, skip_broken, speaker)
    elif opened.kind == "images":
        _, shape = image_input(opened.path, opened.inputs.get("score", opened.inputs["encode"]))
        stream = ModelImages(opened, source, shape, batch_size, skip_broken=skip_broken, **images)
        columns = _of_batches(opened, stream, "images")
        names = stream.names
    elif opened.columns is not None:
        usual = getattr(opened.recipe, "label", None)
        rows = RowStream(source, opened.columns, batch_size, label=label, usual_label=usual)
        columns, names = _of_batches(opened, rows, "rows"), rows.names
        columns |= {} if rows.labels is None else {"label": rows.labels}
    else:
        raise InputError(
            "RUN of keras-ae score must be a model of images, tables or speech. "
            f"Received: {opened.path}, a model of {opened.kind}. Call score() from Python instead."
        )
    _write(target, names, columns)
    print(f"{target}: {len(names)} examples, median score {np.median(columns['score']):.4g}")
    return target


def _checked(output, inputs):
    """Return the path of a .csv or .npz file; raise an `InputError` for another one, or for an input."""
    if Path(output).suffix.lower() not in (".csv", ".npz"):
        raise InputError(f"OUTPUT must be a .csv or .npz file. Received: {output}")
    return output_paths([output], inputs=inputs)[0]


def _functions(opened):
    """Return `{column: function of the inputs}` of a model or an artifact."""
    if opened.model is None:
        opened.check_endpoint("score", "score")
        own = [name for name in COLUMNS if name in opened.inputs]
        return {name: lambda x, name=name: opened.call(name, x)[name] for name in own}
    methods = {name: getattr(opened.model, name, None) for name in COLUMNS}
    return {
        name: tf.function(method, reduce_retracing=True, autograph=False)
        for name, method in methods.items()
        if method is not None
    }


def _of_batches(opened, stream, what):
    functions = _functions(opened)
    columns: dict[str, list] = {name: [] for name in functions}
    with counted(len(stream), what) as progress:
        done = 0
        for batch in stream:
            inputs = {"x": batch} if opened.model is None else batch
            for name, function in functions.items():
                columns[name].append(np.asarray(function(inputs)))
            done += len(batch)
            if progress is not None:
                progress(done)
    return {name: np.concatenate(parts) for name, parts in columns.items()}


def _of_speech(opened, source, skip_broken, speaker):
    chosen = opened.speaker_number(speaker)
    if opened.model is not None:
        check_speaker(opened.model, chosen)
    level = stored_level(opened.preprocessing)
    utterances = stream_speech(str(source), sample_rate_of(opened), level=level, skip_broken=skip_broken)
    functions, names = _functions(opened), []
    columns: dict[str, list] = {name: [] for name in functions}
    with counted(len(utterances), "utterances") as progress:
        for name, waveform in utterances:
            x: dict[str, Any] = {"x": np.asarray(waveform, "float32")[None]}
            x["lengths"] = np.array([len(waveform)], "int32")
            x |= {} if chosen is None else {"speaker": np.array([chosen], "int32")}
            for column, function in functions.items():
                columns[column].append(np.asarray(function(x))[0])
            names.append(name)
            if progress is not None:
                progress(len(names))
    return names, {name: np.array(values) for name, values in columns.items()}


def _write(path, names, columns):
    """Write a .csv file with a row for each example, or an .npz file with an array for each column."""
    if path.suffix.lower() == ".npz":
        with replacing(path) as part, part.open("wb") as file:
            np.savez(file, names=np.asarray(names, str), **columns)
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", *columns])
    rows = zip(*(values.tolist() for values in columns.values()), strict=True)
    for name, values in zip(names, rows, strict=True):
        writer.writerow([name, *(v if isinstance(v, str) else f"{v:.6g}" for v in values)])
    write_atomically(path, text.getvalue())
