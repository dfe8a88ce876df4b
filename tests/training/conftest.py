import json

import numpy as np
import pytest

from keras_ae.training.cli import main
from keras_ae.training.report.plots import code_histogram, image_grid


@pytest.fixture
def run_directory(tmp_path):
    """A run directory with every piece in it but the record of its embedding."""
    run = tmp_path / "runs" / "vqvae" / "20260101-120000"
    (run / "figures").mkdir(parents=True)
    images = np.random.default_rng(0).uniform(size=(4, 8, 8))
    (run / "figures" / "reconstructions.png").write_bytes(image_grid([images, images]))
    (run / "figures" / "codebook_usage.png").write_bytes(code_histogram(np.arange(16)))
    (run / "history.csv").write_text("epoch,loss,val_loss,usage\n1,3,4,0.5\n2,2,3,1.0\n")
    row = {"endpoint": "encode", "output": "codes", "difference": 0.0, "relative": 0.0, "ties": 0, "ok": True}
    _json(run / "metrics.json", {"test": {"mse": 0.0131}, "baselines": {"mean image": {"mse": 0.0731}}})
    _json(run / "export" / "onnx" / "manifest.json", {"opset": 18, "verification": [row]})
    _json(
        run / "config.json",
        {
            "recipe": "vqvae",
            "settings": {"learning_rate": 0.002, "seed": 3},
            "data": {"name": "digits", "train": 1293, "classes": ["0", "1"]},
            "versions": {"keras": "3.15.1"},
            "command": "keras-ae train vqvae --seed 3",
        },
    )
    return run


@pytest.fixture(scope="session")
def small_npz(tmp_path_factory):
    """An .npz file of 40 noisy 8x8 images of three classes."""
    path = tmp_path_factory.mktemp("data") / "small.npz"
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype="uint8")
    np.savez(path, images=images, labels=np.arange(40) % 3)
    return path


@pytest.fixture(scope="session")
def trained_run(small_npz, tmp_path_factory):
    """The directory of a VQ-VAE trained for an epoch by the command line; not to be changed."""
    runs = tmp_path_factory.mktemp("runs")
    options = ["--epochs", "1", "--filters", "8", "--no-baselines", "--no-probe"]
    assert main(["train", "vqvae", "--data", str(small_npz), "--runs", str(runs), *options]) == 0
    (run,) = (runs / "vqvae").iterdir()
    return run


def _json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
