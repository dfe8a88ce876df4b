import io

import pytest

from keras_ae.progress import ProgressLine, counted, detail_of, shown
from keras_ae.training.callbacks import EpochProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_steps_on_one_line_and_a_file_the_measurements_alone():
    terminal, file, quiet = Terminal(), io.StringIO(), io.StringIO()
    for stream, elsewhere in ((terminal, True), (file, True), (quiet, False)):
        with ProgressLine(stream, elsewhere=elsewhere) as progress:
            progress("pairs")
            progress.line.drawn_at = 0.0
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


@pytest.mark.parametrize(
    ("total", "expected"), [(3, "\r\x1b[K2/3 images\r\x1b[K3/3 images\n"), (None, "3 images\n")]
)
def test_examples_are_counted_on_a_terminal_alone(monkeypatch, total, expected):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    with counted(total, "images") as progress:
        assert progress is None
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    with counted(total, "images"):
        pass
    assert terminal.getvalue() == ""
    with counted(total, "images") as progress:
        progress(2)
        progress(3)
    assert terminal.getvalue().endswith(expected)


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
def test_a_training_shows_its_epochs(stream):
    progress = EpochProgress(epochs=20, steps=1, stream=stream)
    progress.on_train_begin()
    for epoch in range(20):
        progress.on_epoch_begin(epoch)
        progress.on_train_batch_end(0, {"loss": 0.5})
        progress.on_epoch_end(epoch, {"loss": 0.5})
    written = stream.getvalue()
    assert written.count("\n") == (1 if stream.isatty() else 10)
    assert "epoch   20/20 [====================] loss 0.5  0 s left\n" in written
    assert ("\r\x1b[K" in written) == stream.isatty()
