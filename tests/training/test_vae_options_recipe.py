"""Options of the VAE in its recipes: the model they make, and a whole conditional run."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.training.cli import main
from keras_ae.training.datasets import load_images
from keras_ae.training.recipes import RECIPES
from keras_ae.training.run import train

OPTIONS = {"mmd_weight": 3.0, "num_samples": 2}


@pytest.mark.parametrize("name", ["vae", "beta-vae", "beta-tc-vae"])
def test_the_options_reach_the_model(name):
    data = SimpleNamespace(image_shape=(8, 8, 1), description={}, num_classes=4)
    recipe = RECIPES[name](filters=4, class_conditional=True, **OPTIONS)
    config = recipe.build(data, steps_per_epoch=1).get_config()
    assert {**config, **OPTIONS, "num_labels": 4} == config and recipe.labelled
    plain = RECIPES[name](filters=4, free_bits=0.2).build(data, steps_per_epoch=1)
    assert plain.num_labels is None and plain.bottleneck.free_bits == 0.2


@pytest.mark.parametrize("setting, value", [("mmd_weight", -1.0), ("free_bits", -1.0), ("num_samples", 0)])
def test_options_out_of_range_are_refused_by_their_names(setting, value):
    with pytest.raises(InputError, match=f"--{setting.replace('_', '-')} must be at least"):
        RECIPES["vae"](**{setting: value})


def test_options_that_exclude_each_other_are_named():
    text = "free_bits must be 0 with num_samples > 1"
    assert RECIPES["vae"]().in_options(text) == "--free-bits must be 0 with --num-samples > 1"


@pytest.mark.slow
def test_a_conditional_run_is_trained_drawn_and_measured_with_labels(tmp_path, capsys):
    data = load_images("digits")
    inputs = data.test.inputs([3, 0], labels=True)
    np.testing.assert_array_equal(inputs["x"], data.test.images([3, 0]))
    np.testing.assert_array_equal(inputs["labels"], data.test.labels[[3, 0]])
    recipe = RECIPES["vae"](epochs=1, filters=4, batch_size=512, class_conditional=True, baselines=False)
    run = train(recipe, runs=tmp_path, verbose=False)
    metrics = json.loads((run.directory / "metrics.json").read_text())["test"]
    assert np.isfinite(metrics["mse"]) and 0 <= metrics["probe_accuracy"] <= 1
    assert (run.directory / "figures" / "reconstructions.png").is_file()
    model = run.load_model()
    assert model.encode(inputs).shape == (2, 8) and model.num_labels == 10
    np.savez(tmp_path / "x.npz", images=inputs["x"])
    x, out = str(tmp_path / "x.npz"), str(tmp_path / "out.npz")
    commands = [["encode", x, out], ["score", x, out], ["interpolate", x, x, out], ["report"]]
    for command, *arguments in commands:  # they read images alone
        capsys.readouterr()
        assert main([command, str(run.directory), *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(
            f"keras-ae: {run.directory} must be used from Python, since the model has labels"
        )
    assert (
        main(
            ["report", str(run.directory / "model.keras"), "--data", x, "--output", str(tmp_path / "a.html")]
        )
        == 2
    )
    assert "must be used from Python, since the model has labels" in capsys.readouterr().err
    page = (run.directory / "report.html").read_text()
    assert "has not been measured yet" not in page and "--measure never" in page
    codes = str(tmp_path / "codes.npz")
    np.savez(codes, embedding=model.encode(inputs))
    assert main(["decode", str(run.directory), codes, out]) == 2
    assert "CODES must contain labels" in capsys.readouterr().err
    np.savez(codes, embedding=model.encode(inputs), labels=inputs["labels"])
    assert main(["decode", str(run.directory), codes, out]) == 0
    with np.load(out) as found:
        np.testing.assert_allclose(found["images"], model.reconstruct(inputs), atol=1e-5)
    assert main(["sample", str(run.directory), out, "--num", "2", "--labels", "3"]) == 0
