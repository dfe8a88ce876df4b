"""A measurement that fails, or that the data do not allow, does not lose the others."""

import logging

import pytest

from keras_ae import InputError
from keras_ae.evaluation.attempts import Attempts, attempt, current_progress, reason_of, recorded


def fails():
    raise RuntimeError("a long\n  message")


def refuses():
    raise InputError("labels must have two classes. Received: one.")


def test_a_failure_keeps_its_reason_and_its_traceback(tmp_path):
    log = tmp_path / "failed_measurement.txt"
    with recorded(log) as attempts:
        assert attempt("first", fails, default=7) == 7
        assert attempt("second", refuses) is None
        assert attempt("third", lambda a, b: a + b, 1, b=2) == 3
    assert attempts.failed == {"first": "RuntimeError: a long message"}
    assert attempts.left_out == {"second": "labels must have two classes. Received: one."}
    assert attempts.as_record() == {"failed": attempts.failed, "left_out": attempts.left_out}
    text = log.read_text()
    assert text.startswith("first\nTraceback") and "in fails" in text and "second" not in text


def test_a_measurement_that_fails_every_epoch_is_logged_once(tmp_path):
    log = tmp_path / "log.txt"
    with recorded(log):
        for _ in range(3):
            attempt("pictures", fails)
    assert log.read_text().count("Traceback") == 1


def test_nothing_is_kept_where_nothing_failed(tmp_path):
    with recorded(tmp_path / "log.txt") as attempts:
        attempt("it", lambda: 1)
    assert attempts.as_record() == {} and not list(tmp_path.iterdir())


def test_outside_of_a_run_the_traceback_is_logged(caplog):
    with caplog.at_level(logging.WARNING):
        assert attempt("it", fails, default=0) == 0
        attempt("labels", refuses)
    assert "in fails" in caplog.text and "labels was left out: labels must" in caplog.text


def test_a_log_that_cannot_be_written_does_not_hide_the_failure(tmp_path, caplog):
    with recorded(tmp_path / "no" / "folder.txt") as attempts:
        attempt("it", fails)
    assert attempts.failed and "in fails" in caplog.text


def test_a_missing_package_and_a_stop_by_the_user_are_not_swallowed():
    def missing():
        raise ImportError("install it")

    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(ImportError):
        attempt("it", missing)
    with recorded(), pytest.raises(KeyboardInterrupt):
        attempt("it", stopped)


def test_each_measurement_is_announced_and_ends_with_its_block():
    said = []
    with recorded(progress=said.append):
        attempt("one", lambda: attempt("two", lambda: None))
        assert current_progress() == said.append
    current_progress()("three")
    assert said == ["one", "two"]


def test_a_long_reason_is_cut():
    assert len(reason_of(ValueError("x" * 1000))) < 320 and reason_of(KeyError()) == "KeyError"
    assert Attempts().as_record() == {}
