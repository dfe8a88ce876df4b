"""Runs that are stopped by the user, by another process or by a full disk: what is kept is named."""

import errno
import os

import pytest
import tensorflow as tf

from keras_ae.training import run as run_module
from keras_ae.training.callbacks import RunState
from keras_ae.training.cli import main
from keras_ae.training.run_directory.lock import RunLock
from run_files import unfinish


@pytest.mark.parametrize("verb", ["train", "report"])
def test_a_run_that_is_being_trained_is_not_written_by_another(run, capsys, verb):
    unfinish(run)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.name != "training.lock"}
    arguments = ["train", "vqvae", "--resume", str(run)] if verb == "train" else ["report", str(run)]
    with RunLock(run):
        assert main(arguments) == 2
        assert f"{run} is being trained by process" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == before


def test_the_page_of_a_run_that_is_being_trained_can_be_rebuilt(run, capsys):
    with RunLock(run):
        assert main(["report", str(run), "--measure", "never"]) == 0


def test_an_unfinished_run_is_encoded_with_a_line_about_it(run, small_npz, tmp_path, capsys):
    unfinish(run)
    assert main(["encode", str(run), str(small_npz), str(tmp_path / "codes.npz")]) == 0
    line = f"The training of {run} is not finished: its best model so far is used. Finish it with: "
    assert f"{line}keras-ae train --resume {run}\n" in capsys.readouterr().out
    with RunLock(run):
        assert main(["encode", str(run), str(small_npz), str(tmp_path / "codes.npz")]) == 0
    assert "is still running: its best model so far is used.\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("stop_at", "words"),
    [
        ("on_train_begin", "stopped before the first checkpoint. Start again with: "),
        ("save", "stopped. The checkpoint in epoch 2 of 3 is kept. Continue with: "),
    ],
)
def test_a_training_that_is_stopped_names_its_recipe_and_run(
    small_npz, tmp_path, monkeypatch, capsys, stop_at, words
):
    real = RunState.save

    def interrupt(self, *args, **kwargs):
        if stop_at == "save":
            real(self, *args, **kwargs)
        raise KeyboardInterrupt

    monkeypatch.setattr(RunState, stop_at, interrupt)
    options = ["--data", str(small_npz), "--filters", "4", "--epochs", "3"]
    assert main(["train", "vqvae", *options, "--runs", str(tmp_path)]) == 130
    (made,) = (tmp_path / "vqvae").iterdir()
    err = capsys.readouterr().err
    assert err == f"keras-ae: {words}keras-ae train --resume {made}\n"
    assert not (made / "training.lock").exists()


def test_a_measurement_that_is_stopped_keeps_the_training(run, resume, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    unfinish(run)
    monkeypatch.setattr(run_module.RECIPES["vqvae"], "measure", interrupt)
    code, _, err = resume()
    assert code == 130 and "stopped after the training, which is kept. Measure its model with: " in err
    assert err.endswith(f"keras-ae train --resume {run}\n")


@pytest.mark.parametrize(
    ("verb", "patched", "words"),
    [
        ("encode", "keras_ae.training.commands.encode.encode_examples", "Nothing was written."),
        (
            "export",
            "keras_ae.training.command_line.encoding.export_run",
            "Formats that were finished are kept in the run",
        ),
        ("report", "keras_ae.training.commands.report.report", "The page and the record are as they were"),
        ("convert", "keras_ae.training.commands.convert.convert", "Recordings that were converted are kept."),
        ("compare", "keras_ae.training.commands.report.compare_runs", "Nothing was written."),
    ],
)
def test_a_command_that_is_stopped_says_what_is_kept(trained_run, monkeypatch, capsys, verb, patched, words):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(patched, interrupt)
    rest = {"encode": ["in put", "out.npz"], "convert": ["a.wav", "b", "c.wav"]}.get(verb, [])
    arguments = [verb, str(trained_run), *rest]
    assert main(arguments) == 130
    err = capsys.readouterr().err
    assert err.startswith(f"keras-ae: stopped. {words}") and "train" not in err.replace(str(trained_run), "")
    again = " ".join(f"'{part}'" if " " in part else part for part in ["keras-ae", *arguments])
    assert err.endswith(f"Run it again with: {again}\n")


def test_a_demo_that_is_stopped_keeps_its_run(trained_run, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "train", lambda *_, **__: run_module.Run(trained_run))
    monkeypatch.setattr("keras_ae.training.commands.report.report", interrupt)
    assert main(["demo"]) == 130
    assert f"The trained run is kept. Continue with: keras-ae report {trained_run}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["model.keras", "checkpoint.npz", "history.csv"])
def test_a_full_disk_names_the_file_and_how_to_continue(run, resume, monkeypatch, name):
    if name != "model.keras":
        (run / "checkpoint.npz").unlink()  # begins again
    unfinish(run)
    before = (run / "model.keras").read_bytes()
    real = os.replace

    def full(source, target):
        if str(target).endswith(name):
            raise OSError(errno.ENOSPC, "No space left on device")  # as `write` does: without a name
        real(source, target)

    monkeypatch.setattr(os, "replace", full)
    code, _, err = resume()
    assert code == 2 and len(err.splitlines()) == 1
    assert f"{run / name}: No space left on device. The training has stopped. Once this is solved" in err
    assert err.endswith(f"continue with: keras-ae train --resume {run}\n")
    assert (run / "model.keras").read_bytes() == before and not list(run.glob(".*"))


def test_a_full_disk_in_the_training_of_a_part_names_the_run(small_npz, tmp_path, monkeypatch, capsys):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device", str(self.path))

    monkeypatch.setattr(RunState, "save", full)
    options = ["--data", str(small_npz), "--filters", "4", "--epochs", "1", "--runs", str(tmp_path)]
    assert main(["train", "vqvae-prior", *options]) == 2
    (made,) = (tmp_path / "vqvae-prior").iterdir()
    err = capsys.readouterr().err
    assert f"{made / 'autoencoder' / 'checkpoint.npz'}: No space left on device" in err
    assert err.endswith(f"continue with: keras-ae train --resume {made}\n")


def test_errors_of_files_of_tensorflow_are_one_line(monkeypatch, capsys):
    def refuse(*_, **__):
        raise tf.errors.PermissionDeniedError(None, None, "runs/a/logs/train; Permission denied")

    monkeypatch.setattr(run_module, "train", refuse)
    assert main(["train", "vqvae"]) == 2
    assert capsys.readouterr().err == "keras-ae: runs/a/logs/train; Permission denied\n"
