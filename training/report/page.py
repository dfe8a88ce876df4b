"""Page `report.html`: all results of a run on one self-contained page."""

import datetime
import shlex
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.evaluation.report.page.findings import cards
from keras_ae.evaluation.report.page.view import embedding_view
from keras_ae.files import write_atomically
from keras_ae.pages.formats import format_count, format_name, format_value
from keras_ae.pages.glossary import EMBEDDING, RUN
from keras_ae.pages.tables import is_number, pairs_table
from keras_ae.pages.template import data_uri, render
from keras_ae.progress import duration
from keras_ae.training.report._record import RunRecord, read_run
from keras_ae.training.report._tables import (
    baseline_table,
    column_table,
    definitions_of,
    export_table,
    headline_cards,
    metric_tables,
)
from keras_ae.training.report._verdict import ADVICE, verdicts
from keras_ae.training.report.examples import listening_view, reading_view
from keras_ae.training.report.plots import DARK, LIGHT, history_curves, history_panels
from keras_ae.training.report.transfer import definitions_of_transfer, transfer_table

CAPTIONS = {  # figures by the ending of their name: title, caption, order on the page
    "reconstructions": ("Reconstructions", "Held-out images above what the model makes of their embeddings."),
    "latent_traversal": (
        "Latent traversal",
        "One coordinate of an embedding moves along each row while the others stay; the coordinates that "
        "vary most over the images come first.",
    ),
    "codebook_usage": (
        "Use of the codes",
        "How often each code was chosen in a training epoch. A code that is never chosen is dead weight.",
    ),
    "samples": ("Samples", "Decoded draws from the prior."),
    "interpolations": (
        "Interpolations",
        "Held-out images at both ends, and between them the decoded points of the straight line between "
        "their embeddings.",
    ),
    "scores": (
        "Scores",
        "Scores of held-out rows: the larger, the less likely the row is for the model.",
    ),
}
WIDE = 2.2  # pictures with a larger ratio of width to height fill a whole row
MAIN_KEYS = ("recipe", "settings", "data", "versions", "command", "data_path", "fingerprint", "finished")


def write_report(run_directory: str | Path) -> Path:
    """Write `report.html` of a run from the content of its directory.

    The page is one file: pictures are embedded, there are no scripts, and nothing is loaded from
    elsewhere. It can be rebuilt at any time, and it lists the files that the run lacks. It is written
    atomically.

    Args:
        run_directory: a directory written by `keras-ae train`.

    Returns:
        path of the report.

    Raises:
        InputError: the directory is not a run directory, or is not writable.

    Example:

    >>> import tempfile
    >>> run = Path(tempfile.mkdtemp())
    >>> _ = (run / "metrics.json").write_text('{"test": {"mse": 0.02}}')
    >>> write_report(run).name
    'report.html'
    """
    run = read_run(run_directory)
    page = render("keras_ae.training.report/report.html", "training", **report_view(run))
    try:
        return write_atomically(run.directory / "report.html", page)
    except OSError as error:
        raise InputError(f"The report cannot be written to {run.directory}: {error}.") from error


def report_view(run: RunRecord) -> dict:
    """Return the values for the template, which escapes them all."""
    config, embedding = run.config, _embedding(run)
    name = str(config.get("recipe") or run.directory.resolve().parent.name)
    return {
        "recipe": name,
        "run": run.directory.resolve().name,
        "facts": _facts(run),
        "cards": _cards(run),
        "problems": run.problems,
        "embedding": embedding,
        "needs_labels": _needs_labels(name, config),
        "verdicts": verdicts(run.metrics, _mapping(config.get("settings"), "settings")),
        "advice": ADVICE,
        "comparison": baseline_table(run.metrics, name=f"{name} (this run)"),
        "metric_tables": metric_tables(run.metrics),
        "glossary_of_run": definitions_of(run.metrics),
        "columns": column_table(run.columns),
        "transfer": transfer_table(run.transfer),
        "glossary_of_transfer": definitions_of_transfer(run.transfer),
        "curves": _curves(run.history),
        "pictures": _pictures(_not_in_embedding(run.figures, embedding)),
        "listening": listening_view(run.listening),
        "reading": reading_view(run.reading),
        "exports": [_export(export) for export in run.exports],
        "data": pairs_table(_mapping(config.get("data"), "source"), setting=True),
        "settings": pairs_table(_settings(config), setting=True),
        "training": pairs_table(_training(run.training), setting=True),
        "versions": pairs_table(_mapping(config.get("versions"), "versions"), setting=True),
        "command": _command(config.get("command")),
        "path": "/".join(run.directory.resolve().parts[-3:]),
    }


