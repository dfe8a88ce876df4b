"""The start of finite scalar quantisation: the first training batch is standardised."""

import keras
import numpy as np
import pytest

from keras_ae.layers import FiniteScalarQuantizer


def normal(shape, seed=0, size=1.0):
    return (size * np.random.default_rng(seed).normal(size=shape)).astype("float32")


def paper_quantizer(levels, **kwargs):
    return FiniteScalarQuantizer(levels, standardize_start=False, **kwargs)


def test_the_first_training_batch_is_standardised_and_then_nothing_moves():
    layer, plain = FiniteScalarQuantizer([4, 5], num_heads=2), paper_quantizer([4, 5], num_heads=2)
    x = normal((200, 4), size=0.01) + [5, 0, -3, 0.2]
    x = x.astype("float32")
    np.testing.assert_array_equal(layer.encode(x), plain.encode(x))  # no start yet
    layer(x, training=True)
    standardised = ((x - x.mean(axis=0)) / x.std(axis=0)).astype("float32")
    same = np.asarray(layer.encode(x)) == np.asarray(plain.encode(standardised))
    assert same.mean() > 0.99  # rounding of float32 around a threshold
    assert float(layer.usage.result()) > 0.9
    codes = np.asarray(layer.encode(x))
    layer(normal((50, 4), size=100.0), training=True)
    np.testing.assert_array_equal(layer.encode(x), codes)


def test_the_start_is_of_real_positions():
    layer, alone = FiniteScalarQuantizer([4, 5]), FiniteScalarQuantizer([4, 5])
    x = normal((2, 6, 2))
    mask = np.arange(6) < [[4], [6]]
    layer(np.where(mask[..., None], x, 100.0).astype("float32"), mask=mask, training=True)
    alone(x[mask], training=True)
    np.testing.assert_allclose(layer.start.mean, alone.start.mean, atol=1e-6)
    np.testing.assert_allclose(layer.start.deviation, alone.start.deviation, rtol=1e-5)


def test_no_start_from_one_vector_nor_when_frozen_and_constant_channels_stay():
    layer = FiniteScalarQuantizer([4, 5])
    layer(normal((1, 2)), training=True)
    layer.trainable = False
    layer(normal((9, 2)), training=True)
    assert float(layer.start.started) == 0
    layer.trainable = True
    x = normal((9, 2))
    x[:, 0] = 3
    layer(x, training=True)
    assert float(layer.start.started) == 1
    np.testing.assert_allclose(layer.start.deviation, [[1, x[:, 1].std()]], rtol=1e-5)


@pytest.mark.slow
def test_an_encoder_of_small_outputs_does_not_have_one_code_for_all():
    """Otherwise the decoder, whose biases are 0, sees zeros and is dead."""
    x = normal((64, 8))

    def used(layer):
        keras.utils.set_random_seed(0)
        small = keras.initializers.RandomNormal(stddev=1e-3)
        decoder = [keras.layers.ReLU(), keras.layers.Dense(16, "relu"), keras.layers.Dense(8)]
        model = keras.Sequential([keras.layers.Dense(3, kernel_initializer=small), layer, *decoder])
        model.compile(keras.optimizers.Adam(1e-2), "mse")
        model.fit(x, x, epochs=20, batch_size=32, verbose=0)
        return len(np.unique(layer.encode(model.layers[0](x))))

    assert used(paper_quantizer([4, 4, 4])) == 1
    assert used(FiniteScalarQuantizer([4, 4, 4])) > 20
