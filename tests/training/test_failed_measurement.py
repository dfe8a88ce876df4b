"""What cannot be measured after a training does not lose it."""

import json

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation.attempts import recorded
from keras_ae.evaluation.speech import frame_probes as speech_probes
from keras_ae.evaluation.speech import units as speech_units
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.cli import main
from keras_ae.training.recipes import CpcRecipe
from keras_ae.training.recipes.images import _measures as measurement
from keras_ae.training.report.page import write_report


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    """A training on images of one class, whose reconstructions cannot be measured: code, run, lines."""
    folder = tmp_path_factory.mktemp("one_class")
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8), dtype="uint8")
    np.savez(folder / "data.npz", images=images, labels=np.zeros(30, int))
    options = ["--data", str(folder / "data.npz"), "--runs", str(folder), "--epochs", "1", "--filters", "8"]

    def broken(model, split):
        raise RuntimeError("no more memory")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measurement, "reconstruction_metrics", broken)
        patch.setattr("keras_ae.training.callbacks.ReconstructionGrid.draw", broken)
        code = main(["train", "autoencoder", *options])
    (run,) = (folder / "autoencoder").iterdir()
    return code, run


def test_the_run_is_kept_and_the_exit_code_says_that_something_failed(outcome):
    code, run = outcome
    assert code == 1
    for name in ("model.keras", "history.csv", "checkpoint.npz", "report.html"):
        assert (run / name).is_file()
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["failed"]["reconstructions"] == "RuntimeError: no more memory"
    assert metrics["failed"]["pictures of ReconstructionGrid"] == "RuntimeError: no more memory"
    assert "PCA-1" in metrics["baselines"]  # what comes after is measured


def test_a_probe_of_one_class_is_left_out_with_a_line(outcome):
    metrics = json.loads((outcome[1] / "metrics.json").read_text())
    assert "at least two classes" in metrics["left_out"]["linear probe"]
    assert "probe_accuracy" not in metrics["test"]


def test_the_traceback_is_in_a_file_and_the_reason_on_the_page(outcome):
    run = outcome[1]
    assert "in broken" in (run / "failed_measurement.txt").read_text()
    page = (run / "report.html").read_text()
    assert "reconstructions could not be measured: RuntimeError: no more memory" in page
    assert "linear probe was left out: the labels of the training images must" in page


def test_the_embedding_of_one_class_is_reported_without_its_probe(outcome, capsys, monkeypatch):
    monkeypatch.setattr("keras_ae.evaluation.report.measuring.measured_pairs", lambda *_: {"rows": []})
    assert main(["report", str(outcome[1]), "--measure", "always"]) == 0
    said = capsys.readouterr().out
    assert "! label was left out: it has one value only (0)." in said
    assert json.loads((outcome[1] / "embedding.json").read_text())["probes"] == {}


def test_a_section_of_a_report_that_fails_ends_with_1(outcome, capsys, monkeypatch):
    def broken(*_):
        raise RuntimeError("no map")

    monkeypatch.setattr("keras_ae.evaluation.report.measuring.measured_pairs", lambda *_: {"rows": []})
    monkeypatch.setattr("keras_ae.evaluation.report.sections.visual.plane", lambda *_, **__: broken())
    assert main(["report", str(outcome[1]), "--measure", "always"]) == 1
    assert "! the map could not be measured: RuntimeError: no map (traceback:" in capsys.readouterr().out
    assert "the map could not be measured" in write_report(outcome[1]).read_text()


@pytest.mark.parametrize("probe", ["speaker", "units", "phones"])
def test_one_speaker_is_an_input_that_a_probe_refuses(probe):
    y, x = np.zeros(6, int), [np.ones((5, 2))] * 6
    with pytest.raises(InputError, match="at least two classes"):
        if probe == "units":
            units = [np.zeros(4, int)] * 6
            speech_units.histogram_speaker_accuracy(units, y, units, y, 3)
        else:
            speech_probes.linear_accuracy(np.stack(x)[:, 0], y, np.stack(x)[:, 0], y)


def test_a_speech_recipe_measures_phones_where_there_is_one_speaker(monkeypatch):
    recipe = CpcRecipe()

    class Data:
        phones, sample_rate, train = ["a", "b"], 16_000, type("Split", (), {"speaker": [0]})

    def one_speaker(*_):
        raise InputError("one class only (ann)")

    monkeypatch.setattr(CpcRecipe, "_encoded", lambda *_: ["train", "test"])
    monkeypatch.setattr("keras_ae.evaluation.speech.frame_probes.phone_accuracy", lambda *_: 0.75)
    monkeypatch.setattr("keras_ae.evaluation.speech.frame_probes.speaker_accuracy", one_speaker)
    with recorded() as attempts:
        assert recipe.probes(None, Data) == {"phone_accuracy": 0.75}
    assert attempts.left_out == {"speaker probe": "one class only (ann)"}


def test_a_picture_that_fails_does_not_stop_the_training(tmp_path):
    class Broken(FigureCallback):
        def draw(self, epoch):
            raise ValueError("no picture")

    with recorded() as attempts:
        callback = Broken(tmp_path)
        callback.on_epoch_end(0)
        callback.on_train_end()
    assert attempts.failed == {"pictures of Broken": "ValueError: no picture"}
