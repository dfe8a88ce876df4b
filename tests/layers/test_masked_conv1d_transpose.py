import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.masked.masked_conv1d_transpose import MaskedConv1DTranspose

SETTINGS = [
    {"kernel_size": 1},
    {"kernel_size": 3},
    {"kernel_size": 3, "strides": 2},
    {"kernel_size": 4, "strides": 2},
    {"kernel_size": 5, "strides": 2},
    {"kernel_size": 2, "strides": 3},
    {"kernel_size": 7, "strides": 3},
]
settings = pytest.mark.parametrize("setting", SETTINGS, ids=str)


def frames(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def reference(layer, x, kernel_size, strides=1):
    """The equation of the docstring for one example without padding, tap by tap."""
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()  # kernel: (size, filters, channels)
    left = max(kernel_size - strides, 0) // 2
    y = np.tile(bias, (len(x) * strides, 1)).astype("float64")
    for i in range(len(x)):
        for j in range(kernel_size):
            t = i * strides + j - left
            if 0 <= t < len(y):
                y[t] += kernel[j] @ x[i]
    return y


@settings
def test_equals_the_equation_at_every_length(setting):
    layer = MaskedConv1DTranspose(4, bias_initializer="normal", **setting)
    for length in (1, 2, 6, 7):
        x = frames((1, length, 3))
        np.testing.assert_allclose(layer(x)[0], reference(layer, x[0], **setting), atol=1e-5)


@pytest.mark.parametrize("extra", [1, 2, 3, 7])
@settings
def test_padding_changes_neither_outputs_nor_gradients(check_padding, setting, extra):
    keras.utils.set_random_seed(0)
    layer = MaskedConv1DTranspose(4, **setting)
    check_padding(layer, frames((5, 3)), real=5 * setting.get("strides", 1), extra=extra)


def test_nan_in_padding_reaches_nothing(check_padding):
    check_padding(MaskedConv1DTranspose(4, 5, strides=2), frames((6, 3)), real=12, extra=3, garbage=np.nan)


def test_lengths_are_multiplied():
    mask = np.arange(4) < np.array([[3], [4], [0]])
    y = MaskedConv1DTranspose(2, 5, strides=3)(frames((3, 4, 3)), mask=mask)
    assert y.shape == (3, 12, 2)
    np.testing.assert_array_equal(y._keras_mask, np.arange(12) < np.array([[9], [12], [0]]))


def test_float_masks_are_masks():
    layer, x = MaskedConv1DTranspose(4, 3, strides=2), frames((2, 4, 3))
    mask = np.array([[1, 1, 0, 0], [1] * 4])
    expected = layer(x, mask=mask.astype(bool))
    np.testing.assert_array_equal(layer(x, mask=mask.astype("float32")), expected)
    np.testing.assert_array_equal(layer(x, mask=mask), expected)


def test_mask_of_an_embedding_arrives_and_is_handed_on():
    ids = np.array([[2, 1, 3, 0, 0], [1, 2, 3, 1, 2]])
    embedding = keras.layers.Embedding(4, 3, mask_zero=True, embeddings_initializer="normal")
    layer, pool = MaskedConv1DTranspose(4, 3, strides=2), keras.layers.GlobalAveragePooling1D()
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, pool(layer(embedding(inputs))))
    y = layer(tf.constant(embedding(ids).numpy()), mask=ids != 0)
    np.testing.assert_allclose(model(ids)[0], y.numpy()[0, :6].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(model.predict(ids, verbose=0), model(ids), atol=1e-6)


@pytest.mark.slow
@settings
def test_exports(check_exports, frames_and_lengths, setting):
    layer = MaskedConv1DTranspose(4, activation="relu", **setting)
    check_exports(lambda x, n: layer(x, mask=tf.sequence_mask(n, tf.shape(x)[1])), *frames_and_lengths)


@pytest.mark.slow
def test_the_mask_exports(check_exports, frames_and_lengths):
    layer = MaskedConv1DTranspose(4, 3, strides=2)

    def real_outputs(x, lengths):
        return tf.cast(layer(x, mask=tf.sequence_mask(lengths, tf.shape(x)[1]))._keras_mask, "float32")

    check_exports(real_outputs, *frames_and_lengths)


def test_mixed_precision_is_finite_and_close():
    x = frames((2, 6, 3))
    mask = np.arange(6) < np.array([[3], [6]])
    layer = MaskedConv1DTranspose(4, 4, strides=2, dtype="mixed_float16")
    y = layer(np.where(mask[..., None], x, np.inf), mask=mask)
    exact = MaskedConv1DTranspose(4, 4, strides=2)
    exact.build(x.shape)
    exact.set_weights(layer.get_weights())
    assert y.dtype == "float16"
    np.testing.assert_allclose(y, exact(x, mask=mask), atol=1e-2)  # float16 sums of 6 terms


def test_round_trip(check_round_trip, tmp_path):
    layer = MaskedConv1DTranspose(
        4, 3, strides=2, activation="tanh", use_bias=False, kernel_constraint="max_norm"
    )
    copy = check_round_trip(layer, frames((2, 5, 3)), path=tmp_path / "model.keras")
    assert (copy.strides, copy.padding, copy.use_bias) == ((2,), "same", False)


def test_symbolic_shapes_follow_the_stride():
    layer = MaskedConv1DTranspose(4, 3, strides=2)
    assert layer(keras.Input((None, 3))).shape == (None, None, 4)
    assert layer(keras.Input((5, 3))).shape == (None, 10, 4)


def test_other_paddings_are_refused():
    with pytest.raises(ValueError, match=r"padding must be \"same\". Received: padding='valid'"):
        MaskedConv1DTranspose(4, 3, padding="valid")