def _needs_labels(recipe, config):
    """Return whether the encoder has the input `labels`, so that `keras-ae report` cannot measure it."""
    of_prior = recipe == "vqvae-prior"  # whose labels are inputs of the prior alone
    return bool(_mapping(config.get("settings"), "settings").get("class_conditional")) and not of_prior


def _cards(run):
    """Return the cards of the run or, if measured, of its embedding, with the error of the whole test."""
    own = headline_cards(run.metrics, run.history)
    if run.embedding is None:
        return own
    error = next((card for card in own if card.label == RUN["mse"].label), None)
    of_report = EMBEDDING["reconstruction.mse"].label
    return [error if error and card.label == of_report else card for card in cards(run.embedding.results)]


def _embedding(run):
    """Return the section of the embedding; `None` if it was not measured."""
    return None if run.embedding is None else embedding_view(run.embedding)


def _facts(run):
    """Return the line below the title."""
    data = run.config.get("data")
    source = data.get("name") if isinstance(data, dict) else data
    epochs = max(map(len, run.history.values()), default=0)
    facts = [str(source) if source else "", f"{epochs:,} epoch{'s' * (epochs != 1)}" if epochs else ""]
    settings = _settings(run.config)
    if settings.get("seed") is not None:
        facts.append(f"seed {format_value(settings['seed'])}")
    training = _training(run.training)
    if "parameters" in training:
        facts.append(f"{training['parameters']} parameters")
    if "duration" in training:
        facts.append(f"trained in {training['duration']}")
    return [fact for fact in facts if fact]


def _training(record):
    """Return the facts of the training as text; those that are missing or damaged are left out."""
    parameters, found = _mapping(record.get("parameters"), "total"), {}
    names = {"total": "parameters", "trainable": "trainable parameters"}
    for name, count in parameters.items():
        if is_number(count):
            found[names.get(name, f"of {name}")] = format_count(int(count))
    if is_number(record.get("seconds")):
        found["duration"] = duration(record["seconds"])
    for name, value in _mapping(record.get("machine"), "machine").items():
        found[name] = "none" if value == [] else format_value(value)
    return found


def _not_in_embedding(figures, embedding):
    """Return the figures of which the section of the embedding has none of the same kind."""
    shown = (
        ()
        if embedding is None
        else [
            ending
            for ending, part in (("reconstructions", "reconstruction"), ("codebook_usage", "codes"))
            if embedding[part]
        ]
    )
    return {name: png for name, png in figures.items() if not name.endswith(tuple(shown))}


def _curves(history):
    """Draw each panel twice, for the light and the dark theme."""
    curves = []
    for panel in history_panels(history):
        pictures = [history_curves(history, panels=[panel], theme=theme) for theme in (LIGHT, DARK)]
        light, dark = map(data_uri, pictures)
        curves.append({"panel": panel, "light": light, "dark": dark})
    return curves


def _pictures(figures):
    order = list(CAPTIONS)

    def rank(name):
        return next((order.index(ending) for ending in order if name.endswith(ending)), len(order))

    pictures = []
    for name in sorted(figures, key=lambda name: (rank(name), name)):
        ending = order[rank(name)] if rank(name) < len(order) else ""
        title, caption = CAPTIONS.get(ending, (format_name(name).capitalize(), ""))
        prefix = name.removesuffix(ending).strip("_") if ending else ""
        title = f"{title}: {prefix}" if prefix else title
        width, height = _size(figures[name])
        pictures.append(
            {
                "title": title,
                "caption": caption,
                "source": data_uri(figures[name]),
                "width": width // 2,  # drawn for screens with two pixels per point
                "height": height // 2,
                "wide": width > WIDE * height,
            }
        )
    return pictures


def _size(png):
    """Return width and height of a PNG, from its header."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _export(export):
    manifest = export.manifest
    facts = [str(manifest["model"])] if "model" in manifest else []
    facts += [_moment(manifest["created"])] if "created" in manifest else []
    if "opset" in manifest:
        facts.append(f"opset {format_value(manifest['opset'])}")
    return {
        "format": export.format,
        "path": export.path,
        "facts": facts,
        "table": export_table(export),
    }


def _moment(text):
    """Format an ISO time in words; other text is returned unchanged."""
    try:
        return datetime.datetime.fromisoformat(str(text)).strftime("%Y-%m-%d %H:%M %Z").strip()
    except ValueError:
        return str(text)


def _settings(config):
    settings = _mapping(config.get("settings"), "settings")
    return {**settings, **{key: value for key, value in config.items() if key not in MAIN_KEYS}}


def _mapping(value, name):
    if isinstance(value, dict):
        return value
    return {} if value is None else {name: value}


def _command(command):
    if isinstance(command, (list, tuple)):
        return shlex.join(map(str, command))
    return str(command) if command else ""
