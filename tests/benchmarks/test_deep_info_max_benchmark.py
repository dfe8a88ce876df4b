"""Deep InfoMax against an auto-encoder: equal terms, trainings that go on, right goals."""

from functools import partial

import numpy as np
import pytest

SETTINGS = {"rate": 1e-3, "epochs": 2}


@pytest.fixture
def training(benchmark_module, monkeypatch):
    module = benchmark_module("parts.deep_info_max_training")
    for network in ("deep_info_max_encoder", "deep_info_max_decoder"):
        small = partial(getattr(module, network), filters=(4, 4), units=8)
        monkeypatch.setattr(module, network, small)
    return module


@pytest.fixture
def comparison(benchmark_module):
    return benchmark_module("deep_info_max")


@pytest.fixture
def data(training):
    rng = np.random.default_rng(0)
    labels = np.arange(160) % 4
    images = rng.normal(size=(4, 8, 8, 1))[labels] + rng.normal(size=(160, 8, 8, 1))
    images = images.astype("float32")
    return training.Data(images[:128], labels[:128], images[128:], labels[128:], held_out=32)


def test_both_methods_start_from_the_same_encoder_and_never_see_what_is_held_out(training, data):
    first, second = (training.build(method, data.shape, SETTINGS, 4, seed=3) for method in ("dim", "ae"))
    for ours, theirs in zip(first.encoder.get_weights(), second.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (len(data.x_fit), len(data.x_validation)) == (96, 32)
    np.testing.assert_array_equal(np.concatenate([data.x_fit, data.x_validation]), data.x_train)


def test_a_stopped_training_goes_on_as_if_it_had_not_been(training, data, tmp_path):
    class Stop(Exception):
        pass

    def stop(_):
        raise Stop

    settings = {**SETTINGS, "mi_units": 8, "sample_locations": 3}
    model, history = training.train("dim", data, settings, 0, tmp_path / "whole", report=lambda _: None)
    with pytest.raises(Stop):
        training.train("dim", data, settings, 0, tmp_path / "cut", report=stop)
    resumed, again = training.train("dim", data, settings, 0, tmp_path / "cut", report=lambda _: None)
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in history], rel=1e-5)
    for ours, theirs in zip(resumed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    best = training.best_weights(tmp_path / "cut", "best")
    resumed.load_weights(best)
    z = training.embeddings(resumed, data.x_train)
    probe = training.linear_probe(z[:96], data.y_train[:96], z[96:], data.y_train[96:])
    assert probe == pytest.approx(max(row["probe"] for row in again))


def test_goals_follow_from_the_auto_encoder_once_it_is_measured(comparison):
    assert comparison.goals("cifar", {"dim": [{"linear": 0.5}], "ae": []})["dim"] == ""
    results = {"ae": [{"linear": 0.94}, {"linear": 0.96}]}
    assert comparison.goals("cifar", results) == {"ae": ">= 0.380", "dim": ">= 1.0000"}
    assert comparison.goals("mnist", results) == {"ae": ">= 0.916", "dim": ">= 0.9667"}  # two thirds of 0.05
