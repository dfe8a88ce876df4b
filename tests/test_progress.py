import io
import re

import numpy as np
import pytest

from keras_ae.progress import Display, ProgressLine, StepTimer, counted, detail_of, shown
from keras_ae.training.callbacks import EpochProgress
from keras_ae.training.callbacks import epoch_progress as callback_module
from keras_ae.training.recipes import CpcRecipe, VqVaeRecipe

REMOVED = ("\x1b[2K", "\x1b[?25h")  # the line is erased, the cursor is shown


class Terminal(io.StringIO):
    """A terminal; `text` is what was written without the codes that move the cursor and set colours."""

    def isatty(self):
        return True

    @property
    def text(self):
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


class Clock:
    """Replaces the module `time`: each call of `monotonic` returns `now`."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_shows_steps_on_one_line_and_a_file_the_measurements_alone():
    terminal, file, quiet = Terminal(), io.StringIO(), io.StringIO()
    for stream, elsewhere in ((terminal, True), (file, True), (quiet, False)):
        with ProgressLine(stream, elsewhere=elsewhere) as progress:
            progress("pairs")
            progress.display.drawn_at = 0.0
            detail_of(progress)("step 50 of 400")
    assert "measuring: pairs, step 50 of 400" in terminal.text
    assert terminal.getvalue().endswith(REMOVED)
    assert file.getvalue() == "measuring: pairs\n" and quiet.getvalue() == ""


def test_a_step_with_a_count_shows_the_time_until_its_end(monkeypatch):
    clock, terminal = Clock(), Terminal()
    monkeypatch.setattr("keras_ae.progress.time", clock)
    with ProgressLine(terminal) as progress:
        progress("pairs")
        for clock.now, step in ((50.0, 1000), (60.0, 2000)):  # the first ones are compiled
            progress.detail(f"seed 1 of 3, step {step:,} of 4,000")
    # 1,000 steps took 10 s, 2,000 are left
    assert (
        "measuring: pairs, seed 1 of 3, step 2,000 of 4,000" in terminal.text and "20 s left" in terminal.text
    )


@pytest.mark.parametrize("kind", ["dumb", "unknown"])
def test_a_terminal_that_cannot_move_its_cursor_is_written_to_like_a_file(monkeypatch, kind):
    monkeypatch.setenv("TERM", kind)
    terminal = Terminal()
    display = Display(terminal)
    display.show("not drawn")
    display.write("a line")
    assert terminal.getvalue() == "a line\n"


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
    assert "measuring: pairs" in terminal.text


@pytest.mark.parametrize(
    ("total", "expected"), [(300, "250/300 images"), (None, "250 images")], ids=["total", "unknown"]
)
def test_examples_are_counted_on_a_terminal_alone(monkeypatch, total, expected):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    with counted(total, "images") as progress:
        assert progress is None
    terminal, clock = Terminal(), Clock()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr("keras_ae.progress.time", clock)
    with counted(total, "images") as progress:
        clock.now = 60.0  # the first batch is compiled
        progress(50)
        clock.now = 70.0
        progress(250)
    # 200 images in 10 s; the last 50 take 2.5 s
    assert f"{expected}" in terminal.text and "20 images/s" in terminal.text
    assert ("2 s left" in terminal.text) == (total is not None)


def test_a_step_is_the_mean_of_the_last_ones_without_those_that_compile():
    times = iter([0, 40, 41, 43, 44, 100, 102])  # the fourth recorded step writes a checkpoint
    timer = StepTimer(clock=lambda: next(times))
    assert timer.seconds is None
    timer.begin()
    timer.step()
    assert timer.seconds is None
    for _ in range(5):
        timer.step()
    assert timer.seconds == (1 + 2 + 1 + 2) / 4


def train(progress, epochs, steps, clock, first=0, first_step=0):
    """The calls of `fit`: steps of 2 s, validations of 3 steps of 1 s, 4 s of pictures; 50 s to compile."""
    progress.on_train_begin()
    compiled = validated = False
    for epoch in range(first, epochs):
        progress.on_epoch_begin(epoch)
        for batch in range(steps - (first_step if epoch == first else 0)):
            clock.now += 2 if compiled else 50
            compiled = True
            progress.on_train_batch_end(batch, {"loss": 0.5})
            yield epoch, batch
        progress.on_test_begin()
        for batch in range(3):
            clock.now += 1 if validated else 50
            validated = True
            progress.on_test_batch_end(batch)
        progress.on_test_end()
        clock.now += 4 if epoch > first else 50
        progress.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25})
    progress.on_train_end()


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(callback_module, "time", clock)
    monkeypatch.setattr(callback_module, "StepTimer", lambda: StepTimer(clock.monotonic))
    return clock


def test_the_time_left_counts_steps_validations_and_pictures_but_no_compilation(clock):
    progress = EpochProgress(epochs=3, steps=10, stream=io.StringIO())
    left = {}
    for epoch, batch in train(progress, 3, 10, clock):
        left[epoch, batch] = progress.seconds_left()
    assert left[0, 0] is None
    assert left[0, 4] == 25 * 2  # validation and pictures are not known yet
    assert left[1, 4] == 15 * 2 + 2 * 3 * 1
    assert left[2, 4] == 5 * 2 + 3 * 1 + 4


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()], ids=["terminal", "file"])
def test_a_training_shows_its_epochs(stream, clock):
    progress = EpochProgress(epochs=20, steps=1, stream=stream, amount=300, unit="images")
    for _ in train(progress, 20, 1, clock):
        pass
    took = 19 * 2 + 50 + 19 * 3 + 52 + 19 * 4 + 50
    end = f"epoch 20/20  step 1/1  150 images/s  loss 0.5  val_loss 0.25  {took // 60} min {took % 60} s\n"
    if stream.isatty():
        assert stream.text.endswith(end)
    else:
        lines = stream.getvalue().splitlines(keepends=True)
        assert len(lines) == 10 and lines[-1] == end
        # 18 steps of 2 s, validations of 3 s and pictures of 4 s are left
        assert lines[0] == "epoch  2/20  step 1/1  150 images/s  loss 0.5  val_loss 0.25  2 min 42 s left\n"


def test_a_long_epoch_is_reported_inside_of_it(clock):
    stream = io.StringIO()
    progress = EpochProgress(epochs=1, steps=20, stream=stream, amount=1000, unit="images")
    for _ in train(progress, 1, 20, clock):
        pass
    lines = stream.getvalue().splitlines()
    # 50 images of a step in 2 s
    assert lines[1] == "epoch 1/1  step 4/20  25 images/s  loss 0.5  32 s left"
    assert len(lines) == 10 and lines[-1].startswith(
        "epoch 1/1  step 20/20  25 images/s  loss 0.5  val_loss 0.25"
    )


def test_a_resumed_training_counts_from_its_checkpoint(clock):
    stream = io.StringIO()
    progress = EpochProgress(
        epochs=2, steps=10, stream=stream, first_step=lambda: 6 if clock.now < 100 else 0
    )
    left = [progress.seconds_left() for _ in train(progress, 2, 10, clock, first=1, first_step=6)]
    assert left == [None, 4, 2, 0]
    assert [line.split("  ")[1] for line in stream.getvalue().splitlines()] == ["step 8/10", "step 10/10"]


def test_a_training_that_is_stopped_removes_its_line():
    terminal = Terminal()
    progress = EpochProgress(epochs=2, steps=2, stream=terminal)
    progress.close()  # before it began
    progress.on_train_begin()
    progress.close()
    assert "compiling the first step" in terminal.text and terminal.getvalue().endswith(
        ("\x1b[2K", "\x1b[?25h")
    )


def test_the_amount_of_an_epoch_is_that_of_the_crops():
    class Data:
        def __init__(self, **train):
            self.train = type("Split", (), train | {"__len__": lambda split: 3})()

    lengths = np.array([16_000, 8_000, 32_000])
    assert VqVaeRecipe().amount_of_epoch(Data()) == (3, "images")
    hours, unit = CpcRecipe(crop_seconds=1.0).amount_of_epoch(Data(lengths=lengths))
    assert unit == "hours of audio" and hours == pytest.approx((1 + 0.5 + 1) / 3600)
    assert CpcRecipe(crop_seconds=None).amount_of_epoch(Data(lengths=lengths))[0] == pytest.approx(3.5 / 3600)
