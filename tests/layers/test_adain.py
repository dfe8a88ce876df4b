import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.masked.adain import AdaIN
from keras_ae.layers.masked.masked_conv1d import MaskedConv1D


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def reference(layer, content, style):
    """One example without padding."""
    x = content.astype("float64")
    x = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + layer.epsilon)
    affine = style @ layer.kernel.numpy() + layer.bias.numpy()
    channels = content.shape[-1]
    return affine[:channels] * x + affine[channels:]


def trained(layer, content, style):
    """Weights of ordinary size, so that gamma and beta differ between examples."""
    layer.build(content.shape, style.shape)
    layer.kernel.assign(normal(layer.kernel.shape, seed=1))
    return layer


def test_style_sets_mean_and_deviation_of_each_channel():
    content, style = normal((3, 8, 4)), normal((3, 2), seed=2)
    layer = trained(AdaIN(), content, style)
    y = layer(content, style)
    for example in range(3):
        expected = reference(layer, content[example], style[example])
        np.testing.assert_allclose(y[example], expected, atol=1e-5)  # float32 against float64


def test_images_have_a_style_too():
    content, style = normal((2, 3, 4, 5)), normal((2, 2), seed=2)
    layer = trained(AdaIN(), content, style)
    y = layer(content, style).numpy().reshape(2, 12, 5)
    np.testing.assert_allclose(y[1], reference(layer, content[1].reshape(12, 5), style[1]), atol=1e-5)


def test_starts_near_plain_instance_normalisation_and_still_passes_gradients_to_the_style():
    keras.utils.set_random_seed(0)
    content, style = normal((50, 8, 64)), tf.constant(normal((50, 32), seed=2))
    layer = AdaIN()
    with tf.GradientTape() as tape:
        tape.watch(style)
        y = layer(content, style)
        loss = tf.reduce_sum(y**3)
    affine = style.numpy() @ layer.kernel.numpy() + layer.bias.numpy()
    # deviation 0.1 by construction; 6400 draws do not leave 6 deviations
    np.testing.assert_allclose(affine, [[1.0] * 64 + [0.0] * 64] * 50, atol=0.6)
    assert abs((affine - affine.mean(axis=0)).std() - 0.1) < 0.02
    assert np.abs(tape.gradient(loss, style)).min() > 0


@pytest.mark.parametrize("extra", [1, 2, 3, 7])
def test_padding_changes_neither_outputs_nor_gradients(check_padding, extra):
    content, style = normal((6, 4)), normal((3,), seed=2)
    layer = trained(AdaIN(), content[None], style[None])
    check_padding(layer, content, style, real=6, extra=extra, mask_name="content_mask")


def test_nan_in_padding_reaches_nothing(check_padding):
    content, style = normal((6, 4)), normal((3,), seed=2)
    check_padding(AdaIN(), content, style, real=6, extra=2, mask_name="content_mask", garbage=np.nan)


def test_all_padding_and_a_single_position_stay_finite():
    style = normal((2, 3))
    layer = AdaIN()
    assert np.isfinite(layer(normal((2, 4, 5)), style, content_mask=np.zeros((2, 4)))).all()
    assert np.isfinite(layer(normal((2, 1, 5)), style)).all()


def test_mask_of_an_embedding_arrives_and_is_handed_on():
    ids, style = np.array([[2, 1, 3, 0, 0], [1, 2, 3, 1, 2]]), normal((2, 3))
    embedding = keras.layers.Embedding(4, 3, mask_zero=True, embeddings_initializer="normal")
    layer, pool = AdaIN(), keras.layers.GlobalAveragePooling1D()
    inputs, styles = keras.Input((None,), dtype="int32"), keras.Input((3,))
    model = keras.Model([inputs, styles], pool(layer(embedding(inputs), styles)))
    y = layer(tf.constant(embedding(ids).numpy()), style, content_mask=ids != 0)
    np.testing.assert_allclose(model([ids, style])[0], y.numpy()[0, :3].mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("dtype", [bool, "float32", "int32"])
def test_a_mask_passed_by_name_is_handed_on(dtype):
    content, style = normal((2, 5, 3)), normal((2, 3))
    mask = (np.arange(5) < np.array([[3], [5]])).astype(dtype)
    y = AdaIN()(content, style, content_mask=mask)
    np.testing.assert_array_equal(MaskedConv1D(2, 3, strides=2)(y)._keras_mask, mask[:, ::2])


def test_arithmetic_is_float32_under_mixed_precision():
    # 200 frames of 1000 sum beyond float16's 65504, and its spacing at 1000 is 0.5
    content = (1000 + 8 * normal((1, 200, 2))).astype("float16")
    style = normal((1, 3), seed=2).astype("float16")
    layer = AdaIN(dtype="mixed_float16")
    y = layer(content, style)
    assert y.dtype == "float16"
    np.testing.assert_allclose(y[0], reference(layer, content[0], style[0]), atol=2e-3)  # rounded at 3


@pytest.mark.slow
def test_exports(check_exports, frames_and_lengths):
    frames, lengths = frames_and_lengths
    style = (tf.TensorSpec((None, 2), "float32", "style"), lambda batch, length: normal((batch, 2)))
    layer = AdaIN()

    def call(x, lengths, style):
        return layer(x, style, content_mask=tf.sequence_mask(lengths, tf.shape(x)[1]))

    check_exports(call, frames, lengths, style)


def test_round_trip(check_round_trip, tmp_path):
    copy = check_round_trip(
        AdaIN(epsilon=0.1), normal((2, 5, 3)), normal((2, 4)), path=tmp_path / "model.keras"
    )
    assert copy.epsilon == 0.1


def test_symbolic_shape_is_that_of_the_content():
    assert AdaIN()(keras.Input((None, 3)), keras.Input((2,))).shape == (None, None, 3)


def test_inputs_it_cannot_use_are_refused():
    with pytest.raises(ValueError, match=r"must have the shape \(batch, ..., channels\)"):
        AdaIN()(normal((2, 3)), normal((2, 3)))
    with pytest.raises(
        ValueError,
        match=r"style of AdaIN .* must have the shape \(batch, style_dim\).*Received: .*\(2, 5, 3\)",
    ):
        AdaIN()(normal((2, 5, 3)), normal((2, 5, 3)))
