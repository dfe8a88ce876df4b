"""Runs that are resumed, continued by more epochs, and started from one another."""

import json
import re

import keras
import numpy as np
import pytest

from keras_ae.training import run as run_module
from keras_ae.training.cli import main
from keras_ae.training.run_directory.checkpoint import Checkpoint
from run_files import config_of, rewrite, unfinish


def test_a_finished_run_that_is_resumed_says_so_and_keeps_its_results(run, resume):
    before = (run / "metrics.json").read_bytes(), (run / "checkpoint.npz").read_bytes()
    code, out, _ = resume()
    assert code == 0 and f"{run} is finished: all its 1 epochs are trained and measured." in out
    assert ((run / "metrics.json").read_bytes(), (run / "checkpoint.npz").read_bytes()) == before


def test_a_run_that_was_stopped_while_it_was_measured_is_measured(run, resume):
    before = json.loads((run / "metrics.json").read_text())
    unfinish(run)
    assert resume()[0] == 0
    assert json.loads((run / "metrics.json").read_text()) == before and config_of(run)["finished"]


def test_a_run_that_was_stopped_before_its_first_checkpoint_begins(run, resume, trained_run):
    unfinish(run)
    for name in ("checkpoint.npz", "model.keras", "history.csv"):
        (run / name).unlink()
    code, out, _ = resume()
    assert code == 0 and "was stopped before its first checkpoint: its training begins" in out
    first, second = (Checkpoint(place / "checkpoint.npz") for place in (trained_run, run))
    (before,), (after,) = first.state["history"], second.state["history"]
    assert before == pytest.approx(after, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epochs", "0"], "--epochs must be at least 1"),
        (["--batch-size", "3", "--filters", "4"], "keep its settings: leave out --batch-size, --filters"),
        (["--filters", "64"], "leave out --filters"),  # the default, but not what the run has
        (["--init-from", "run"], "--init-from and --resume must not be combined"),
    ],
)
def test_other_settings_are_refused(resume, options, words):
    code, _, err = resume(*options)
    assert code == 2 and words in err and len(err.splitlines()) == 1


def test_fewer_epochs_are_refused(run, resume):
    rewrite(run, settings={"epochs": 5})
    code, _, err = resume("--epochs", 3)
    assert (
        code == 2 and f"--epochs must be at least 5, those of {run}, when it is resumed. Received: 3" in err
    )


def test_more_epochs_continue_a_finished_run(run, resume):
    code, out, _ = resume("--epochs", 2)
    assert code == 0 and "continued after 1 of 2 epochs" in out
    assert (run / "history.csv").read_text().count("\n") == 3
    config = config_of(run)
    assert config["settings"]["epochs"] == 2 and config["finished"]
    assert config["continued"] == [{"after": 1, "planned": 1, "epochs": 2}]
    optimizer = Checkpoint(run / "checkpoint.npz")
    assert optimizer.state["epoch"] == 2


def test_more_epochs_are_bit_exact_where_no_schedule_depends_on_them(small_npz, tmp_path, monkeypatch):
    # the only schedule of the recipe
    monkeypatch.setattr(keras.optimizers.schedules, "CosineDecay", lambda rate, steps: rate)
    options = ["autoencoder", "--data", str(small_npz), "--filters", "4", "--no-baselines", "--no-probe"]
    runs = {}
    for name, epochs in (("straight", 2), ("continued", 1)):
        keras.utils.clear_session()
        assert main(["train", *options, "--epochs", str(epochs), "--runs", str(tmp_path / name)]) == 0
        (runs[name],) = (tmp_path / name / "autoencoder").iterdir()
    keras.utils.clear_session()
    assert main(["train", "autoencoder", "--resume", str(runs["continued"]), "--epochs", "2"]) == 0
    straight, continued = (Checkpoint(runs[name] / "checkpoint.npz") for name in runs)
    assert straight.state["epoch"] == continued.state["epoch"] == 2
    models = [keras.saving.load_model(runs[name] / "model.keras") for name in runs]
    for own, given in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(own, given)


def test_a_new_run_starts_from_the_weights_of_another(trained_run, small_npz, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(run_module, "_fit", lambda run, model, *_: started.append(model) or stop())

    def stop():
        raise KeyboardInterrupt

    options = ["--data", str(small_npz), "--filters", "8", "--runs", str(tmp_path)]
    assert main(["train", "vqvae", *options, "--init-from", str(trained_run)]) == 130
    expected = keras.saving.load_model(trained_run / "model.keras")
    for own, given in zip(started[0].weights, expected.weights, strict=True):
        np.testing.assert_array_equal(own, given, err_msg=own.path)
    (made,) = (tmp_path / "vqvae").iterdir()
    assert config_of(made)["init_from"] == str(trained_run)


@pytest.mark.parametrize(
    ("recipe", "options", "words"),
    [
        ("vqvae", ["--filters", "4"], "whose weights have the same shapes. Received: .*, which is .* here"),
        ("vqvae", ["--filters", "8", "--downsampling", "1"], "same settings of the model|the same shapes"),
        (
            "vae",
            ["--filters", "8"],
            "the same kind of model, VariationalAutoEncoder. Received: .* AutoEncoder",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    trained_run, small_npz, tmp_path, capsys, recipe, options, words
):
    options = ["--data", str(small_npz), *options, "--runs", str(tmp_path / "runs")]
    assert main(["train", recipe, *options, "--init-from", str(trained_run)]) == 2
    err = capsys.readouterr().err
    assert re.search(words, err) and len(err.splitlines()) == 1 and not (tmp_path / "runs").exists()
