"""Tables and cards of a report, as plain values for its template."""

import math

from keras_ae.pages.formats import format_name, format_number
from keras_ae.pages.glossary import definitions, run_label, run_measure
from keras_ae.pages.tables import (
    Card,
    Cell,
    Row,
    Table,
    column_label,
    flatten,
    is_finite_number,
    is_number,
    pairs_table,
    value_cell,
)
from keras_ae.training.report._record import Export

HEADLINES = (  # most important first; the first measured key of each line is shown as a card
    {
        "mse": "mean squared error",
        "error": "squared, in standard deviations; 1 for a wrong category",
        "reconstruction_loss": "mean reconstruction loss",
        "loss": "objective",
    },
    {"auc": "anomalies against normal rows, area under the ROC curve"},
    {"gain": "nats by which the loss is below that of equal scores"},
    {"context_accuracy": "best of all sentences of the block is a neighbour"},
    {"next_perplexity": "of the words of the next sentence"},
    {"bits_per_dim": "bound on the length of an image, bits per pixel and channel"},
    {"purity": "frames whose code stands for their phone, fraction"},
    {"usage": "fraction chosen at least once"},
    {"perplexity": "effective number of codes"},
    {"kl_loss": "divergence from the prior, nats"},
    {"bits_per_image": "length of the code", "bits": "length of the code"},
    {
        "phone_accuracy": "linear probe of the frames, fraction right",
        "linear_probe": "of the embedding, fraction right",
        "probe_accuracy": "of the codes of all test images, fraction right",
        "accuracy": "fraction right",
    },
    {"speaker_accuracy": "linear probe of the utterances, fraction right"},
)
MOST_CARDS = 5
LOWER_IS_BETTER = ("mse", "mae", "error", "loss", "nll", "bpd", "bits_per_dim")


def measured(metrics: dict) -> dict:
    """Return all results of the run itself, `{dotted key: value}`; the prefix `test.` is omitted."""
    own = {name: value for name, value in metrics.items() if name != "baselines"}
    return {name.removeprefix("test."): value for name, value in flatten(own).items()}


def headline_cards(metrics: dict, history: dict) -> list[Card]:
    """Return cards of the most important results; those of the last epoch if nothing was tested."""
    values, suffix = measured(metrics), ""
    if not values:
        values = {name: column[-1] for name, column in history.items()}
        suffix = ", last epoch"
    cards = []
    for meanings in HEADLINES:
        found = [(key, key_of(values, key)) for key in meanings]
        found = [(key, place) for key, place in found if place is not None and is_number(values[place])]
        if found:
            key, place = found[0]
            note = _best_baseline(metrics, key) or meanings[key]
            label = format_name(key) + suffix if suffix else run_label(place)
            cards.append(Card(label, format_number(values[place], digits=3), note))
    return cards[:MOST_CARDS]


def baseline_table(metrics: dict, name: str) -> Table | None:
    """Return a table of the run and its baselines with bars, best first if lower is better."""
    baselines = baselines_of(metrics.get("baselines"))
    own = measured(metrics)
    columns = list(dict.fromkeys(key for values in baselines.values() for key in values))
    if not columns:
        return None
    first = columns[0]
    rows = [(name, {key: _measured_as(own, key) for key in columns}, True)]
    rows += [(baseline, values, False) for baseline, values in baselines.items()]
    if lower_is_better(first):
        rows.sort(key=lambda row: _sortable(row[1].get(first)))
    sizes = [values[first] for _, values, _ in rows if is_finite_number(values.get(first))]
    largest = max(map(abs, sizes), default=0)
    built = [
        Row(label, [value_cell(values.get(key), largest if key == first else 0) for key in columns], is_own)
        for label, values, is_own in rows
    ]
    return Table(["", *map(column_label, columns)], built)


def column_table(columns: dict) -> Table | None:
    """Return a table of the errors of the columns of a table, the largest first; `None` without columns."""
    if not columns:
        return None
    order = sorted(columns, key=lambda name: -_sortable(columns[name].get("error")))
    sizes = [entry["error"] for entry in columns.values() if is_finite_number(entry.get("error"))]
    largest = max(sizes, default=0)
    rows = [
        Row(
            name,
            [
                value_cell(columns[name].get("error"), largest, digits=3),
                value_cell(columns[name].get("baseline"), digits=3),
            ],
        )
        for name in order
    ]
    return Table(["column", "error", "of the mean row"], rows)


