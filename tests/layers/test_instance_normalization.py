import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.masked.instance_normalization import InstanceNormalization


def reference(x, lengths, epsilon=1e-5):
    """Example by example, channel by channel, on the real frames alone."""
    y = np.zeros(x.shape)
    for example, length in enumerate(lengths):
        for channel in range(x.shape[-1]):
            real = x[example, :length, channel].astype("float64")
            y[example, :length, channel] = (real - real.mean()) / np.sqrt(real.var() + epsilon)
    return y


def frames(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def test_equals_the_statistics_of_the_real_frames():
    x, lengths = frames((3, 8, 4)), [8, 5, 2]
    mask = np.arange(8) < np.array(lengths)[:, None]
    y = InstanceNormalization()(x, mask=mask).numpy() * mask[..., None]
    np.testing.assert_allclose(y, reference(x, lengths), atol=1e-5)  # float32 against float64


def test_gamma_and_beta_scale_and_shift():
    x = frames((2, 6, 3))
    layer = InstanceNormalization()
    layer.build(x.shape)
    layer.gamma.assign([2.0, 0.5, -1.0])
    layer.beta.assign([1.0, 0.0, 3.0])
    expected = reference(x, [6, 6]) * [2.0, 0.5, -1.0] + [1.0, 0.0, 3.0]
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_images_are_normalised_over_height_and_width():
    x = frames((2, 4, 5, 3))
    y = InstanceNormalization()(x).numpy()
    np.testing.assert_allclose(y.reshape(2, 20, 3), reference(x.reshape(2, 20, 3), [20, 20]), atol=1e-5)
    mask = np.ones((2, 4, 5))
    mask[0, :, 3:] = 0
    cropped = InstanceNormalization()(x[:1, :, :3])
    np.testing.assert_allclose(InstanceNormalization()(x, mask=mask)[:1, :, :3], cropped, atol=1e-5)


def test_a_fraction_weights_a_position():
    x = frames((1, 3, 2))
    weighted = InstanceNormalization()(x, mask=np.array([[1.0, 0.5, 0.5]]))
    repeated = InstanceNormalization()(x[:, [0, 0, 1, 2]])
    np.testing.assert_allclose(weighted[0], repeated.numpy()[0, 1:], atol=1e-5)


@pytest.mark.parametrize("extra", [1, 2, 3, 7])
def test_padding_changes_neither_outputs_nor_gradients(check_padding, extra):
    check_padding(InstanceNormalization(), frames((6, 4)), real=6, extra=extra)


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16"])
def test_all_padding_and_a_single_position_stay_finite(dtype):
    layer = InstanceNormalization(dtype=dtype)
    for x, mask in (
        (np.full((2, 3, 2), np.nan), np.array([[0, 0, 0], [0, 0, 0]])),
        (frames((2, 1, 2)), None),
        (frames((2, 3, 2)), np.array([[1, 0, 0], [0, 0, 0]])),
    ):
        x = tf.constant(x, "float32")
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, mask=mask)
            loss = tf.reduce_sum(tf.cast(y, "float32") ** 2)
        gradients = tape.gradient(loss, [x, *layer.trainable_variables])
        assert all(np.isfinite(value).all() for value in (y, *gradients))


def test_statistics_are_float32_under_mixed_precision():
    # 200 frames of 1000 sum beyond float16's 65504, and its spacing at 1000 is 0.5
    x = (1000 + 8 * frames((1, 200, 2))).astype("float16")
    y = InstanceNormalization(dtype="mixed_float16")(x)
    assert y.dtype == "float16"
    np.testing.assert_allclose(y, reference(x, [200]), atol=2e-3)  # one rounding to float16 at 3


@pytest.mark.parametrize("method", ["__call__", "call"])
def test_an_outer_mixed_precision_layer_does_not_round_the_variables(method):
    class Outer(keras.layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.inner = InstanceNormalization(dtype="float32")
            self.inner.build((None, None, 1))

        def call(self, x):
            return getattr(self.inner, method)(x)

    outer = Outer(dtype="mixed_float16")
    outer.inner.beta.assign([1024.25])  # float16 has no number between 1024 and 1025
    y = outer(np.array([[[1.0], [-1.0]]], "float32"))
    np.testing.assert_allclose(y[0, :, 0], [1025.25, 1023.25], rtol=1e-6)


def test_mask_of_an_embedding_arrives_and_is_handed_on():
    ids = np.array([[2, 1, 0, 0], [1, 2, 3, 1]])
    embedding = keras.layers.Embedding(4, 3, mask_zero=True)
    layer = InstanceNormalization()
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, layer(embedding(inputs)))
    y = layer(embedding(ids))
    np.testing.assert_array_equal(y._keras_mask, ids != 0)
    expected = layer(tf.constant(embedding(ids).numpy()), mask=ids != 0)
    np.testing.assert_allclose(y, expected, atol=1e-6)
    np.testing.assert_allclose(model(ids), expected, atol=1e-6)


@pytest.mark.slow
def test_exports(check_exports, frames_and_lengths):
    layer = InstanceNormalization()
    check_exports(lambda x, n: layer(x, mask=tf.sequence_mask(n, tf.shape(x)[1])), *frames_and_lengths)


@pytest.mark.slow
def test_exports_without_a_mask(check_exports, frames_and_lengths):
    check_exports(InstanceNormalization(), frames_and_lengths[0])


def test_round_trip(check_round_trip, tmp_path):
    layer = InstanceNormalization(epsilon=0.1, center=False, scale=False, name="plain")
    copy = check_round_trip(layer, frames((2, 5, 3)), path=tmp_path / "model.keras")
    assert (copy.epsilon, copy.center, copy.scale, copy.weights) == (0.1, False, False, [])
    check_round_trip(InstanceNormalization(), frames((2, 5, 3)), path=tmp_path / "affine.keras")


def test_symbolic_shape_is_that_of_the_input():
    assert InstanceNormalization()(keras.Input((None, 3))).shape == (None, None, 3)


@pytest.mark.parametrize("shape", [(2, 3), (2, 5, None)])
def test_inputs_it_cannot_normalise_are_refused(shape):
    with pytest.raises(ValueError, match=r"must have the shape \(batch, ..., channels\)"):
        InstanceNormalization().build(shape)
