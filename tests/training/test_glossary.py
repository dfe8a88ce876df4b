"""One name for one measure, and one definition for one name, on every page."""

import re
from pathlib import Path

import pytest

from keras_ae.evaluation import compare_reports
from keras_ae.evaluation.report.page.findings import cards, findings
from keras_ae.evaluation.report.page.view import embedding_view
from keras_ae.pages.formats import format_percent
from keras_ae.pages.glossary import EMBEDDING, RUN, TRANSFER, definitions, run_label, run_measure
from keras_ae.training.recipes import RECIPES
from keras_ae.training.report._tables import HEADLINES, definitions_of, metric_tables
from keras_ae.training.report.page import write_report

DOCS = Path(__file__).resolve().parents[2] / "docs" / "evaluation.md"


def test_no_two_measures_share_a_name():
    labels = [measure.label for group in (EMBEDDING, RUN, TRANSFER) for measure in group.values()]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("group", [EMBEDDING, RUN, TRANSFER])
def test_the_docs_define_the_same_measures(group):
    page = DOCS.read_text(encoding="utf-8")
    missing = [
        one.label
        for one in group.values()
        if f"| {one.label} | {one.definition} |" not in page.replace("\\*", "*")
    ]
    assert not missing


def test_every_headline_of_a_run_is_defined():
    keys = [key for meanings in HEADLINES for key in meanings]
    undefined = {key for key in keys if run_measure(key) is None and run_measure(f"codes.{key}") is None}
    assert undefined == {"bits", "linear_probe"}  # of metrics.json files that others wrote
    assert set(RECIPES) and run_label("something_else") == "something else"


def test_the_levels_of_codes_have_names_of_their_own():
    assert run_label("codes.top_usage") == "top: usage, training images"
    (table,) = metric_tables({"codes": {"usage": 0.5, "top_usage": 0.25}})
    assert [row.name for row in table.rows] == ["usage, training images", "top: usage, training images"]


@pytest.fixture
def leaky(embedding_record):
    """Results of an embedding from which no probe reads the speaker better than one constant answer does."""
    results = embedding_record.results
    probe = dict(results["probes"]["digit"])
    probe.update(linear=0.2, mlp=0.21, majority=0.192, best_constant=0.214, baseline=0.214, excess=-0.004)
    probe.update(share=-0.005, leaks=False, verdict="not found", interval=[0.1, 0.3], mlp_interval=[0.1, 0.3])
    return {**results, "leaks": {"speaker": probe}}


def test_the_leak_of_the_card_is_that_of_the_comparison_and_of_the_section(leaky, embedding_record):
    (card,) = [card for card in cards(leaky) if card.label == "leak of speaker"]
    comparison = compare_reports({"one": leaky, "two": leaky})
    (panel,) = embedding_view(type(embedding_record)(leaky, embedding_record.pictures))["leaks"]
    leak = format_percent(panel["leak"])
    assert card.value == comparison["texts"]["one"]["speaker.leak"] == leak == "0.0\u202f%"
    assert "a probe reaches 21.0\u202f%, the best constant 21.4\u202f%" in card.note


def test_guessing_is_one_measure_and_the_best_constant_another(leaky, embedding_record):
    (panel,) = embedding_view(type(embedding_record)(leaky, embedding_record.pictures))["leaks"]
    numbers = {name: value for name, value, _ in panel["numbers"]}
    assert numbers["guessing"] == "19.2\u202f%" and numbers["best constant"] == "21.4\u202f%"
    text = " ".join(finding.text for finding in findings(leaky))
    assert "best constant 21.4\u202f%" in text and ", and guessing " in text
    notes = " ".join(card.note for card in cards(leaky))
    assert re.findall(r"guessing (\S+)\u202f%", notes) == [
        f"{100 * leaky['probes']['digit']['majority']:.1f}"
    ]


def test_the_linear_probes_of_a_run_and_its_embedding_have_names_of_their_own(
    run_directory, embedding_record
):
    metrics = run_directory / "metrics.json"
    metrics.write_text('{"test": {"mse": 0.0131, "probe_accuracy": 0.9}, "codes": {"usage": 0.5}}')
    embedding_record.save(run_directory)
    page = write_report(run_directory).read_text(encoding="utf-8")
    names = ("linear probe, whole test", "digit, linear probe of the embedding", "linear probe of the codes")
    assert all(name in page for name in names) and "Definitions of the results" in page
    assert "usage, training images" in page and "usage in the report" in page


def test_the_page_of_a_run_defines_what_it_shows():
    labels = dict(definitions_of({"test": {"mse": 1.0}, "baselines": {"pixels": {"probe_accuracy": 0.5}}}))
    assert set(labels) == {"MSE", "linear probe, whole test"}
    assert definitions([None, RUN["mse"], RUN["mse"]]) == [("MSE", RUN["mse"].definition)]
