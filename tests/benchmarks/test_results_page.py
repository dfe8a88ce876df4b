"""The pages of results: what they contain of the records, read back from their Markdown."""

import json
import re
from itertools import takewhile
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

DOCS = Path(__file__).resolve().parents[2] / "docs"
CELL = re.compile(
    r"(?P<mean>-?[\d,.]+)(?: ± (?P<sd>[\d,.]+))?(?: \([a-z ]+ (?P<quoted>[\d.,]+)\))?(?:<br>(?P<verdict>.*))?"
)
VERDICT = re.compile(
    r'<span class="(met|missed)">(?:\*\*)?(met|missed)(?:\*\*)?, '
    r"goal (at most|at least|below|above) (\S+)</span>"
)
REACHED = {
    "at most": lambda mean, bound: mean <= bound,
    "at least": lambda mean, bound: mean >= bound,
    "below": lambda mean, bound: mean < bound,
    "above": lambda mean, bound: mean > bound,
}
SIGNS = {"<=": "at most", ">=": "at least", "<": "below", ">": "above"}
PAGES = sorted((DOCS / "results").glob("*.md"))


@pytest.fixture
def results(benchmark_module):
    return benchmark_module("render_results")


def tables(text):
    """Yield (heading, cells of the head, rows of cells, the sentences around) of each Markdown table."""
    for section in re.split(r"^#+ ", text, flags=re.M)[1:]:
        lines = section.splitlines()
        start = next((number for number, line in enumerate(lines) if line.startswith("|")), None)
        if start is not None:
            rows = [
                line.strip("|").split(" | ")
                for line in takewhile(lambda line: line[:1] == "|", lines[start:])
            ]
            rows = [[cell.strip() for cell in row] for row in rows]
            words = [line for line in lines if line and line[0] != "|"]
            yield lines[0], rows[0], rows[2:], words


def result_tables(text):
    return [table for table in tables(text) if table[1][0] == ""]


def records_of(text):
    files = re.findall(r"\(([\w-]+\.json)\)", text)
    return {
        name: record
        for file in files
        for name, record in json.loads((DOCS / "results" / file).read_text()).items()
    }


def value(text):
    """The number of a cell, and half of its last digit."""
    plain = text.replace(",", "")
    return float(plain), 0.501 * 10.0 ** -len(plain.partition(".")[2])


def is_shown(cell, record):
    mean, margin = value(cell["mean"])
    if abs(mean - record["mean"]) > margin or (cell["sd"] is None) != (record["n"] == 1):
        return False
    if cell["sd"] is not None and abs(value(cell["sd"])[0] - record["sd"]) > value(cell["sd"])[1]:
        return False
    if cell["quoted"] and cell["quoted"] not in record["note"]:
        return False
    words = VERDICT.fullmatch(cell["verdict"]).groups()[2:] if cell["verdict"] else ()
    sign, _, bound = record["goal"].partition(" ")
    return words == ((SIGNS[sign], bound) if sign else ())


def test_the_pages_are_what_the_records_give(results):
    assert results.main(["--check"]) == 0


