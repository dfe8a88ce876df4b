"""The page of a comparison."""

from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.evaluation.report.comparison import HIGHER, comparison_table
from keras_ae.evaluation.report.record import as_json
from keras_ae.files import page_outputs, write_atomically
from keras_ae.pages.template import render


def write_comparison(comparison: dict, path: str | Path) -> Path:
    """Write the page of a comparison to `path`, and itself as JSON beside it.

    Args:
        comparison: of `compare_reports`.
        path: an .html file.

    Raises:
        InputError: the path is none, or cannot be written to.
    """
    path, figures = page_outputs(path)
    page = render(
        "keras_ae.evaluation.report/comparison.html",
        "evaluation",
        names=list(comparison["rows"]),
        facts=sorted(set(comparison["data"].values())),
        table=comparison_table(comparison),
        charts=[chart for column in comparison["columns"] if (chart := _chart(comparison, column))],
        differences=comparison["differences"],
        json_name=figures.name,
    )
    try:
        write_atomically(figures, as_json(comparison))
        return write_atomically(path, page)
    except OSError as error:
        raise InputError(f"The comparison cannot be written to {path}: {error}.") from error


def _chart(comparison, column):
    """Bars of one figure; `None` where fewer than two embeddings have it, or none is better."""
    key = column["key"]
    values = {name: row[key] for name, row in comparison["rows"].items() if key in row}
    if len(values) < 2 or not column["better"]:
        return None
    largest = max(map(abs, values.values())) or 1.0
    bars = [
        {
            "name": name,
            "length": round(100 * max(0.0, value) / largest, 1),
            "text": comparison["texts"][name][key],
            "best": name in comparison["best"].get(key, []),
        }
        for name, value in values.items()
    ]
    better = "higher is better" if column["better"] == HIGHER else "lower is better"
    return {"head": column["head"], "better": better, "bars": bars}
