import keras
import numpy as np

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
