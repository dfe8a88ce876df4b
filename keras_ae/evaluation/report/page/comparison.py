"""Comparison of several embedding reports in one table and one page."""

import math
from dataclasses import dataclass
from pathlib import Path

from keras_ae.errors import InputError
from keras_ae.evaluation.report.page.findings import label, leak_of, score
from keras_ae.evaluation.report.record import as_json
from keras_ae.files import page_outputs, write_atomically
from keras_ae.pages.formats import format_decimals, format_lines, format_number, format_percent
from keras_ae.pages.tables import Cell, Row, Table
from keras_ae.pages.template import render

HIGHER, LOWER, NEITHER = 1, -1, 0


@dataclass(frozen=True)
class Column:
    """One result of a comparison: its key, its heading, which values are better, and its format."""

    key: str
    head: str
    better: int
    text: object = format_number


def compare_reports(reports: dict, *, different_data: bool = False) -> dict:
    """Return the results of several reports, one row per report, with the best value of each column.

    Values that are equal when printed are all best. If the data or the settings of the reports
    differ, no value is best.

    Args:
        reports: `{name: results}` with at least two results of `embedding_report`.
        different_data: whether to compare reports on different data.

    Returns:
        `{"columns": [{"key", "head", "better"}], "rows": {name: {key: value}}, "texts": {name: {key:
        printed value}}, "best": {key: [names]}, "data": {name: description}, "differences":
        [sentences]}`, JSON-compatible.

    Raises:
        InputError: there is a single report, or the data differ and `different_data` is false.
    """
    if len(reports) < 2:
        raise InputError(f"A comparison must have two or more embeddings. Received: {len(reports)}")
    data = {name: data_of(results) for name, results in reports.items()}
    differences = _differences(reports, data)
    if len(set(data.values())) > 1 and not different_data:
        listed = "; ".join(f"{name}: {text}" for name, text in data.items())
        raise InputError(
            "The embeddings must be measured on the same data. "
            f"Received: different data, whose results are not comparable: {listed}. "
            "Measure them on the same data (keras-ae report RUN --data ...), or add --different-data."
        )
    rows = {name: _row(results) for name, results in reports.items()}
    columns = [column for column in _columns(reports) if any(column.key in row for row in rows.values())]
    best = {} if differences else {column.key: _best(column, rows) for column in columns if column.better}
    return {
        "columns": [{"key": c.key, "head": c.head, "better": c.better} for c in columns],
        "rows": rows,
        "texts": {
            name: {c.key: c.text(row[c.key]) for c in columns if c.key in row} for name, row in rows.items()
        },
        "best": best,
        "data": data,
        "differences": differences,
    }


def comparison_table(comparison: dict) -> Table:
    """Return a comparison as a table for the template."""
    rows = []
    for name in comparison["rows"]:
        cells = []
        for column in comparison["columns"]:
            text = comparison["texts"][name].get(column["key"], "")
            best = name in comparison["best"].get(column["key"], [])
            cells.append(Cell(text, number=True, best=best))
        rows.append(Row(name, cells))
    return Table(["", *(column["head"] for column in comparison["columns"])], rows)


def comparison_text(comparison: dict) -> str:
    """Return a comparison as text for the terminal, where `*` marks the best values."""
    # one result per line and one report per column, because there are many results
    table = comparison_table(comparison).transposed()
    lines = [list(table.heads)]
    lines += [
        [row.name, *(f"{cell.text}{'*' if cell.best else ''}" for cell in row.cells)] for row in table.rows
    ]
    shown = format_lines(lines)
    return "\n".join([*shown, *(f"! {text}" for text in comparison["differences"])])


def data_of(results: dict) -> str:
    """Return a description of the data of a report; equal descriptions mean equal data."""
    origin = results["about"].get("data")
    data = results["data"]
    shape = "x".join(map(str, data["shape"]))
    factors = ", ".join([*data["factors"], *data["nuisances"]])
    counts = f"{data['n_train']:,} to fit, {data['n_test']:,} held out"
    source = f"{origin['name']}, " if origin else ""
    named = f"; {factors}" if factors else ""
    return f"{source}{data['kind']} {shape}, {counts}{named}; fingerprint {data['fingerprint']}"


