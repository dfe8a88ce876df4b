import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.masked.masked_conv1d import MaskedConv1D

SETTINGS = [
    {"kernel_size": 1},
    {"kernel_size": 3},
    {"kernel_size": 4},
    {"kernel_size": 3, "strides": 2},
    {"kernel_size": 5, "strides": 2},
    {"kernel_size": 4, "strides": 2},
    {"kernel_size": 2, "strides": 3},
    {"kernel_size": 3, "dilation_rate": 2},
    {"kernel_size": 4, "dilation_rate": 3},
]
settings = pytest.mark.parametrize("setting", SETTINGS, ids=str)
paddings = pytest.mark.parametrize("padding", ["same", "causal"])


def frames(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def reference(layer, x, padding, kernel_size, strides=1, dilation_rate=1):
    """The equation of the docstring for one example without padding, tap by tap."""
    kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
    left = (kernel_size - 1) * dilation_rate
    left = left if padding == "causal" else left // 2
    y = np.tile(bias, (-(-len(x) // strides), 1)).astype("float64")
    for i in range(len(y)):
        for j in range(kernel_size):
            t = i * strides + j * dilation_rate - left
            if 0 <= t < len(x):
                y[i] += x[t] @ kernel[j]
    return y


@paddings
@settings
def test_equals_the_equation_at_every_length(setting, padding):
    layer = MaskedConv1D(4, padding=padding, bias_initializer="normal", **setting)
    for length in (1, 2, 6, 7):
        x = frames((1, length, 3))
        np.testing.assert_allclose(layer(x)[0], reference(layer, x[0], padding, **setting), atol=1e-5)


@pytest.mark.parametrize("extra", [1, 2, 3, 7])
@paddings
@settings
def test_padding_changes_neither_outputs_nor_gradients(check_padding, setting, padding, extra):
    keras.utils.set_random_seed(0)
    layer = MaskedConv1D(4, padding=padding, **setting)
    real = -(-6 // setting.get("strides", 1))
    check_padding(layer, frames((6, 3)), real=real, extra=extra)


def test_nan_in_padding_reaches_nothing(check_padding):
    check_padding(MaskedConv1D(4, 5), frames((6, 3)), real=6, extra=3, garbage=np.nan)


@pytest.mark.parametrize("length", range(1, 9))
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_lengths_are_divided_and_rounded_up(length, strides):
    mask = np.arange(8)[None] < length
    y = MaskedConv1D(2, 3, strides=strides)(frames((1, 8, 3)), mask=mask)
    assert y.shape[1] == -(-8 // strides)
    np.testing.assert_array_equal(y._keras_mask[0], np.arange(y.shape[1]) < -(-length // strides))


def test_equals_keras_where_keras_does_not_go_wrong():
    x = frames((2, 7, 3))
    for padding in ("same", "causal"):
        theirs = keras.layers.Conv1D(4, 3, padding=padding, activation="relu")
        ours = MaskedConv1D(4, 3, padding=padding, activation="relu")
        expected = theirs(x)
        ours.build(x.shape)
        ours.set_weights(theirs.get_weights())
        np.testing.assert_allclose(ours(x), expected, atol=1e-6)


def test_float_masks_are_masks():
    layer, x = MaskedConv1D(4, 3, strides=2), frames((2, 6, 3))
    mask = np.array([[1, 1, 1, 0, 0, 0], [1] * 6])
    expected = layer(x, mask=mask.astype(bool))
    np.testing.assert_array_equal(layer(x, mask=mask.astype("float32")), expected)
    np.testing.assert_array_equal(layer(x, mask=mask), expected)


def test_mask_of_an_embedding_arrives_and_is_handed_on():
    ids = np.array([[2, 1, 3, 0, 0], [1, 2, 3, 1, 2]])
    embedding = keras.layers.Embedding(4, 3, mask_zero=True, embeddings_initializer="normal")
    layer, pool = MaskedConv1D(4, 3, strides=2), keras.layers.GlobalAveragePooling1D()
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, pool(layer(embedding(inputs))))
    y = layer(tf.constant(embedding(ids).numpy()), mask=ids != 0)
    np.testing.assert_allclose(model(ids)[0], y.numpy()[0, :2].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(model.predict(ids, verbose=0), model(ids), atol=1e-6)


def test_a_symbolic_mask_may_be_passed():
    x, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    layer = MaskedConv1D(4, 3, strides=2)
    model = keras.Model([x, mask], layer(x, mask=mask))
    values, real = frames((2, 5, 3)), np.arange(5) < np.array([[3], [5]])
    np.testing.assert_allclose(model([values, real]), layer(values, mask=real), atol=1e-6)
    assert model.output.shape == (None, None, 4)


@pytest.mark.slow
@pytest.mark.parametrize("setting", [SETTINGS[4], SETTINGS[7]], ids=str)
@paddings
def test_exports(check_exports, frames_and_lengths, setting, padding):
    layer = MaskedConv1D(4, padding=padding, activation="relu", **setting)
    check_exports(lambda x, n: layer(x, mask=tf.sequence_mask(n, tf.shape(x)[1])), *frames_and_lengths)


@pytest.mark.slow
def test_the_mask_exports(check_exports, frames_and_lengths):
    layer = MaskedConv1D(4, 3, strides=2)

    def real_outputs(x, lengths):
        return tf.cast(layer(x, mask=tf.sequence_mask(lengths, tf.shape(x)[1]))._keras_mask, "float32")

    check_exports(real_outputs, *frames_and_lengths)


def test_gradients_compile():
    layer, x = MaskedConv1D(4, 5, strides=2), tf.constant(frames((2, 6, 3)))
    mask = tf.constant(np.arange(6) < np.array([[3], [6]]))

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x, mask=mask) ** 2)
        return tape.gradient(loss, layer.trainable_variables)

    layer.build(x.shape)  # a compiled function must not make variables
    for received, gradient in zip(tf.function(gradients, jit_compile=True)(), gradients(), strict=True):
        np.testing.assert_allclose(received, gradient, atol=1e-4)  # sums of squares of size 10


def test_mixed_precision_is_finite_and_close():
    x = frames((2, 6, 3))
    mask = np.arange(6) < np.array([[3], [6]])
    layer = MaskedConv1D(4, 3, dtype="mixed_float16")
    y = layer(np.where(mask[..., None], x, np.inf), mask=mask)
    exact = MaskedConv1D(4, 3)
    exact.build(x.shape)
    exact.set_weights(layer.get_weights())
    assert y.dtype == "float16"
    np.testing.assert_allclose(y, exact(x, mask=mask), atol=1e-2)  # float16 sums of 9 terms


def test_round_trip(check_round_trip, tmp_path):
    layer = MaskedConv1D(
        4,
        3,
        strides=2,
        padding="causal",
        activation="tanh",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(0.1),
    )
    copy = check_round_trip(layer, frames((2, 5, 3)), path=tmp_path / "model.keras")
    assert (copy.strides, copy.padding, copy.use_bias) == ((2,), "causal", False)


def test_other_paddings_are_refused():
    with pytest.raises(
        ValueError, match=r"padding must be \"same\" or \"causal\". Received: padding='valid'"
    ):
        MaskedConv1D(4, 3, padding="valid")
