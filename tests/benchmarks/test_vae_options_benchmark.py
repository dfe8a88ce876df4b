"""The benchmark of the options of the VAE: labels belong to their images, and a cell is measured once."""

import json

import numpy as np
import pytest


@pytest.fixture
def benchmark(benchmark_module):
    return benchmark_module("vae_options")


def test_labels_are_in_the_order_of_the_images(benchmark, tmp_path):
    labels = np.random.default_rng(0).integers(0, 10, 5003).astype("uint8")
    images = np.zeros((5003, 28, 28), "uint8")
    images[np.arange(5003), 0, labels] = 255  # a pixel that tells the label
    path = tmp_path / "images.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:4], y_test=labels[:4])
    for part, numbers in zip(benchmark.load(path), benchmark.load_labels(path), strict=True):
        np.testing.assert_array_equal(part[:, :10].argmax(axis=1), numbers)


@pytest.mark.slow
def test_a_cell_is_trained_measured_and_recorded_once(benchmark, benchmark_module, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr(benchmark, "FEWER", 5)
    images = tuple((rng.random((count, 784)) < 0.2).astype("float32") for count in (600, 100, 60))
    labels = tuple(np.arange(len(part), dtype="int32") % 10 for part in images)
    scores = benchmark.measure("cvae", 0, (images, labels), tmp_path, epochs=1)
    assert 300 < scores["iwae1000"] < scores["negative_elbo"] < 500  # the entropy of the pixels is 392
    assert 0 <= scores["probe"] <= 1 and np.isfinite(scores["mmd"])
    monkeypatch.setattr(benchmark, "train", None)
    assert benchmark.measure("cvae", 0, (images, labels), tmp_path) == scores
    records = benchmark.records_of("cvae", [scores, scores])
    benchmark_module("parts.records").write_records(tmp_path / "records.json", records)
    assert json.loads((tmp_path / "records.json").read_text())["vae.mnist.cvae.probe"]["n"] == 2