def test_no_page_is_larger_than_40_kilobytes():
    assert {
        page.name: page.stat().st_size
        for page in [DOCS / "results.md", *PAGES]
        if page.stat().st_size > 40_000
    } == {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_cell_is_one_record_and_each_record_one_cell(page):
    text = page.read_text(encoding="utf-8")
    cells = [cell for _, _, rows, _ in result_tables(text) for row in rows for cell in row[1:] if cell]
    records = list(records_of(text).values())
    shown = [[is_shown(CELL.fullmatch(cell), record) for record in records] for cell in cells]
    assert len(cells) == len(records)
    assert (maximum_bipartite_matching(csr_matrix(np.array(shown))) >= 0).all()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_met_and_missed_are_true_of_the_number_that_is_shown(page):
    text = page.read_text(encoding="utf-8")
    verdicts = 0
    for _, _, rows, _ in result_tables(text):
        for cell in map(CELL.fullmatch, (cell for row in rows for cell in row[1:] if cell)):
            if cell["verdict"]:
                colour, word, comparison, bound = VERDICT.fullmatch(cell["verdict"]).groups()
                reached = REACHED[comparison](value(cell["mean"])[0], float(bound))
                assert (colour, word) == (("met", "met") if reached else ("missed", "missed"))
                verdicts += 1
    assert verdicts == sum(bool(record["goal"]) for record in records_of(text).values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_was_missed_comes_first(page):
    lost = [
        ["**missed**" in " ".join(row) for row in rows] for _, _, rows, _ in result_tables(page.read_text())
    ]
    assert [sorted(rows, reverse=True) for rows in lost] == lost
    assert sorted((any(rows) for rows in lost), reverse=True) == [any(rows) for rows in lost]


def test_the_index_lists_what_was_missed_in_all_subjects_and_links_each_page():
    text = (DOCS / "results.md").read_text(encoding="utf-8")
    (_, _, missed, words), (_, _, subjects, _) = tables(text)
    records = {page.stem: records_of(page.read_text()) for page in PAGES}
    goals = [record for page in records.values() for record in page.values() if record["goal"]]
    lost = [record for record in goals if not _reached(record)]
    assert words[1] == f"**{len(lost)} of {len(goals)} goals missed.**"
    assert len(missed) == len(lost)
    for where, _, shown, goal, _ in missed:
        target, anchor = re.fullmatch(r"\[.*\]\(results/(\w+)\.md#([\w-]+)\)", where).groups()
        headings = re.findall(r"^## (.*)$", (DOCS / "results" / f"{target}.md").read_text(), flags=re.M)
        assert anchor in [re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") for heading in headings]
        cell = CELL.fullmatch(shown.partition(" <span")[0])
        plain = [
            {**record, "goal": ""}
            for record in records[target].values()
            if record in lost and _goal(record) == goal
        ]
        assert any(is_shown(cell, record) for record in plain)
    assert sorted(re.findall(r"\(results/(\w+)\.md\)", str(subjects))) == sorted(records)


def _reached(record):
    sign, bound = record["goal"].split()
    return REACHED[SIGNS[sign]](record["mean"], float(bound))


def _goal(record):
    sign, bound = record["goal"].split()
    return f"{SIGNS[sign]} {bound}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_numbers_in_sentences_are_those_of_notes_and_commands(page, benchmark_module):
    declared = benchmark_module("parts.result_tables")
    subjects = declared.read_subjects(
        DOCS.parent / "benchmarks" / "results.toml", [path.stem for path in (DOCS / "results").glob("*.json")]
    )
    (subject,) = [subject for subject in subjects if subject.page == page.stem]
    records = declared.read_subject_records(subject, DOCS / "results")
    texts = [text for table in subject.tables for text in (table.compares, table.setting)]
    texts += [row.label for table in subject.tables for row in table.rows]
    texts += [remark for _, remark in subject.remarks]
    known = set(_numbers(" ".join(f"{name} {r['note']} {r['command']}" for name, r in records.items())))
    assert [(number, text) for text in texts for number in _numbers(text) if number not in known] == []


def _numbers(text):
    return [number.replace(",", "").rstrip(".") for number in re.findall(r"\d[\d,.]*", text)]


# declarations and defaults, on made-up records

DECLARED = """
[speed]
title = "Speed"
about = "How fast."
files = ["example"]
[[speed.tables]]
title = "Search"
compares = "Two searches."
setting = "one thread"
repeats = "processes"
quote = ["paper:", "paper"]
rows = [
    {label = "Fast", records = "fast.*"},
    {label = "Slow", records = "slow.*_ms"},
]
columns = [
    {label = "Time, ms", measure = ["time_ms", "time"], decimals = 1, better = "lower"},
    {label = "Whole", measure = "", decimals = 1},
]
[speed.remarks]
"slow.time_ms" = "It is slow."
"""


@pytest.fixture
def write(benchmark_module, tmp_path):
    def write(records, declared=DECLARED, name="example"):
        benchmark_module("parts.records").write_records(tmp_path / "results" / f"{name}.json", records)
        (tmp_path / "results.toml").write_text(declared)
        return ["--docs", str(tmp_path), "--tables", str(tmp_path / "results.toml")]

    return write


@pytest.fixture
def two(record):
    return {
        "fast.time_ms": record(mean=1.04, sd=0.02, note="paper: 1.5; a|b"),
        "fast.all": record(mean=3.0, n=1, goal=""),
        "slow.time_ms": record(mean=2.24, goal="<= 2.2", minutes=0.2),
    }


def test_a_declared_table(results, write, two, tmp_path):
    two["fast.x"] = two.pop("fast.all")
    declared = DECLARED.replace('measure = "", decimals = 1', 'measure = "x"')
    assert results.main(write(two, declared)) == 0
    page = (tmp_path / "results" / "speed.md").read_text()
    command = "`python benchmarks/example.py --record docs/results/example.json` (up to 41 min a row)"
    assert page.splitlines()[2:] == [
        "# Speed",
        "",
        "How fast.",
        "",
        "**1 of 2 goals missed.**",
        "",
        "| table | result | measured | goal | remark |",
        "| --- | --- | --- | --- | --- |",
        '| [Search](#search) | Slow: Time, ms | 2.24 ± 0.03 <span class="missed">**missed**</span> '
        "| at most 2.2 | It is slow. |",
        "",
        "## Search",
        "",
        "Two searches.",
        "",
        "|  | Time, ms ↓ | Whole |",
        "| --- | ---: | ---: |",
        # one decimal would show 2.2, which is not above 2.2
        '| Slow | 2.24 ± 0.03<br><span class="missed">**missed**, goal at most 2.2</span> |  |',
        '| Fast | 1.0 ± 0.0 (paper 1.5)<br><span class="met">met, goal at most 2.2</span> | 3 |',
        "",
        "Mean ± standard deviation of 5 processes; without ±: one measurement. Setting: one thread. "
        f"Command: {command}.",
        "",
        "All records: [example.json](example.json). [All subjects](../results.md)",
    ]


def test_a_column_without_measure_is_the_record_of_the_name(results, write, two, record, tmp_path):
    two["fast"] = two.pop("fast.all")
    records = {f"search.{name}": record for name, record in two.items()}
    declared = DECLARED.replace('records = "', 'records = "search.').replace('"slow.', '"search.slow.')
    assert results.main(write(records, declared)) == 0
    ((_, _, rows, _),) = result_tables((tmp_path / "results" / "speed.md").read_text())
    assert [row[2] for row in rows] == ["", "3.0"]


def test_records_that_no_table_names_are_shown(results, write, two, record, tmp_path):
    sheet = {
        f"net{number:02}.{measure}": record(goal="") for number in range(23) for measure in ("mse", "auc")
    }
    arguments = write(sheet, "", "new_subject")
    assert results.main(arguments) == 0
    page = (tmp_path / "results" / "new_subject.md").read_text()
    shown = result_tables(page)
    assert [(title, head, len(rows)) for title, head, rows, _ in shown] == [
        ("All records, part 1", ["", "auc", "mse"], 20),
        ("All records, part 2", ["", "auc", "mse"], 3),
    ]
    assert page.startswith("<!-- Generated") and "# New subject" in page
    assert "Setting: worst cell." in page
    assert "no goals" in (tmp_path / "results.md").read_text()


def test_records_that_form_no_grid_are_a_list(results, write, record, tmp_path):
    names = [f"part{number}.measure{number}" for number in range(4)]
    assert results.main(write({name: record(goal="") for name in names}, "")) == 0
    ((title, head, rows, _),) = result_tables((tmp_path / "results" / "example.md").read_text())
    assert (title, head) == ("All records", ["", "result"])
    assert rows == [[f"`{name}`", "1.9 ± 0.03"] for name in names]


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ('records = "fast.*"', 'records = "faster.*"', "row 'Fast' (faster.*) has no record"),
        ('measure = "x"', 'measure = "y"', "column 'Whole' has no record"),
        ('"slow.time_ms" =', '"gone.time_ms" =', "the remark on gone.time_ms has no record"),
        ('records = "slow.*_ms"', 'records = "fast.*"', "fast.time_ms must be in one cell only"),
        ('better = "lower"', 'better = "less"', "better must be 'lower', 'higher' or ''"),
        ('files = ["example"]', 'files = ["other"]', "other.json does not exist"),
        (
            'files = ["example"]',
            'files = ["example", "example"]',
            "example.json must belong to one subject only",
        ),
        ('label = "Fast"', 'name = "Fast"', "Subject speed of results.toml is not valid"),
        ("[speed]", "[speed", "results.toml is not valid TOML"),
    ],
)
def test_a_wrong_declaration_is_one_line(results, write, two, tmp_path, capsys, old, new, complaint):
    two["fast.x"] = two.pop("fast.all")
    declared = DECLARED.replace('measure = "", decimals = 1', 'measure = "x"').replace(old, new)
    assert results.main(write(two, declared)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert complaint in line
    assert not (tmp_path / "results.md").exists()


def test_check_fails_until_the_pages_are_rendered(results, write, record, tmp_path, capsys):
    arguments = write({"a.b": record()}, "")
    assert results.main([*arguments, "--check"]) == 1
    assert "results.md, results/example.md: must be generated" in capsys.readouterr().err
    assert results.main(arguments) == 0
    assert results.main([*arguments, "--check"]) == 0
    write({"a.b": record(mean=2.0)}, "")
    assert results.main([*arguments, "--check"]) == 1


def test_a_page_without_records_is_removed_and_one_of_a_person_stays(results, write, record, tmp_path):
    arguments = write({"a.b": record()}, "")
    results.main(arguments)
    (tmp_path / "results" / "notes.md").write_text("mine")
    (tmp_path / "results" / "example.json").unlink()
    write({"a.b": record()}, "", "renamed")
    assert results.main([*arguments, "--check"]) == 1
    assert results.main(arguments) == 0
    assert sorted(page.name for page in (tmp_path / "results").glob("*.md")) == ["notes.md", "renamed.md"]


def test_a_bad_file_of_records_is_one_line(results, tmp_path, capsys):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "example.json").write_text('{"a.b": {"mean": 1}}')
    assert results.main(["--docs", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "results.md").exists()


@pytest.mark.parametrize(
    "value, decimals, text",
    [
        (1.9, None, "1.9"),
        (0.0130712, None, "0.01307"),
        (15230.4, None, "15,230"),
        (65536, None, "65,536"),
        (0.0, None, "0"),
        (-51.25, None, "-51.25"),
        (1234.5678, 1, "1,234.6"),
        (2.0, 3, "2.000"),
    ],
)
def test_numbers_have_their_decimals_or_four_digits(benchmark_module, value, decimals, text):
    assert benchmark_module("parts.result_pages").number(value, decimals) == text
