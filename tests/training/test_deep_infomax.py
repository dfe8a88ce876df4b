"""The recipe of a model without a decoder, from training to report."""

import json
from types import SimpleNamespace

import pytest

from keras_ae.models import DeepInfoMax
from keras_ae.training.recipes import RECIPES
from keras_ae.training.report.summary import print_metrics
from keras_ae.training.run import train

TINY = {"filters": 4, "mi_units": 8, "latent_dim": 4, "epochs": 1, "batch_size": 256}


def test_a_run_without_a_decoder_is_measured_by_its_probe(tmp_path, capsys):
    run = train(RECIPES["deep-infomax"](**TINY), runs=tmp_path, verbose=False)
    model = run.load_model()
    assert isinstance(model, DeepInfoMax) and model.compiled
    metrics = json.loads((run.directory / "metrics.json").read_text())
    assert set(metrics["test"]) == {"loss", "probe_accuracy"}
    assert set(metrics["baselines"]) == {"pixels", "PCA-4"}
    # of 300 test images of 10 digits: pixels are nearly linearly separable
    assert metrics["baselines"]["pixels"]["probe_accuracy"] > 0.93
    print_metrics(run)
    shown = capsys.readouterr().out
    assert "linear probe" in shown and "PCA-4" in shown and "mse" not in shown
    page = (run.directory / "report.html").read_text()
    assert "deep-infomax" in page and "probe" in page


@pytest.mark.parametrize(
    "shape, downsampling, rows", [((8, 8, 1), 2, 4), ((28, 28, 1), 2, 7), ((32, 32, 3), 3, 8)]
)
def test_the_local_map_is_that_of_the_paper_where_images_are_its_own(shape, downsampling, rows):
    recipe = RECIPES["deep-infomax"](**{**TINY, "downsampling": downsampling}, gamma=0.1)
    model = recipe.build(SimpleNamespace(image_shape=shape, description={}), steps_per_epoch=3)
    assert model.map_shape[:2] == (rows, rows)
    assert [player.name for player in model.players()] == ["model", "discriminator"]
