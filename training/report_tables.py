"""The tables and cards of a report, as plain values for its template."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from keras_ae.training.number_format import flatten, format_name, format_number, format_value
from keras_ae.training.run_record import Export

HEADLINES = (  # most important first; of each line the first key that was measured makes a card
    {
        "mse": "mean squared error",
        "reconstruction_loss": "mean reconstruction loss",
        "loss": "objective",
    },
    {"bits_per_dim": "bound on the length of an image, bits per pixel and channel"},
    {"usage": "fraction of the codes in use"},
    {"perplexity": "effective number of codes"},
    {"kl_loss": "divergence from the prior, nats"},
    {"bits_per_image": "length of the code", "bits": "length of the code"},
    {
        "linear_probe": "of the embedding, fraction right",
        "probe_accuracy": "of the embedding, fraction right",
        "accuracy": "fraction right",
    },
)
MOST_CARDS = 5
UNITS = {"psnr": "dB", "kl_loss": "nats"}
LOWER_IS_BETTER = ("mse", "mae", "error", "loss", "nll", "bpd", "bits_per_dim")


@dataclass(frozen=True)
class Cell:
    """One cell of a table: its text, whether it is a number, the length of its bar in [0, 1]."""

    text: str
    number: bool = False
    bar: float | None = None


@dataclass(frozen=True)
class Row:
    """One row of a table; `own` marks the run among its baselines."""

    name: str
    cells: Sequence[Cell]
    own: bool = False


@dataclass(frozen=True)
class Table:
    """Heads of the columns, the first above the names (none: no head row), and rows."""

    heads: Sequence[str]
    rows: Sequence[Row]
    title: str = ""

    def is_number(self, column: int) -> bool:
        """Whether any cell of the column is a number, so that all of it stands to the right."""
        return column >= 0 and any(row.cells[column].number for row in self.rows)

    def has_bar(self, column: int) -> bool:
        """Whether any cell of the column has a bar."""
        return column >= 0 and any(row.cells[column].bar is not None for row in self.rows)


@dataclass(frozen=True)
class Card:
    """A headline number: what it is, the number, a remark."""

    label: str
    value: str
    note: str


def measured(metrics: dict) -> dict:
    """Everything measured on the run itself, `{dotted key: value}`; `test.` is implied."""
    own = {name: value for name, value in metrics.items() if name != "baselines"}
    return {name.removeprefix("test."): value for name, value in flatten(own).items()}


def headline_cards(metrics: dict, history: dict) -> list[Card]:
    """The numbers one wants to see first; those of the last epoch where nothing was tested."""
    values, suffix = measured(metrics), ""
    if not values:
        values = {name: column[-1] for name, column in history.items()}
        suffix = ", last epoch"
    cards = []
    for meanings in HEADLINES:
        found = [(key, _measured_as(values, key)) for key in meanings]
        found = [(key, value) for key, value in found if _is_number(value)]
        if found:
            key, value = found[0]
            note = _best_baseline(metrics, key) or meanings[key]
            cards.append(Card(format_name(key) + suffix, format_number(value, digits=3), note))
    return cards[:MOST_CARDS]


def comparison_table(metrics: dict, name: str) -> Table | None:
    """The run among its baselines, best first where lower is better, with bars."""
    baselines = _baselines(metrics.get("baselines"))
    own = measured(metrics)
    columns = list(dict.fromkeys(key for values in baselines.values() for key in values))
    if not columns:
        return None
    first = columns[0]
    rows = [(name, {key: _measured_as(own, key) for key in columns}, True)]
    rows += [(baseline, values, False) for baseline, values in baselines.items()]
    if _lower_is_better(first):
        rows.sort(key=lambda row: _sortable(row[1].get(first)))
    sizes = [values[first] for _, values, _ in rows if _is_finite(values.get(first))]
    largest = max(map(abs, sizes), default=0)
    built = [
        Row(label, [_cell(values.get(key), largest if key == first else 0) for key in columns], is_own)
        for label, values, is_own in rows
    ]
    return Table(["", *map(_label, columns)], built)


def metric_tables(metrics: dict) -> list[Table]:
    """All measured numbers: those of the test, then one table for each further group."""
    groups = {"test": {}}
    for key, value in metrics.items():
        if isinstance(value, dict):
            groups[key] = {**groups.get(key, {}), **value}
        else:
            groups["test"][key] = value
    if _baselines(groups.get("baselines")):
        del groups["baselines"]
    return [pairs_table(values, format_name(group)) for group, values in groups.items() if values]


def pairs_table(values: dict, title: str = "", setting: bool = False) -> Table:
    """Names and values; `setting` prints numbers as they were written."""
    rows = []
    for name, value in flatten(values).items():
        cell = Cell(format_value(value)) if setting or not _is_number(value) else _cell(value)
        rows.append(Row(name if setting else _label(name), [cell]))
    return Table([], rows, title)


def verification_table(export: Export) -> Table | None:
    """Largest difference of every output of every endpoint, over all verified batches."""
    groups, found = {}, export.manifest.get("verification")
    for row in found if isinstance(found, list) else ():
        if isinstance(row, dict):
            groups.setdefault((str(row.get("endpoint", "–")), str(row.get("output", "–"))), []).append(row)
    rows = [
        Row(
            endpoint,
            [
                Cell(output),
                Cell("equal" if all(row.get("ok") is True for row in found) else "DIFFERS"),
                _cell(_largest(found, "difference"), digits=2),
                _cell(_largest(found, "relative"), digits=2),
                _cell(_total(found, "ties")),
                _cell(len(found)),
            ],
        )
        for (endpoint, output), found in groups.items()
    ]
    heads = ["endpoint", "output", "verdict", "largest difference", "relative", "ties", "comparisons"]
    return Table(heads, rows) if rows else None


def _baselines(baselines):
    """`{name: {key: value}}` of `{name: {key: value}}` or of `{name: squared error}`."""
    rows = baselines.items() if isinstance(baselines, dict) else ()
    return {name: flatten(row) if isinstance(row, dict) else {"mse": row} for name, row in rows}


def _label(key):
    unit = UNITS.get(key.rpartition(".")[2])
    return f"{format_name(key)}, {unit}" if unit else format_name(key)


def _measured_as(values, key):
    """The value of `key`, or of the first dotted key that ends with it."""
    if key in values:
        return values[key]
    return next((value for name, value in values.items() if name.rpartition(".")[2] == key), None)


def _best_baseline(metrics, key):
    """The best baseline of the run's code length, or of all where none has that length."""
    rows = {
        name: row for name, row in _baselines(metrics.get("baselines")).items() if _is_finite(row.get(key))
    }
    if not rows or not _lower_is_better(key):
        return None
    bits, words = _measured_as(measured(metrics), "bits_per_image"), "best baseline"
    equal = {name: row for name, row in rows.items() if bits and row.get("bits_per_image") == bits}
    if equal:
        rows, words = equal, "at the same length"
    best = min(rows, key=lambda name: rows[name][key])
    return f"{words}: {best}, {format_number(rows[best][key], digits=3)}"


def _cell(value, largest=0.0, digits=4):
    if not _is_number(value):
        return Cell(format_value(value))
    bar = abs(value) / largest if largest and math.isfinite(value) else None
    return Cell(format_number(value, digits), number=True, bar=bar)


def _largest(rows, key):
    return max((row[key] for row in rows if _is_number(row.get(key))), default=None)


def _total(rows, key):
    found = [row[key] for row in rows if _is_number(row.get(key))]
    return sum(found) if found else None


def _lower_is_better(key):
    return key.rpartition(".")[2].endswith(LOWER_IS_BETTER)


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_finite(value):
    return _is_number(value) and math.isfinite(value)


def _sortable(value):
    return value if _is_finite(value) else math.inf
