import keras
import numpy as np
import pytest

from keras_ae.layers import SpatialBroadcast
from keras_ae.networks import spatial_broadcast_decoder

Z = np.random.default_rng(0).normal(size=(2, 3)).astype("float32")


def test_it_is_a_1x1_convolution_of_the_tiled_embedding_and_two_coordinates():
    layer = SpatialBroadcast(4, 5, 6)
    outputs = layer(Z)
    layer.bias.assign(np.arange(4.0))
    kernel, coordinate_kernel, bias = (np.asarray(weight) for weight in layer.weights)
    outputs = np.asarray(layer(Z))
    for row in range(5):
        for column in range(6):
            place = np.array([-1 + 2 * column / 5, -1 + 2 * row / 4])
            expected = Z @ kernel + place @ coordinate_kernel + bias
            np.testing.assert_allclose(outputs[:, row, column], expected, rtol=1e-5, atol=1e-5)


def test_the_config_comes_back_and_half_precision_stays_half():
    layer = SpatialBroadcast(4, 5, 6, dtype="mixed_float16")
    copy = SpatialBroadcast.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert copy(Z).dtype == "float16" and copy.compute_output_shape((None, 3)) == (None, 5, 6, 4)


def test_a_map_is_refused():
    with pytest.raises(ValueError, match=r"vector for each example. Received: shape=\(2, 4, 3\)"):
        SpatialBroadcast(4, 5, 6)(np.zeros((2, 4, 3)))


def test_the_decoder_draws_an_image_of_any_shape_in_float32():
    keras.utils.set_random_seed(0)
    decoder = spatial_broadcast_decoder((7, 5, 3), 3, filters=4, activation="sigmoid")
    image = np.asarray(decoder(Z))
    assert image.shape == (2, 7, 5, 3) and image.min() > 0 and image.max() < 1
    assert np.abs(image[:, 0] - image[:, -1]).max() > 1e-3  # it knows where it is
