"""The data of a run that have changed, that were moved, or that are others."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.training.cli import main
from keras_ae.training.run_directory.data import files_of_run, load_data_of
from keras_ae.training.run_directory.fingerprint import FILE, DataFingerprint
from run_files import config_of, rewrite, unfinish


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
        assert f"{images}, the data of {folder_run}, no longer exists. If it was moved, pass" in line
    arguments = ["train", "autoencoder", "--resume", str(folder_run), "--data", str(tmp_path / "moved")]
    assert main(arguments) == 0
    assert config_of(folder_run)["settings"]["data"] == str(tmp_path / "moved")


@pytest.mark.parametrize("others", [False, True], ids=["", "other_data_have_the_same_name_elsewhere"])
def test_a_relative_path_holds_where_the_training_began(images, folder_run, tmp_path, monkeypatch, others):
    rewrite(folder_run, settings={"data": "images"})
    (tmp_path / "elsewhere").mkdir()
    if others:
        shutil.copytree(images / "a", tmp_path / "elsewhere" / "images" / "b")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert main(["train", "autoencoder", "--resume", str(folder_run)]) == 0


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


def test_a_run_without_a_fingerprint_is_resumed_with_a_line(run, resume):
    unfinish(run)
    (run / FILE).unlink()
    code, out, _ = resume()
    assert code == 0 and "has no fingerprint of its data: whether they have changed cannot be checked" in out
    assert (run / FILE).is_file()


def test_a_report_on_other_data_says_so(run, small_npz, tmp_path, monkeypatch, capsys):
    with np.load(small_npz) as file:
        np.savez(tmp_path / "other.npz", images=file["images"][::-1], labels=file["labels"])
    command = "keras_ae.training.commands.report"

    def measured(run, data=None, **_):
        load_data_of(run, data)
        return SimpleNamespace(results={"failed": {}})

    monkeypatch.setattr(f"{command}.measure_run", measured)
    monkeypatch.setattr(f"{command}.print_embedding", lambda record: None)
    assert main(["report", str(run), "--data", str(tmp_path / "other.npz")]) == 0
    assert "(1 changed (rows 0 to 39)): it is measured as other data" in capsys.readouterr().out
    shutil.copy(small_npz, tmp_path / "same.npz")
    assert main(["report", str(run), "--data", str(tmp_path / "same.npz")]) == 0
    assert "other data" not in capsys.readouterr().out


def test_every_file_that_a_training_writes_is_one_of_the_run(trained_run):
    assert set(files_of_run(trained_run)) == set(trained_run.iterdir())


def test_a_fingerprint_has_a_digest_of_everything(trained_run):
    own = DataFingerprint.load(trained_run)
    assert own.digest == config_of(trained_run)["fingerprint"] and len(own.digest) == 16
