"""Linear maps of the steps ahead, and a waveform as a sequence."""

import numpy as np
import pytest
from keras import layers as keras_layers

from keras_ae.layers import AddChannel, MaskedConv1D, StepPredictors

CONTEXT = np.random.default_rng(0).standard_normal((2, 5, 6)).astype("float32")


def test_each_step_has_a_map_of_its_own():
    layer = StepPredictors(3, 4)
    found = np.asarray(layer(CONTEXT))
    assert found.shape == layer.compute_output_shape(CONTEXT.shape) == (2, 5, 3, 4)
    for step, kernel in enumerate(layer.get_weights()):
        np.testing.assert_allclose(found[:, :, step], CONTEXT @ kernel, rtol=1e-5, atol=1e-6)


def test_each_map_starts_orthogonal():
    layer = StepPredictors(3, 4)
    layer(CONTEXT)
    for kernel in layer.get_weights():
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(4), atol=1e-5)


@pytest.mark.parametrize("steps, dim", [(0, 4), (3, 0)])
def test_sizes_are_at_least_one(steps, dim):
    with pytest.raises(ValueError, match="at least 1"):
        StepPredictors(steps, dim)


def test_the_mask_of_samples_passes_the_added_channel():
    ids = np.array([[1, 2, 3, 0], [1, 0, 0, 0]])
    samples = keras_layers.Embedding(4, 1, mask_zero=True)(ids)[..., 0]
    assert AddChannel()(samples).shape == (2, 4, 1)
    outputs = MaskedConv1D(2, 2, strides=2)(AddChannel()(samples), mask=ids > 0)
    assert outputs._keras_mask.numpy().tolist() == [[True, True], [True, False]]
    assert AddChannel().compute_mask(samples, ids > 0) is not None
