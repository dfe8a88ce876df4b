"""Layers that change the rate of frames: pooling, repeating, channels that become frames."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import MaskedAveragePooling1D, PixelShuffle1D, RepeatFrames

MAKERS = {
    "pool": lambda: MaskedAveragePooling1D(2),
    "repeat": lambda: RepeatFrames(2),
    "shuffle": lambda: PixelShuffle1D(2),
}


def frames(batch=3, length=7, channels=4, seed=0):
    return np.random.default_rng(seed).standard_normal((batch, length, channels)).astype("float32")


@pytest.mark.parametrize("length", [1, 4, 5, 6, 7])
def test_pooling_is_the_mean_of_the_real_frames_of_each_window(length):
    x = frames()
    mask = np.arange(7) < np.array([[length], [7], [2]])
    y = np.asarray(MaskedAveragePooling1D(3)(x, mask=mask))
    for one, real, pooled in zip(x, mask.sum(axis=1), y, strict=True):
        windows = [one[start : min(start + 3, real)] for start in range(0, real, 3)]
        for expected, received in zip(windows, pooled, strict=False):
            # float32 means of up to three numbers
            np.testing.assert_allclose(received, expected.mean(axis=0), atol=1e-6)
        assert not pooled[len(windows) :].any()


def test_repeating_is_that_of_numpy():
    np.testing.assert_array_equal(RepeatFrames(3)(frames()), np.repeat(frames(), 3, axis=1))


def test_shuffling_takes_neighbouring_channels_as_frames():
    x, y = frames(), np.asarray(PixelShuffle1D(2)(frames()))
    assert y.shape == (3, 14, 2)
    for t in range(14):
        for c in range(2):
            np.testing.assert_array_equal(y[:, t, c], x[:, t // 2, 2 * c + t % 2])


@pytest.mark.parametrize("name, expected", [("pool", [1, 1, 0, 0]), ("repeat", [1] * 6 + [0] * 8)])
def test_the_mask_is_handed_on(name, expected):
    inputs = keras.Input((7,), dtype="int32")
    embedded = keras.layers.Embedding(5, 4, mask_zero=True)(inputs)
    model = keras.Model(inputs, MAKERS[name]()(embedded))
    outputs = model(np.array([[1, 2, 3, 0, 0, 0, 0]]))
    assert np.asarray(outputs._keras_mask)[0].astype(int).tolist() == expected


@pytest.mark.parametrize("extra", [1, 2, 3])
@pytest.mark.parametrize("name, real", [("pool", 3), ("repeat", 10), ("shuffle", 10)])
def test_padding_changes_nothing(check_padding, name, real, extra):
    if name == "pool":
        check_padding(MAKERS[name](), frames(1, 5)[0], real=real, extra=extra)
        return
    layer = MAKERS[name]()  # padded frames stay apart: no frame is made of two
    x = np.concatenate([frames(1, 5), np.full((1, extra, 4), 100.0, "float32")], axis=1)
    np.testing.assert_array_equal(layer(x)[:, :real], layer(x[:, :5]))


@pytest.mark.slow
def test_they_export_at_any_length(check_exports):
    layers = [make() for make in MAKERS.values()]

    def chain(x):
        for layer in layers:
            x = layer(x)
        return x

    spec = tf.TensorSpec((None, None, 4), tf.float32, name="x")
    check_exports(chain, (spec, lambda batch, length: frames(batch, length)))


@pytest.mark.parametrize("name", MAKERS)
def test_it_comes_back_from_its_config_with_the_shape_it_has(name):
    layer = MAKERS[name]()
    again = type(layer).from_config(layer.get_config())
    np.testing.assert_array_equal(again(frames()), layer(frames()))
    assert tuple(layer.compute_output_shape((3, 7, 4))) == tuple(layer(frames()).shape)


@pytest.mark.parametrize("kind", [MaskedAveragePooling1D, RepeatFrames, PixelShuffle1D])
def test_a_factor_below_one_is_refused(kind):
    with pytest.raises(ValueError, match="must be at least 1"):
        kind(0)


def test_channels_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match="multiple of 3"):
        PixelShuffle1D(3)(frames())
