"""Records of measurements: what may be written."""

import json

import pytest


@pytest.fixture
def records(benchmark_module):
    return benchmark_module("parts.records")


def test_records_are_merged_by_name_and_sorted(records, record, tmp_path):
    path = tmp_path / "results" / "example.json"
    records.write_records(path, {"b.new": record(mean=1.0), "a.old": record(mean=2.0)})
    merged = records.write_records(path, {"a.old": record(mean=3.0)})
    assert {name: value["mean"] for name, value in merged.items()} == {"a.old": 3.0, "b.new": 1.0}
    assert records.read_records(path) == merged
    assert list(json.loads(path.read_text())) == ["a.old", "b.new"]
    assert [file.name for file in path.parent.iterdir()] == ["example.json"]


@pytest.mark.parametrize(
    "changes, complaint",
    [
        ({"mean": float("nan")}, "mean is a finite number"),
        ({"mean": "1.9"}, "mean is a finite number"),
        ({"mean": True}, "mean is a finite number"),
        ({"sd": -0.1}, "sd is a finite number >= 0"),
        ({"n": 0}, "n is a count"),
        ({"n": 2.5}, "n is a count"),
        ({"goal": "about 2"}, "goal is a comparison"),
        ({"goal": None}, "goal is a string"),
        ({"command": ""}, "command is what anyone can type"),
        ({"command": "/opt/venv/bin/python benchmarks/a.py"}, "no path of this machine"),
        ({"command": "python a.py --record=/opt/a.json"}, "no path of this machine"),
        ({"command": "python a.py --data ~/digits"}, "no path of this machine"),
        ({"note": "two\nlines"}, "note is a string of one line"),
        ({"seed": 0}, "expected a dict of mean, sd"),
    ],
)
def test_a_bad_record_is_refused_and_the_file_stays(records, record, tmp_path, changes, complaint):
    path = tmp_path / "example.json"
    records.write_records(path, {"a.b": record()})
    before = path.read_bytes()
    with pytest.raises(ValueError, match=complaint):
        records.write_records(path, {"c.d": record(), "e.f": record(**changes)})
    assert path.read_bytes() == before


def test_a_missing_field_is_refused(records, record, tmp_path):
    incomplete = record()
    del incomplete["minutes"]
    with pytest.raises(ValueError, match="Record a.b: expected a dict of .*minutes"):
        records.write_records(tmp_path / "example.json", {"a.b": incomplete})


@pytest.mark.parametrize("name", ["nodots", "A.b", "a b.c", "a..b"])
def test_a_name_is_words_joined_by_dots(records, record, tmp_path, name):
    with pytest.raises(ValueError, match="A record has a name such as"):
        records.write_records(tmp_path / "example.json", {name: record()})


def test_a_file_that_is_no_json_is_named(records, record, tmp_path):
    path = tmp_path / "example.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="example.json is no JSON file of records"):
        records.write_records(path, {"a.b": record()})


@pytest.mark.parametrize(
    "mean, goal, met",
    [(2.2, "<= 2.2", True), (2.3, "<= 2.2", False), (2.2, "< 2.2", False), (0.95, ">= 0.9", True)]
    + [(-1.0, "> -1.5", True), (2e-8, "<= 1e-8", False), (5.0, "", None)],
)
def test_a_goal_is_compared_with_the_mean(records, record, mean, goal, met):
    assert records.is_met(record(mean=mean, goal=goal)) is met


def test_the_record_of_repeats(records):
    one = records.record([1.0, 2.0, 4.0], "python x.py", 1.26, "note", "<= 3")
    # sum of squares about 7/3 is 14/3, over n - 1 = 2
    assert one == {
        **{"mean": pytest.approx(7 / 3), "sd": pytest.approx((7 / 3) ** 0.5), "n": 3},
        **{"goal": "<= 3", "command": "python x.py", "minutes": 1.3, "note": "note"},
    }
    assert records.record([5], "python x.py", 0.0)["sd"] == 0.0
