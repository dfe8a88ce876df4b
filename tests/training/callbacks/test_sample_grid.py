import keras
import numpy as np
import pytest

from keras_ae.layers import BinaryBottleneck
from keras_ae.models import AutoEncoder, DiscreteVariationalAutoEncoder
from keras_ae.networks import image_decoder, image_encoder
from keras_ae.training.callbacks import SampleGrid
from keras_ae.training.report.plots import image_grid


class Numbers(keras.Model):
    """Draws images as bright as their label, or as the seed."""

    def call(self, x):
        return x

    def sample(self, num, *, seed, labels=None):
        brightness = np.full(num, seed) if labels is None else labels
        return keras.ops.ones((num, 4, 4, 1)) * brightness[:, None, None, None] / 10


def drawn(folder, **kwargs):
    callback = SampleGrid(folder, columns=3, **kwargs)
    callback.set_model(Numbers())
    callback.on_epoch_end(1, {})
    return (folder / "samples.png").read_bytes()


def test_rows_are_draws_of_one_seed(tmp_path):
    images = np.full((2, 3, 4, 4, 1), 0.5)
    assert drawn(tmp_path, rows=2, seed=5) == image_grid(images, title="epoch 2: draws")


def test_last_picture_is_of_the_model_as_the_training_leaves_it(tmp_path):
    callback = SampleGrid(tmp_path, rows=1, columns=3, seed=5)
    callback.set_model(Numbers())
    callback.on_epoch_end(1, {})
    callback.seed = 8  # as the best weights would, it changes what the model draws
    callback.on_train_end()
    expected = image_grid(np.full((1, 3, 4, 4, 1), 0.8), title="draws")
    assert (tmp_path / "samples.png").read_bytes() == expected


def test_one_row_for_each_label(tmp_path):
    images = np.array([0.1, 0.7])[:, None, None, None, None] * np.ones((2, 3, 4, 4, 1))
    expected = image_grid(images.astype("float32"), row_labels=["1", "7"], title="epoch 2: draws")
    assert drawn(tmp_path, labels=[1, 7]) == expected


def test_a_discrete_vae_is_drawn_and_a_seed_gives_the_same_draws(tmp_path):
    size = {"filters": 4, "residual_blocks": 0, "flatten": True}
    networks = image_encoder((8, 8, 1), 6, **size), image_decoder((8, 8, 1), 6, **size)
    model = DiscreteVariationalAutoEncoder(*networks, BinaryBottleneck(stochastic=True, seed=0))
    first, again, other = (np.asarray(model.sample(3, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4
    callback = SampleGrid(tmp_path, rows=1, columns=3, seed=1)
    callback.set_model(model)
    callback.on_epoch_end(0, {})
    assert (tmp_path / "samples.png").read_bytes() == image_grid(first[None], title="epoch 1: draws")


def test_a_model_whose_samples_have_no_seed_is_refused_before_the_training(tmp_path):
    class Unseeded(Numbers):
        def sample(self, num):
            return keras.ops.ones((num, 4, 4, 1))

    with pytest.raises(ValueError, match=r"must have `sample\(num, seed=None\)`.*sample\(num\)"):
        SampleGrid(tmp_path).check(Unseeded())


def test_a_model_without_a_prior_is_refused_before_the_training(tmp_path):
    networks = image_encoder((8, 8, 1), 2, filters=4), image_decoder((8, 8, 1), 2, filters=4)
    with pytest.raises(ValueError, match="must have a prior.*Received: AutoEncoder without one"):
        SampleGrid(tmp_path).check(AutoEncoder(*networks))
