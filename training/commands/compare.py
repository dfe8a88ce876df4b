"""Runs side by side."""

from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.evaluation.report.page.comparison import compare_reports, comparison_text, write_comparison
from keras_ae.evaluation.report.record import JSON, read_figures
from keras_ae.files import page_outputs
from keras_ae.training.run_directory.files import files_of_encoder


def compare_runs(paths, output: str | Path = "compare.html", *, different_data: bool = False) -> str:
    """Compare the embeddings of runs; write the page and the JSON file; return the table as text.

    Args:
        paths: run directories whose embedding was measured, or .json files of embedding reports.
        output: the page.
        different_data: see `compare_reports`.

    Raises:
        InputError: a run was not measured; different data; fewer than two; the page or its .json file is
            one of the inputs.
    """
    page_outputs(output, [file for path in paths for file in files_of_encoder(path)])
    figures = [_figures(Path(path)) for path in paths]
    names = _names([Path(path) for path in paths], figures)
    comparison = compare_reports(dict(zip(names, figures, strict=True)), different_data=different_data)
    written = write_comparison(comparison, output)
    return f"{comparison_text(comparison)}\n\n{written}"


def _figures(path):
    file = path if path.suffix == ".json" else path / JSON
    try:
        return read_figures(file)
    except FileNotFoundError:
        raise InputError(
            f"{path} holds no measured embedding ({file.name}). Measure it first: keras-ae report {path}"
        ) from None


def _names(paths, figures):
    """The title of each; with the time of the run, or a number, where titles are equal."""
    titles = [one["title"] for one in figures]
    names = []
    for path, title in zip(paths, titles, strict=True):
        name = title
        if titles.count(title) > 1:
            own = path.parent.name if path.suffix == ".json" and path.name == JSON else path.stem
            name = f"{title} {own}"
        number = 1
        while name in names:
            number += 1
            name = f"{name.removesuffix(f' ({number - 1})')} ({number})"
        names.append(name)
    return names