def metric_tables(metrics: dict) -> list[Table]:
    """Return tables of all results: first those of the test, then one table per further group."""
    groups: dict[str, dict] = {"test": {}}
    for key, value in metrics.items():
        if isinstance(value, dict):
            groups[key] = {**groups.get(key, {}), **value}
        else:
            groups["test"][key] = value
    if baselines_of(groups.get("baselines")):
        del groups["baselines"]
    return [
        pairs_table(values, format_name(group), label=_label_in(group))
        for group, values in groups.items()
        if values
    ]


def definitions_of(metrics: dict) -> list[tuple[str, str]]:
    """Return `[(label, definition)]` of the results of a run and of its baselines."""
    keys = [*measured(metrics), *flatten(baselines_of(metrics.get("baselines")))]
    return definitions(map(run_measure, keys))


def _label_in(group):
    """Return a function that labels the keys of a group of `metrics.json`."""

    def label(key):
        known = run_measure(f"{group}.{key}")
        return column_label(key if known is None else f"{group}.{key}")

    return label


def export_table(export: Export) -> Table | None:
    """Return a table of the largest difference of each output of each endpoint over all verified batches."""
    groups: dict[tuple[str, str], list[dict]] = {}
    found = export.manifest.get("verification")
    for row in found if isinstance(found, list) else ():
        if isinstance(row, dict):
            groups.setdefault((str(row.get("endpoint", "–")), str(row.get("output", "–"))), []).append(row)
    rows = [
        Row(
            endpoint,
            [
                Cell(output),
                Cell("equal" if all(row.get("ok") is True for row in found) else "DIFFERS"),
                value_cell(_largest(found, "difference"), digits=2),
                value_cell(_largest(found, "relative"), digits=2),
                value_cell(_total(found, "ties")),
                value_cell(len(found)),
            ],
        )
        for (endpoint, output), found in groups.items()
    ]
    heads = ["endpoint", "output", "verdict", "largest difference", "relative", "ties", "comparisons"]
    return Table(heads, rows) if rows else None


def baselines_of(baselines: object) -> dict[str, dict]:
    """Convert `{name: {key: value}}` or `{name: squared error}` to `{name: {key: value}}`."""
    rows = baselines.items() if isinstance(baselines, dict) else ()
    return {name: flatten(row) if isinstance(row, dict) else {"mse": row} for name, row in rows}


def _measured_as(values, key):
    """Return the value of `key`, or of the first dotted key that ends with it."""
    return values.get(key_of(values, key))


def key_of(values: dict, key: str) -> str | None:
    """Return `key`, or the first dotted key that ends with it, or `None`."""
    if key in values:
        return key
    return next((name for name in values if name.rpartition(".")[2] == key), None)


def _best_baseline(metrics, key):
    """Return the best baseline with the run's code length, or the best of all if none has that length."""
    rows = {
        name: row
        for name, row in baselines_of(metrics.get("baselines")).items()
        if is_finite_number(row.get(key))
    }
    if not rows or not lower_is_better(key):
        return None
    bits, words = _measured_as(measured(metrics), "bits_per_image"), "best baseline"
    equal = {name: row for name, row in rows.items() if bits and row.get("bits_per_image") == bits}
    if equal:
        rows, words = equal, "at the same length"
    best = min(rows, key=lambda name: rows[name][key])
    return f"{words}: {best}, {format_number(rows[best][key], digits=3)}"


def _largest(rows, key):
    return max((row[key] for row in rows if is_number(row.get(key))), default=None)


def _total(rows, key):
    found = [row[key] for row in rows if is_number(row.get(key))]
    return sum(found) if found else None


def lower_is_better(key: str) -> bool:
    """Return whether a smaller value of the result is better."""
    return key.rpartition(".")[2].endswith(LOWER_IS_BETTER)


def _sortable(value):
    return value if is_finite_number(value) else math.inf
