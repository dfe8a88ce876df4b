"""The table of tasks, and sentences to read."""

import math

import pytest

from keras_ae.training.report._record import read_run
from keras_ae.training.report.examples import SentenceReading, read_reading, write_reading
from keras_ae.training.report.page import write_report
from keras_ae.training.report.transfer import transfer_table, transfer_text

ROWS = {
    "mine": {
        "mrpc": {"accuracy": 0.7, "interval": [0.6, 0.8], "f1": 0.81, "f1_interval": [0.7, 0.9]},
        "stsb": {
            "pearson": 0.5,
            "interval": [0.4, 0.6],
            "cosine_spearman": 0.3,
            "cosine_interval": [0.2, 0.4],
        },
    },
    "majority": {"mrpc": {"accuracy": 0.75, "interval": [0.7, 0.8]}},
    "odd": {"stsb": {"pearson": math.nan}},
}


def test_a_column_for_each_measure_and_the_best_of_each_marked():
    table = transfer_table(ROWS)
    assert table.heads == ["", "mrpc", "mrpc, F1", "stsb, regression r", "stsb, cosine ρ"]
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["0.700", "0.810", "0.500", "0.300"],
        ["0.750", "–", "–", "–"],
        ["–", "–", "–", "–"],
    ]
    assert [[cell.best for cell in row.cells] for row in table.rows[:2]] == [
        [False, True, True, True],
        [True] + [False] * 3,
    ]
    assert table.rows[0].cells[3].note == "0.200 to 0.400" and table.rows[1].cells[0].note == "0.700 to 0.800"
    assert [row.own for row in table.rows] == [True, False, False]


def test_the_same_on_a_terminal():
    lines = transfer_text(ROWS).split("\n")
    assert [line.split()[0] for line in lines] == ["mrpc", "mine", "majority", "odd"]
    assert (
        len({line.index(text) + len(text) for line, text in zip(lines[1:3], ("0.700", "0.750"), strict=True)})
        == 1
    )
    assert transfer_table({}) is None and transfer_text({"mine": {}}) == ""


READING = SentenceReading(
    [("a <b>", [("c d", 0.5)])], [("cat", [("dog", 0.9)])], [("a", "b", ["x", "y & z"])]
)


def test_what_is_written_is_read_and_shown(run_directory):
    write_reading(run_directory, READING)
    problems = []
    read = read_reading(run_directory, problems)
    assert read.sentences == [["a <b>", [["c d", 0.5]]]] and not problems
    page = write_report(run_directory).read_text()
    for part in ("a &lt;b&gt;", "c d", "0.50", "dog", "y &amp; z", 'href="#reading"'):
        assert part in page


@pytest.mark.parametrize("content", ["{", '{"sentences": [["a"]]}', '{"other": 1}', "[]"])
def test_a_damaged_file_is_left_out_and_told(run_directory, content):
    (run_directory / "reading.json").write_text(content)
    run = read_run(run_directory)
    assert run.reading is None and "reading.json cannot be read" in run.problems[-1]
