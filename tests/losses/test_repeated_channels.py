"""The correlation of channels against numpy's correlation coefficients."""

import numpy as np
import pytest
from keras import ops

from keras_ae.losses import channel_correlation

Z = np.random.default_rng(0).normal(size=(4, 6, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.8], [0, 0, 1]])


def expected(rows):
    squares = np.corrcoef(rows, rowvar=False) ** 2
    return (squares.sum() - 3) / 6


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_it_is_the_mean_square_of_numpys_coefficients(scale):
    found = channel_correlation(scale * Z.astype("float32") + 2.0)
    assert float(found) == pytest.approx(expected(Z.reshape(-1, 3)), rel=1e-3)


def test_weights_leave_positions_and_examples_out():
    lengths = np.array([6, 2, 4, 3])
    mask = np.arange(6) < lengths[:, None]
    dirty = np.where(mask[:, :, None], Z, 1e3).astype("float32")
    assert float(channel_correlation(dirty, mask)) == pytest.approx(expected(Z[mask]), rel=1e-3)
    of_examples = channel_correlation(Z.astype("float32"), ops.array([1.0, 0.0, 1.0, 0.0]))
    assert float(of_examples) == pytest.approx(expected(Z[[0, 2]].reshape(-1, 3)), rel=1e-3)


def test_constant_channels_and_no_weight_at_all_give_0():
    assert float(channel_correlation(np.ones((5, 2), "float32"))) == 0.0
    assert float(channel_correlation(Z.astype("float32"), np.zeros((4, 6)))) == 0.0