def _differences(reports, data):
    found = []
    if len(set(data.values())) > 1:
        found.append("The data differ, so the results are not comparable: no value is marked as the best.")
    for name in ("seeds", "max_steps", "num_candidates", "pair_side", "seed"):
        values = sorted({str(results["settings"].get(name)) for results in reports.values()})
        if len(values) > 1:
            listed = ", ".join(values)
            found.append(
                f"The reports differ in {name.replace('_', ' ')} ({listed}): no value is marked as the best."
            )
    return found


def _columns(reports):
    factors = list(dict.fromkeys(name for one in reports.values() for name in one["probes"]))
    nuisances = list(dict.fromkeys(name for one in reports.values() for name in one["leaks"]))
    columns = [Column("numbers", label("numbers"), NEITHER), Column("bits", label("bits"), NEITHER)]
    for name in factors:
        kind = next(one["probes"][name] for one in reports.values() if name in one["probes"])
        text = _scored(kind)
        columns += [
            Column(f"{name}.{key}", f"{name}, {label(key)}", HIGHER, text) for key in ("linear", "mlp", "knn")
        ]
    for name in nuisances:
        columns.append(Column(f"{name}.leak", f"{label('leak')} of {name}", LOWER, format_percent))
    columns += [
        Column("ld_star", label("ld_star"), LOWER, format_decimals),
        Column("ld_star_noise", label("ld_star_noise"), LOWER, format_decimals),
        Column("info_nce", label("info_nce"), HIGHER, format_decimals),
        Column("retrieval", label("retrieval"), HIGHER, format_percent),
        Column("mse", label("reconstruction.mse"), LOWER, lambda value: format_number(value, 3)),
        Column("usage", label("codes.usage"), HIGHER, format_percent),
        Column("perplexity", label("codes.perplexity"), NEITHER, lambda value: format_number(value, 3)),
        Column("mig", label("mig"), HIGHER, format_decimals),
        Column("dci", label("dci"), HIGHER, format_decimals),
        Column("sap", label("sap"), HIGHER, format_decimals),
    ]
    return columns


def _row(results):
    row = {"numbers": results["encoder"]["numbers"]}
    for name, one in results["probes"].items():
        row.update({f"{name}.{key}": one[key] for key in ("linear", "mlp", "knn") if key in one})
    row.update({f"{name}.leak": leak_of(one) for name, one in results["leaks"].items()})
    for pairs in results["pairs"]["rows"][:1]:
        row.update({key: pairs[key] for key in ("ld_star", "info_nce", "retrieval")})
        row["ld_star_noise"] = pairs["noise"].get("1.0")
    row["mse"] = (results["reconstruction"] or {}).get("mse")
    row.update(
        {key: results["codes"][key] for key in ("bits", "usage", "perplexity")} if results["codes"] else {}
    )
    if results["disentanglement"]:
        own = results["disentanglement"]["rows"]["embedding"]
        names = {"mig": "mig", "dci": "dci_disentanglement", "sap": "sap"}
        row.update({key: own[name] for key, name in names.items() if name in own})
    return {key: value for key, value in row.items() if value is not None and math.isfinite(value)}


def _best(column, rows):
    """Return the names of the rows whose printed value equals the best printed value."""
    values = {name: row[column.key] for name, row in rows.items() if column.key in row}
    if len(values) < 2:
        return []
    best = max(values.values()) if column.better == HIGHER else min(values.values())
    return [name for name, value in values.items() if column.text(value) == column.text(best)]


def _scored(results):
    return lambda value: score(value, results)


def write_comparison(comparison: dict, path: str | Path) -> Path:
    """Write the page of a comparison to `path`, and the comparison as JSON next to it.

    Args:
        comparison: the result of `compare_reports`.
        path: path of an .html file.

    Raises:
        InputError: the path is not that of an .html file, or cannot be written to.
    """
    path, json_path = page_outputs(path)
    page = render(
        "keras_ae.evaluation.report/comparison.html",
        "evaluation",
        names=list(comparison["rows"]),
        facts=sorted(set(comparison["data"].values())),
        table=comparison_table(comparison).transposed(),
        charts=[chart for column in comparison["columns"] if (chart := _chart(comparison, column))],
        differences=comparison["differences"],
        json_name=json_path.name,
    )
    try:
        write_atomically(json_path, as_json(comparison))
        return write_atomically(path, page)
    except OSError as error:
        raise InputError(f"The comparison cannot be written to {path}: {error}.") from error


def _chart(comparison, column):
    """Return the bars of one result, or `None` if it has fewer than two values or no better direction."""
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
