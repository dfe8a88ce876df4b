"""Results of transfer tasks as a table, on a page and on a terminal."""

from collections.abc import Mapping

from keras_ae.pages.formats import format_lines
from keras_ae.pages.glossary import TRANSFER, definitions
from keras_ae.pages.tables import Cell, Row, Table, is_finite_number

MEASURES = (  # displayed results of a task: result, its interval, label of the column
    ("accuracy", "interval", "{}"),
    ("f1", "f1_interval", f"{{}}, {TRANSFER['f1'].label}"),
    ("pearson", "interval", f"{{}}, {TRANSFER['pearson'].label}"),
    ("cosine_spearman", "cosine_interval", f"{{}}, {TRANSFER['cosine_spearman'].label}"),
)


def transfer_table(rows: Mapping) -> Table | None:
    """Return a table with one row per encoder or control and one column per result, the best marked.

    Args:
        rows: `{row: {task: results}}` as in `evaluation.transfer` and `transfer_controls`; the first
            row is the subject of the page.

    Example:

    >>> table = transfer_table({"mine": {"trec": {"accuracy": 0.8312, "interval": [0.79, 0.86]}}})
    >>> table.heads, table.rows[0].cells[0].text, table.rows[0].cells[0].note
    (['', 'trec'], '0.831', '0.790 to 0.860')
    """
    columns = [
        (task, measure, interval, label.format(task))
        for task in dict.fromkeys(task for tasks in rows.values() for task in tasks)
        for measure, interval, label in MEASURES
        if any(measure in tasks.get(task, {}) for tasks in rows.values())
    ]
    if not columns:
        return None
    best = {
        column: max(_value(tasks, column) for tasks in rows.values() if _value(tasks, column) is not None)
        for column in columns
        if any(_value(tasks, column) is not None for tasks in rows.values())
    }
    built = [
        Row(name, [_cell(tasks, column, best.get(column)) for column in columns], own=number == 0)
        for number, (name, tasks) in enumerate(rows.items())
    ]
    return Table(["", *(label for *_, label in columns)], built)


def transfer_text(rows: Mapping) -> str:
    """Return the table as lines of text, one per row, without intervals."""
    table = transfer_table(rows)
    if table is None:
        return "\n".join(transfer_notes(rows))
    lines = [list(table.heads), *([row.name, *(cell.text for cell in row.cells)] for row in table.rows)]
    return "\n".join([*format_lines(lines), *(f"! {one}" for one in transfer_notes(rows))])


def definitions_of_transfer(rows: Mapping) -> list[tuple[str, str]]:
    """Return `[(label, definition)]` of the results that any row has."""
    found = {name for tasks in rows.values() for results in tasks.values() for name in results}
    return definitions(measure for name, measure in TRANSFER.items() if name in found)


def transfer_notes(rows: Mapping) -> list[str]:
    """Return which tasks were left out, and why.

    Example:

    >>> transfer_notes({"mine": {"mood": {"kind": "classes", "left_out": "one class."}}})
    ['mood was left out: one class.']
    """
    reasons = {
        task: results["left_out"]
        for tasks in rows.values()
        for task, results in tasks.items()
        if "left_out" in results
    }
    return [f"{task} was left out: {reason}" for task, reason in reasons.items()]


def _value(tasks, column):
    task, measure, *_ = column
    value = tasks.get(task, {}).get(measure)
    return value if is_finite_number(value) else None


def _cell(tasks, column, best):
    value = _value(tasks, column)
    if value is None:
        return Cell("–")
    bounds = tasks[column[0]].get(column[2])
    note = f"{bounds[0]:.3f} to {bounds[1]:.3f}" if bounds else ""
    return Cell(f"{value:.3f}", number=True, best=value == best, note=note)
