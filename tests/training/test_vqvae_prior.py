"""The recipe that builds on another model: trained first or given, stopped anywhere, wrong in any way."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_ae.models import AutoEncoder, GenerativeAutoEncoder, TwoLevelAutoEncoder
from keras_ae.networks import image_decoder, image_encoder
from keras_ae.training import run as run_module
from keras_ae.training.callbacks import RunState
from keras_ae.training.cli import main
from keras_ae.training.recipes import VqVae2Recipe, VqVaePriorRecipe
from keras_ae.training.run import Run, load_model, train
from keras_ae.training.run_directory.base_model import untrained_base
from keras_ae.training.run_directory.checkpoint import Checkpoint

TINY = {"epochs": 2, "batch_size": 16, "filters": 4, "baselines": False, "probe": False}
PRIOR = {**TINY, "autoencoder_epochs": 2, "dim": 8, "depth": 1, "code_bits": 3}


@pytest.fixture(scope="module")
def whole(small_npz, tmp_path_factory):
    """A VQ-VAE and its prior, trained at once."""
    recipe = VqVaePriorRecipe(data=str(small_npz), **PRIOR)
    return train(recipe, runs=tmp_path_factory.mktemp("whole"), verbose=False)


@pytest.fixture(scope="module")
def two_level(small_npz, tmp_path_factory):
    """The run of a two-level auto-encoder."""
    recipe = VqVae2Recipe(data=str(small_npz), num_embeddings=8, **{**TINY, "probe": True})
    return train(recipe, runs=tmp_path_factory.mktemp("two_level"), verbose=False)


def test_run_holds_the_auto_encoder_and_what_the_prior_is_worth(whole):
    assert Run.open(whole.directory / "autoencoder").recipe().name == "vqvae"
    metrics = json.loads((whole.directory / "metrics.json").read_text())
    test = metrics["test"]
    assert test["uniform_rate_bits_per_dim"] == pytest.approx(4 * 3 / 64)  # 2 x 2 codes of 3 bits, 64 pixels
    assert 0 < test["rate_bits_per_dim"] < test["bits_per_dim"] < 12
    assert test["pixel_levels"] == 256
    assert metrics["codes"]["bits_per_image"] == 12
    assert (whole.directory / "figures" / "samples.png").is_file()
    assert "Samples" in (whole.directory / "report.html").read_text()


def test_model_of_the_run_generates_and_encodes(whole, small_npz, tmp_path):
    model = whole.load_model()
    assert isinstance(model, GenerativeAutoEncoder)
    images = np.asarray(model.sample(3, seed=0))
    assert images.shape == (3, 8, 8, 1) and np.isfinite(images).all()
    assert main(["encode", str(whole.directory), str(small_npz), str(tmp_path / "codes.npz")]) == 0
    with np.load(tmp_path / "codes.npz") as file:
        assert file["codes"].shape == (40, 2, 2)


def test_prior_over_a_trained_two_level_model_takes_its_data(two_level, small_npz, tmp_path):
    metrics = json.loads((two_level.directory / "metrics.json").read_text())
    assert {"top_usage", "bottom_usage"} <= set(metrics["codes"])
    assert metrics["codes"]["bits_per_image"] == 3 + 4 * 3
    assert 0 <= metrics["test"]["probe_accuracy"] <= 1
    arguments = ["--epochs", "1", "--dim", "8", "--depth", "1", "--batch-size", "16", "--class-conditional"]
    command = ["train", "vqvae-prior", "--model", str(two_level.directory), "--runs", str(tmp_path)]
    assert main([*command, *arguments]) == 0
    (run,) = (tmp_path / "vqvae-prior").iterdir()
    assert json.loads((run / "config.json").read_text())["settings"]["data"] == str(small_npz)
    model = Run.open(run).load_model()
    assert isinstance(model.auto_encoder, TwoLevelAutoEncoder)
    assert model.sample(2, labels=[0, 2], seed=0).shape == (2, 8, 8, 1)
    trained = two_level.load_model()
    for ours, theirs in zip(model.auto_encoder.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # a run with a prior is something to build on, too
    base = untrained_base(
        VqVaePriorRecipe(model=str(run)), SimpleNamespace(image_shape=(8, 8, 1)), 1, load_model
    )
    assert isinstance(base, TwoLevelAutoEncoder)


def stop_in(monkeypatch, folder):
    """Interrupts the training whose checkpoint lies in `folder` in the middle of its second epoch."""

    class Stopping(RunState):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs, seconds=0.0)

        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            if self.path.parent.name == folder and self.epoch == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "RunState", Stopping)


def test_stopped_in_either_training_it_ends_as_if_never_stopped(whole, small_npz, tmp_path, monkeypatch):
    recipe = VqVaePriorRecipe(data=str(small_npz), **PRIOR)
    stop_in(monkeypatch, "autoencoder")
    with pytest.raises(KeyboardInterrupt, match="in the training of the model that the run builds on"):
        train(recipe, runs=tmp_path, verbose=False)
    (directory,) = (tmp_path / "vqvae-prior").iterdir()
    assert not (directory / "checkpoint.npz").exists()
    stop_in(monkeypatch, directory.name)
    with pytest.raises(KeyboardInterrupt, match="The checkpoint in epoch 2 of 2 is kept"):
        train(VqVaePriorRecipe(), resume=directory, verbose=False)
    monkeypatch.undo()
    train(VqVaePriorRecipe(), resume=directory, verbose=False)
    for folder in (".", "autoencoder"):
        resumed, straight = (
            Checkpoint(place / folder / "checkpoint.npz") for place in (directory, whole.directory)
        )
        assert resumed.state["history"] == straight.state["history"]
        for name, value in straight.arrays.items():
            np.testing.assert_array_equal(resumed.arrays[name], value, err_msg=name)
    metrics = [(place / "metrics.json").read_text() for place in (directory, whole.directory)]
    assert metrics[0] == metrics[1]


@pytest.fixture
def complaint(capsys, tmp_path):
    """The one line about `train vqvae-prior` with the given arguments."""

    def call(*arguments):
        capsys.readouterr()
        runs = tmp_path / "runs"
        assert main(["train", "vqvae-prior", "--runs", str(runs), *map(str, arguments)]) == 2
        errors = capsys.readouterr().err
        assert errors.startswith("keras-ae: ") and len(errors.splitlines()) == 1
        assert not runs.exists()
        return errors

    return call


def test_model_that_is_not_there_is_named(complaint, tmp_path):
    assert f"{tmp_path / 'nope'} does not exist" in complaint("--model", tmp_path / "nope")


def test_folder_that_is_no_run_is_named(complaint, tmp_path):
    assert f"{tmp_path} is not a run directory" in complaint("--model", tmp_path)


def test_images_of_another_size_are_refused(complaint, two_level, tmp_path):
    images = np.zeros((20, 6, 6), "uint8")
    np.savez(tmp_path / "other.npz", images=images)
    line = complaint("--model", two_level.directory, "--data", tmp_path / "other.npz")
    assert "(8, 8, 1)" in line and "(6, 6, 1)" in line


def test_labels_that_are_not_there_are_asked_for(complaint, tmp_path):
    np.savez(tmp_path / "unlabelled.npz", images=np.zeros((20, 8, 8), "uint8"))
    line = complaint("--class-conditional", "--data", tmp_path / "unlabelled.npz")
    assert "must have labels for --class-conditional. Received: " in line


def test_model_without_codes_is_refused(complaint, small_npz, tmp_path):
    networks = image_encoder((8, 8, 1), 4, filters=4), image_decoder((8, 8, 1), 4, filters=4)
    AutoEncoder(*networks).save(tmp_path / "plain.keras")
    line = complaint("--model", tmp_path / "plain.keras", "--data", small_npz)
    assert "discrete bottleneck" in line
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    assert "unknown" in complaint("--model", tmp_path / "other.keras", "--data", small_npz)
