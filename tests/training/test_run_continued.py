"""Runs that are stopped, resumed, moved, continued and started from one another."""

import errno
import json
import os
import re
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.training import run as run_module
from keras_ae.training.callbacks import RunState
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.checkpoint import Checkpoint
from keras_ae.training.cli import main
from keras_ae.training.data_fingerprint import FILE, DataFingerprint
from keras_ae.training.run_data import load_data_of
from keras_ae.training.run_lock import RunLock


@pytest.fixture(autouse=True, scope="module")
def quick(trained_run):
    """Trainings of one step: graphs, pictures and pages would take most of the time."""
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "write_report", lambda directory: None)
        patch.setattr(FigureCallback, "_write", lambda *_: None)
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy of a finished run of one epoch."""
    return shutil.copytree(trained_run, tmp_path / "run")


@pytest.fixture
def resume(run, capsys):
    """Resumes the run; `(exit code, output, error line)`."""

    def call(*options, recipe="vqvae"):
        capsys.readouterr()
        code = main(["train", recipe, "--resume", str(run), *map(str, options)])
        return code, *capsys.readouterr()

    return call


def config_of(run):
    return json.loads((run / "config.json").read_text())


def rewrite(run, **changes):
    """Change entries of `config.json`; `None` removes one, `settings` are merged."""
    config = config_of(run)
    changes["settings"] = config["settings"] | changes.get("settings", {})
    config = {name: value for name, value in {**config, **changes}.items() if value is not None}
    (run / "config.json").write_text(json.dumps(config))


def unfinish(run):
    """As if the process had been killed while the model was measured."""
    rewrite(run, finished=False)
    (run / "metrics.json").unlink()


# what a resumed run says


def test_a_finished_run_that_is_resumed_says_so_and_keeps_its_figures(run, resume):
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
        (["--batch-size", "3", "--filters", "4"], "keeps its settings; leave out --batch-size, --filters"),
        (["--filters", "64"], "leave out --filters"),  # the default, but not what the run has
        (["--init-from", "run"], "give one of them"),
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


# two at once


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
    assert (
        f"finish it with keras-ae train vqvae --resume {run}. Its best model so far"
        in capsys.readouterr().out
    )
    with RunLock(run):
        assert main(["encode", str(run), str(small_npz), str(tmp_path / "codes.npz")]) == 0
    assert "is still being trained. Its best model so far is taken" in capsys.readouterr().out


# Ctrl-C


@pytest.mark.parametrize(
    ("stop_at", "words"),
    [
        ("on_train_begin", "stopped before the first checkpoint. Begin again with: "),
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
    assert err == f"keras-ae: {words}keras-ae train vqvae --resume {made}\n"
    assert not (made / "training.lock").exists()


def test_a_measurement_that_is_stopped_keeps_the_training(run, resume, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    unfinish(run)
    monkeypatch.setattr(run_module.RECIPES["vqvae"], "measure", interrupt)
    code, _, err = resume()
    assert code == 130 and "stopped after the training, which is kept. Measure its model with: " in err
    assert err.endswith(f"keras-ae train vqvae --resume {run}\n")


@pytest.mark.parametrize(
    ("verb", "patched", "words"),
    [
        ("encode", "keras_ae.training.encoding.encode_command", "Nothing was written."),
        ("export", "keras_ae.training.cli.export_run", "Formats that were finished are kept in the run"),
        ("report", "keras_ae.training.report_command.report", "The page and the record are as they were"),
        ("convert", "keras_ae.training.convert_command.convert", "Recordings that were converted are kept."),
        ("compare", "keras_ae.training.compare.compare_runs", "Nothing was written."),
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
    monkeypatch.setattr("keras_ae.training.report_command.report", interrupt)
    assert main(["demo"]) == 130
    assert f"The trained run is kept. Continue with: keras-ae report {trained_run}" in capsys.readouterr().err


# a full disk


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
    assert err.endswith(f"continue with: keras-ae train vqvae --resume {run}\n")
    assert (run / "model.keras").read_bytes() == before and not list(run.glob(".*"))


def test_errors_of_files_of_tensorflow_are_one_line(monkeypatch, capsys):
    def refuse(*_, **__):
        raise tf.errors.PermissionDeniedError(None, None, "runs/a/logs/train; Permission denied")

    monkeypatch.setattr(run_module, "train", refuse)
    assert main(["train", "vqvae"]) == 2
    assert capsys.readouterr().err == "keras-ae: runs/a/logs/train; Permission denied\n"


# the data


@pytest.fixture(scope="module")
def trained_on_folder(tmp_path_factory):
    """The folders of twelve PNG files of two classes and of a run on them, not to be changed."""
    place = tmp_path_factory.mktemp("place")
    for number in range(12):
        path = place / "images" / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tf.io.encode_png(np.full((8, 8, 1), 20 * number, "uint8")).numpy())
    options = [
        "--data",
        str(place / "images"),
        "--filters",
        "4",
        "--epochs",
        "1",
        "--no-baselines",
        "--no-probe",
    ]
    assert main(["train", "autoencoder", *options, "--runs", str(place / "runs")]) == 0
    (made,) = (place / "runs" / "autoencoder").iterdir()
    return place / "images", made


@pytest.fixture
def images(trained_on_folder, tmp_path):
    """A copy of the images."""
    return shutil.copytree(trained_on_folder[0], tmp_path / "images")


@pytest.fixture
def folder_run(trained_on_folder, images, tmp_path):
    """A run on them that was stopped while it was measured."""
    run = shutil.copytree(trained_on_folder[1], tmp_path / "folder_run")
    rewrite(run, settings={"data": str(images)}, data_path=str(images))
    unfinish(run)
    return run


def test_a_folder_that_has_changed_is_refused_with_what_changed(images, folder_run, capsys):
    (images / "a" / "0.png").unlink()
    (images / "b" / "1.png").write_bytes((images / "b" / "3.png").read_bytes())
    for name in ("new", "newer"):
        shutil.copy(images / "a" / "2.png", images / "a" / f"{name}.png")
    for command in (["train", "autoencoder", "--resume"], ["report"]):
        assert main([*command, str(folder_run)]) == 2
        assert (
            "have changed since its training began: 2 added (such as a/new.png), 1 removed (a/0.png), "
            "1 changed (b/1.png). Restore them"
        ) in capsys.readouterr().err


def test_a_folder_that_was_moved_is_named_and_may_be_given(images, folder_run, tmp_path, capsys):
    images.rename(tmp_path / "moved")
    for command in (["train", "autoencoder", "--resume"], ["report"]):
        assert main([*command, str(folder_run)]) == 2
        line = capsys.readouterr().err
        assert f"{images}, the data of {folder_run}, does not exist any more. If it was moved, give" in line
    arguments = ["train", "autoencoder", "--resume", str(folder_run), "--data", str(tmp_path / "moved")]
    assert main(arguments) == 0
    assert config_of(folder_run)["settings"]["data"] == str(tmp_path / "moved")


def test_a_relative_path_holds_where_the_training_began(images, folder_run, tmp_path, monkeypatch, capsys):
    rewrite(folder_run, settings={"data": "images"})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["train", "autoencoder", "--resume", str(folder_run)]) == 0


def test_a_run_without_a_fingerprint_is_resumed_with_a_line(run, resume):
    unfinish(run)
    (run / FILE).unlink()
    code, out, _ = resume()
    assert code == 0 and "has no fingerprint of its data: whether they have changed cannot be checked" in out
    assert (run / FILE).is_file()


def test_a_report_on_other_data_says_so(run, small_npz, tmp_path, monkeypatch, capsys):
    with np.load(small_npz) as file:
        np.savez(tmp_path / "other.npz", images=file["images"][::-1], labels=file["labels"])
    command = "keras_ae.training.report_command"

    def measured(run, data=None, **_):
        load_data_of(run, data)
        return SimpleNamespace(figures={"failed": {}})

    monkeypatch.setattr(f"{command}.measure_run", measured)
    monkeypatch.setattr(f"{command}.print_embedding", lambda record: None)
    assert main(["report", str(run), "--data", str(tmp_path / "other.npz")]) == 0
    assert "(1 changed (rows 0 to 39)): it is measured as other data" in capsys.readouterr().out
    shutil.copy(small_npz, tmp_path / "same.npz")
    assert main(["report", str(run), "--data", str(tmp_path / "same.npz")]) == 0
    assert "other data" not in capsys.readouterr().out


# more epochs


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


# other weights


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


def test_a_fingerprint_has_a_digest_of_everything(trained_run):
    own = DataFingerprint.load(trained_run)
    assert own.digest == config_of(trained_run)["fingerprint"] and len(own.digest) == 16


def test_the_place_of_the_data_of_a_finished_run_is_compared_and_kept(run, resume, small_npz, tmp_path):
    moved, other = tmp_path / "moved.npz", tmp_path / "other.npz"
    shutil.copy(small_npz, moved)
    with np.load(small_npz) as file:
        np.savez(other, images=file["images"][::-1], labels=file["labels"])
    code, _, err = resume("--data", other)
    assert code == 2 and "have changed since its training began: 1 changed (rows 0 to 39)" in err
    assert config_of(run)["settings"]["data"] == str(small_npz)
    assert resume("--data", moved)[0] == 0
    assert config_of(run)["settings"]["data"] == str(moved) and config_of(run)["finished"]


def test_a_full_disk_in_the_training_of_a_part_names_the_run(small_npz, tmp_path, monkeypatch, capsys):
    def full(self, *_):
        raise OSError(errno.ENOSPC, "No space left on device", str(self.path))

    monkeypatch.setattr(RunState, "save", full)
    options = ["--data", str(small_npz), "--filters", "4", "--epochs", "1", "--runs", str(tmp_path)]
    assert main(["train", "vqvae-prior", *options]) == 2
    (made,) = (tmp_path / "vqvae-prior").iterdir()
    err = capsys.readouterr().err
    assert f"{made / 'autoencoder' / 'checkpoint.npz'}: No space left on device" in err
    assert err.endswith(f"continue with: keras-ae train vqvae-prior --resume {made}\n")
