"""Comparisons mark what is better, and only where like stands beside like."""

import copy
import json
import re

import pytest

from keras_ae import InputError
from keras_ae.evaluation import compare_reports
from keras_ae.evaluation.report.page.comparison import comparison_text, write_comparison


@pytest.fixture
def reports(embedding_record):
    """Two reports: the second has a higher linear probe and a lower L_D*, and no codes."""
    first, second = (copy.deepcopy(embedding_record.results) for _ in range(2))
    first["probes"]["digit"]["linear"], second["probes"]["digit"]["linear"] = 0.8, 0.9
    second["pairs"]["rows"][0].update(ld_star=0.1, info_nce=2.0, retrieval=0.9001)
    second["codes"] = None
    return {"first": first, "<second>": second}


def test_the_best_is_the_highest_or_the_lowest_as_it_is_printed(reports):
    comparison = compare_reports(reports)
    best = comparison["best"]
    assert best["digit.linear"] == ["<second>"] and best["ld_star"] == ["<second>"]
    assert best["info_nce"] == ["first"]
    assert best["retrieval"] == ["first", "<second>"]  # 90.0 % both
    assert best["usage"] == []  # one has it
    assert "numbers" not in best
    assert comparison["differences"] == []


def test_other_data_are_refused_or_flagged(reports):
    reports["first"]["data"]["fingerprint"] = "other"
    with pytest.raises(InputError, match="different data"):
        compare_reports(reports)
    comparison = compare_reports(reports, different_data=True)
    assert comparison["best"] == {} and "The data differ" in comparison["differences"][0]


def test_other_settings_are_flagged(reports):
    reports["first"]["settings"]["max_steps"] = 7
    comparison = compare_reports(reports)
    assert comparison["best"] == {} and "max steps (400, 7)" in comparison["differences"][0]


def test_one_report_is_none_to_compare(reports):
    with pytest.raises(InputError, match="two or more"):
        compare_reports({"first": reports["first"]})


def test_the_page_and_the_json_file(reports, tmp_path):
    comparison = compare_reports(reports)
    page = write_comparison(comparison, tmp_path / "compare.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "compare.json").read_text()) == comparison
    assert "&lt;second&gt;" in page and "<second>" not in page
    assert not re.search(r"<(script|link|iframe)|url\(|@import|https?://", page)
    assert re.search(r'class="number best">0\.100', page)
    with pytest.raises(InputError, match="must be an .html file"):
        write_comparison(comparison, tmp_path / "compare.txt")


def test_the_page_has_a_row_per_result_and_a_column_per_embedding(reports, tmp_path):
    page = write_comparison(compare_reports(reports), tmp_path / "compare.html").read_text(encoding="utf-8")
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', page)
    assert heads == ["", "first", "&lt;second&gt;"]
    (row,) = re.findall(r'<th scope="row">L<sub>D</sub>\*</th>(.*?)</tr>', page, flags=re.S)
    assert re.findall(r">([\d.]+)</td>", row) == ["0.200", "0.100"]


def test_the_terminal_marks_the_best(reports):
    lines = comparison_text(compare_reports(reports)).splitlines()
    (line,) = [line for line in lines if line.startswith("L_D* ")]
    assert line.split() == ["L_D*", "0.200", "0.100*"]
