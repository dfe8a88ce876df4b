import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.models import TotalCorrelationVariationalAutoEncoder, VariationalAutoEncoder
from keras_ae.training.datasets import stream_images
from keras_ae.training.datasets.images import _built_in as sprites
from keras_ae.training.recipes import RECIPES
from keras_ae.training.run import train

DATA = SimpleNamespace(image_shape=(8, 8, 1), description={}, num_classes=None)
X = np.random.default_rng(0).random((8, 8, 8, 1), "float32")


def test_the_beta_vae_is_a_variational_auto_encoder_with_a_heavier_kl():
    model = RECIPES["beta-vae"](filters=8, warm_up=0.0).build(DATA, steps_per_epoch=5)
    assert type(model) is VariationalAutoEncoder
    assert float(model.bottleneck.beta) == 4.0 and model.latent_dim == 10


def test_the_beta_tc_vae_knows_the_size_of_the_data_and_warms_up():
    recipe = RECIPES["beta-tc-vae"](
        filters=8, epochs=3, batch_size=4, sampling="stratified", warm_up=0.2, beta=2.0
    )
    model = recipe.build(DATA, steps_per_epoch=5)
    assert type(model) is TotalCorrelationVariationalAutoEncoder
    assert model.dataset_size == 20
    logs = model.fit(X, batch_size=4, epochs=2, verbose=0).history
    assert float(model.bottleneck.beta) == 2.0  # after 0.2 * 15 steps
    assert {"total_correlation", "index_code_mi", "dimension_wise_kl", "kl_loss"} <= set(logs)


@pytest.mark.parametrize("setting", ["total_correlation_weight", "warm_up"])
def test_what_cannot_be_is_refused(setting):
    with pytest.raises(InputError, match="must be at least 0. Received: -1"):
        RECIPES["beta-tc-vae"](**{setting: -1})


def test_the_beta_tc_vae_trains_on_sprites_and_encodes_them(tmp_path, monkeypatch):
    """All of `keras-ae train beta-tc-vae --data sprites` and `keras-ae encode`, on a few sprites."""
    few = {"train": np.arange(0, 737_280, 9001), "test": np.arange(50, 737_280, 60_001)}
    monkeypatch.setattr(sprites, "_split", lambda count: few)
    size = {"filters": 4, "downsampling": 1, "latent_dim": 3, "image_size": (16, 16)}
    recipe = RECIPES["beta-tc-vae"](data="sprites", epochs=1, batch_size=16, baselines=False, **size)
    run = train(recipe, runs=tmp_path, verbose=False)
    metrics = json.loads((run.directory / "metrics.json").read_text())
    assert np.isfinite(metrics["test"]["mse"]) and 0 <= metrics["test"]["probe_accuracy"] <= 1
    stream = stream_images("sprites", (16, 16, 1), batch_size=8, shard=(0, 60_000))
    codes = np.concatenate([run.load_model().encode(images) for images in stream])
    assert codes.shape == (len(stream), 3) == (13, 3)
