import numpy as np
import pytest
import tensorflow as tf

from keras_ae.models import BaseModel
from keras_ae.training.callbacks import InterpolationGrid
from keras_ae.training.report.plots import image_grid

IMAGES = np.linspace(0, 1, 6)[:, None, None, None] * np.ones((6, 4, 4, 1))


class Straight:
    """Goes from one image to the other by their pixels."""

    def interpolate(self, first, second, steps):
        shares = np.linspace(0, 1, steps)[:, None, None, None]
        return tf.constant((1 - shares) * first[:, None] + shares * second[:, None], tf.float16)


def test_each_row_goes_from_an_image_of_the_first_half_to_one_of_the_second(tmp_path):
    callback = InterpolationGrid(IMAGES, tmp_path, rows=2, steps=3)
    callback.set_model(Straight())
    callback.on_epoch_end(4, {})
    brightness = np.array([[0, 0, 0.3, 0.6, 0.6], [0.2, 0.2, 0.5, 0.8, 0.8]])
    expected = image_grid(
        brightness[..., None, None, None] * np.ones((4, 4, 1)),
        column_labels=["input", "0%", "50%", "100%", "input"],
        title="epoch 5: from one image to another",
    )
    assert (tmp_path / "interpolations.png").read_bytes() == expected


def test_no_more_rows_than_pairs_and_at_least_one(tmp_path):
    assert InterpolationGrid(IMAGES[:5], tmp_path, rows=4).pairs.shape[:2] == (2, 2)
    with pytest.raises(ValueError, match="at least two images. Received: 1"):
        InterpolationGrid(IMAGES[:1], tmp_path)


@pytest.mark.parametrize("model, missing", [(object(), "interpolate"), (BaseModel(), "decode")])
def test_a_model_without_interpolation_is_named(tmp_path, model, missing):
    callback = InterpolationGrid(IMAGES, tmp_path)
    callback.set_model(model)
    received = f"Received: {type(model).__name__} without {missing}"
    with pytest.raises(ValueError, match=r"`interpolate\(first, second, steps\)` and `decode`. " + received):
        callback.on_train_begin()
