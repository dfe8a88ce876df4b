import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.export import VerificationError, VerificationReport, VerificationRow, endpoints_of
from keras_ae.export.cases import TIE, Case, make_cases
from keras_ae.export.saved_model import write_saved_model
from keras_ae.export.verification import check_cases, compare, verify_many
from keras_ae.export.verification_process import main


def report(expected, actual, ties=None, tolerance=(1e-4, 1e-5)):
    """The report of one case, with what its artifact gave made up."""
    batch = len(next(iter(expected.values())))
    ties = np.zeros(batch, bool) if ties is None else np.array(ties)
    case = Case("encode", {"batch": batch, "length": 5}, {}, expected, ties)
    return compare("onnx", [case], [actual], tolerance)


def test_floats_within_the_tolerance_pass_and_show_their_difference():
    expected = np.array([[1.0, 2.0], [4.0, 0.0]], "float32")
    found = report({"y": expected}, {"y": expected + np.float32(2**-17)}).check()
    assert found.rows[0].difference == pytest.approx(2**-17)
    assert found.rows[0].relative == pytest.approx(2**-17 / 4)


@pytest.mark.parametrize("offset", [1e-3, np.nan, np.inf])
def test_floats_beyond_the_tolerance_fail(offset):
    expected = np.ones((2, 2), "float32")
    with pytest.raises(VerificationError, match="encode .* FAILS"):
        report({"y": expected}, {"y": expected + np.float32(offset)}).check()


def test_infinities_at_the_same_places_pass():
    expected = np.array([np.inf, 1.0], "float32")
    assert report({"y": expected}, {"y": expected}).check().rows[0].difference == 0


def test_a_nan_fails_even_where_both_give_it():
    expected = np.array([np.nan, 1.0], "float32")
    assert not report({"y": expected}, {"y": expected}).ok


def test_one_wrong_code_fails():
    codes = np.array([[1, 2], [3, 4]], "int32")
    found = report({"codes": codes}, {"codes": codes + np.array([[0, 0], [0, 1]], "int32")})
    assert not found.ok and found.rows[0].ties == 0


def test_a_tied_example_may_differ_with_all_that_follows_and_is_counted():
    codes, embedding = np.array([[1, 2], [3, 4]], "int32"), np.ones((2, 3), "float32")
    other = np.array([[0, 0], [0, 1]], "int32"), np.array([[0.0], [5.0]], "float32")
    found = report(
        {"codes": codes, "embedding": embedding},
        {"codes": codes + other[0], "embedding": embedding + other[1]},
        ties=[False, True],
    ).check()
    assert [row.ties for row in found.rows] == [1, 1]
    assert [row.difference for row in found.rows] == [0, 0]


def test_an_example_that_is_no_tie_may_not_differ_beside_one_that_is():
    codes = np.array([[1], [3]], "int32")
    assert not report({"codes": codes}, {"codes": codes + 1}, ties=[False, True]).ok


def test_nothing_passes_where_every_example_was_set_aside():
    codes = np.array([[1], [3]], "int32")
    with pytest.raises(VerificationError, match="every example is a tie"):
        report({"codes": codes}, {"codes": codes + 1}, ties=[True, True]).check()


@pytest.mark.parametrize(
    ("actual", "note"),
    [
        ({}, "the output is missing"),
        ({"y": np.ones((2, 3), "float32")}, r"shape \(2, 3\) instead of \(2, 2\)"),
        ({"y": np.ones((2, 2), "float64")}, "dtype float64 instead of float32"),
        ("ValueError: no such\nendpoint", "ValueError: no such endpoint"),
    ],
)
def test_outputs_of_another_kind_fail_and_say_why(actual, note):
    with pytest.raises(VerificationError, match=f"FAILS {note}"):
        report({"y": np.ones((2, 2), "float32")}, actual).check()


def test_the_margin_of_the_live_model_decides_what_is_a_tie(endpoint_of):
    gaps = tf.constant([TIE / 2, TIE * 2, 1.0])
    endpoint = endpoint_of(lambda x: {"y": x}, margin=lambda x: gaps[: tf.shape(x)[0]])
    assert [list(case.ties) for case in make_cases({"encode": endpoint})] == [[True], [True, False, False]]


def test_an_empty_report_is_no_success():
    assert not VerificationReport(()).ok
    with pytest.raises(VerificationError, match="must contain at least one compared output"):
        VerificationReport(()).check()


def test_the_table_is_aligned():
    rows = [
        VerificationRow("onnx", "encode", "codes", 1, None, 0.0, 0.0, 2, True),
        VerificationRow("saved_model", "serving_default", "y", 16, 8, 1e-3, 1.0, 0, False, "why"),
    ]
    lines = VerificationReport(tuple(rows)).table().splitlines()
    assert len(lines) == 3
    assert lines[0].index("difference") == lines[1].index("0.0e+00") == lines[2].index("1.0e-03")
    assert lines[2].endswith("FAILS why")


def test_one_process_verifies_several_models(sequence_model, dense_model, tmp_path):
    jobs = []
    for name, model in (("sequence", sequence_model), ("dense", dense_model)):
        table = endpoints_of(model)
        (tmp_path / name).mkdir()
        write_saved_model(table, make_cases(table), tmp_path / name)
        jobs.append((tmp_path / name, model))
    dense_model.layers[-1].bias.assign_add([0.0, 1.0, 0.0])
    try:
        sequence, dense = verify_many(jobs)
    finally:
        dense_model.layers[-1].bias.assign_sub([0.0, 1.0, 0.0])
    assert sequence.check() and len(sequence.rows) == 4 * 4
    assert not dense.ok and dense.rows[0].difference == pytest.approx(1.0, abs=1e-5)


def test_an_artifact_that_cannot_be_loaded_fails_every_row(dense_model, tmp_path):
    cases = make_cases(endpoints_of(dense_model))
    (tmp_path / "serving_default.onnx").write_bytes(b"no graph")
    pytest.importorskip("onnxruntime")
    files = {"serving_default": tmp_path / "serving_default.onnx"}
    with pytest.raises(VerificationError, match="in 2 of 2 outputs"):
        check_cases([("onnx", files, cases)])[0].check()


def test_the_process_can_import_neither_keras_nor_keras_ae(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", keras)
    monkeypatch.setitem(sys.modules, "keras_ae", keras)
    np.savez(tmp_path / "inputs.npz")
    (tmp_path / "job.json").write_text("[]")
    main(tmp_path)
    for name in ("keras", "keras_ae"):
        with pytest.raises(ImportError):
            __import__(name)


@pytest.mark.parametrize("tolerance", [1e-3, (), (1e-4,), (1e-4, -1), (1e-4, "1"), (1e-4, np.nan), None])
def test_a_tolerance_is_two_numbers(tolerance):
    with pytest.raises(InputError, match="tolerance must be two numbers of at least 0") as caught:
        check_cases([], tolerance)
    assert "\n" not in str(caught.value)
    assert check_cases([], (np.float32(1e-4), 0)) == []
