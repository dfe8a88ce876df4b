"""A measurement that fails, or that the data do not allow, does not lose the others."""

import io
import logging

import pytest

from keras_ae import InputError
from keras_ae.evaluation.attempts import Attempts, attempt, current_progress, reason_of, recorded
from keras_ae.evaluation.progress_line import ProgressLine, detail_of, shown


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


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_steps_on_one_line_and_a_file_the_measurements_alone():
    terminal, file, quiet = Terminal(), io.StringIO(), io.StringIO()
    for stream, elsewhere in ((terminal, True), (file, True), (quiet, False)):
        with ProgressLine(stream, elsewhere=elsewhere) as progress:
            progress("pairs")
            progress._drawn = 0.0
            detail_of(progress)("step 50 of 400")
    assert "\rmeasuring" not in terminal.getvalue() and terminal.getvalue().count("\r\x1b[K") == 3
    assert "measuring: pairs, step 50 of 400, 0 s" in terminal.getvalue() and "\n" not in terminal.getvalue()
    assert file.getvalue() == "measuring: pairs\n" and quiet.getvalue() == ""


def test_verbose_off_is_quiet_and_a_function_is_called_as_it_is(monkeypatch):
    terminal, said = Terminal(), []
    monkeypatch.setattr("sys.stdout", terminal)
    with shown(None, verbose=False) as progress:
        progress("pairs")
    with shown(said.append) as progress:
        progress("probes")
        detail_of(progress)("not shown")
    assert terminal.getvalue() == "" and said == ["probes"]
    with shown(None) as progress:
        progress("pairs")
    assert "measuring: pairs" in terminal.getvalue()
