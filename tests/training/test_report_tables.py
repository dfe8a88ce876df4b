import math

from keras_ae.pages.tables import pairs_table
from keras_ae.training.report._record import Export
from keras_ae.training.report._tables import (
    baseline_table,
    export_table,
    headline_cards,
    measured,
    metric_tables,
)

METRICS = {
    "test": {"mse": 0.02, "psnr": 17.0},
    "codes": {"usage": 0.98, "perplexity": 51.7, "bits_per_image": 24.0},
    "baselines": {"mean image": {"mse": 0.08, "bits_per_image": 0.0}, "PCA-16": {"mse": 0.01}},
}


def texts(table):
    return [[row.name, *(cell.text for cell in row.cells)] for row in table.rows]


def test_cards_show_the_headlines_beside_the_best_baseline():
    cards = [(card.label, card.value, card.note) for card in headline_cards(METRICS, {})]
    assert cards[:2] == [
        ("MSE", "0.0200", "best baseline: PCA-16, 0.0100"),
        ("usage, training images", "0.980", "fraction chosen at least once"),
    ]
    assert [label for label, _, _ in cards] == [
        "MSE",
        "usage, training images",
        "perplexity, training images",
        "bits per image",
    ]


def test_a_baseline_of_the_same_code_length_is_preferred():
    longer = {"k-means": {"mse": 0.03, "bits_per_image": 24.0}, **METRICS["baselines"]}
    cards = headline_cards({**METRICS, "baselines": longer}, {})
    assert cards[0].note == "at the same length: k-means, 0.0300"


def test_without_a_test_the_cards_show_the_last_epoch():
    cards = headline_cards({}, {"epoch": [1, 2], "loss": [3.0, 2.25], "val_loss": [4.0, 2.5]})
    assert [(card.label, card.value) for card in cards] == [("loss, last epoch", "2.25")]


def test_with_nothing_measured_there_are_no_cards():
    assert headline_cards({}, {}) == []


def test_comparison_ranks_the_run_and_draws_bars_of_the_error():
    table = baseline_table(METRICS, name="vqvae")
    assert texts(table) == [
        ["PCA-16", "0.01000", "–"],
        ["vqvae", "0.02000", "24"],
        ["mean image", "0.08000", "0"],
    ]
    assert [row.own for row in table.rows] == [False, True, False]
    assert [row.cells[0].bar for row in table.rows] == [0.125, 0.25, 1.0]
    assert [table.has_bar(column) for column in (-1, 0, 1)] == [False, True, False]
    assert [table.is_number(column) for column in (-1, 0, 1)] == [False, True, True]


def test_comparison_keeps_the_given_order_where_higher_is_better():
    table = baseline_table({"test": {"auc": 0.7}, "baselines": {"chance": {"auc": 0.5}}}, name="run")
    assert [row.name for row in table.rows] == ["run", "chance"]


def test_comparison_takes_bare_numbers_and_what_is_no_number():
    table = baseline_table({"mse": 0.5, "baselines": {"a": 0.25, "b": "failed", "c": math.nan}}, name="run")
    assert texts(table) == [["a", "0.2500"], ["run", "0.5000"], ["b", "failed"], ["c", "not a number"]]


def test_no_baselines_no_comparison():
    assert baseline_table({"test": {"mse": 1.0}}, name="run") is None


def test_unknown_groups_and_keys_get_tables_of_their_own():
    tables = metric_tables({"seconds": 3, "probe": {"linear": {"mean": 0.5, "folds": [1, 2]}}, "note": None})
    assert [table.title for table in tables] == ["test", "probe"]
    assert texts(tables[0]) == [["seconds", "3"], ["note", "–"]]
    assert texts(tables[1]) == [["linear · mean", "0.5000"], ["linear · folds", "1, 2"]]


def test_baselines_of_an_unknown_form_are_still_shown():
    assert texts(metric_tables({"baselines": [1, 2]})[0]) == [["baselines", "1, 2"]]


def test_measured_leaves_out_the_baselines():
    assert measured(METRICS)["codes.usage"] == 0.98
    assert set(measured(METRICS)) == {
        "mse",
        "psnr",
        "codes.usage",
        "codes.perplexity",
        "codes.bits_per_image",
    }


def test_settings_keep_their_names_and_numbers():
    table = pairs_table({"learning_rate": 0.002, "encoder": {"filters": [8, 16]}}, setting=True)
    assert texts(table) == [["learning_rate", "0.002"], ["encoder.filters", "8, 16"]]


def row(**changes):
    known = {"endpoint": "encode", "output": "codes", "batch": 2, "difference": 0.0, "relative": 0.0}
    return {**known, "ties": 0, "ok": True, **changes}


def test_verification_shows_the_largest_difference_of_each_output():
    rows = [row(), row(batch=3, difference=2.0, ties=1), row(output="embedding", difference=3e-7)]
    table = export_table(Export("ONNX", "export/onnx", {"verification": rows}))
    assert texts(table) == [
        ["encode", "codes", "equal", "2", "0", "1", "2"],
        ["encode", "embedding", "equal", "3.0 × 10⁻⁷", "0", "0", "1"],
    ]


def test_one_row_that_differs_or_says_nothing_is_no_equality():
    for bad in (row(ok=False), {"endpoint": "encode", "output": "codes"}):
        table = export_table(Export("ONNX", "export/onnx", {"verification": [row(), bad]}))
        assert table.rows[0].cells[1].text == "DIFFERS"


def test_manifests_without_rows_have_no_table():
    for manifest in ({}, {"verification": []}, {"verification": 5}, {"verification": ["x"]}):
        assert export_table(Export("ONNX", "export/onnx", manifest)) is None
