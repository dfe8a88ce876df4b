import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.gradient_reversal import GradientReversal


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def gradient(layer, x):
    x = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(layer(x) ** 2)
    return tape.gradient(loss, x)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0, -2.0])
def test_forward_is_the_identity_and_backward_times_minus_weight(weight):
    layer, x = GradientReversal(weight), normal((4, 5, 3))
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_allclose(gradient(layer, x), -weight * 2 * x, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"jit_compile": True}])
def test_a_traced_function_sees_the_assigned_weight(options):
    layer, x = GradientReversal(), normal((4, 3))
    traced = tf.function(lambda x: gradient(layer, x), **options)
    np.testing.assert_allclose(traced(x), -2 * x, rtol=1e-6)
    layer.weight = 0.25
    np.testing.assert_allclose(traced(x), -0.5 * x, rtol=1e-6)


def test_the_weight_is_saved_but_not_trained(tmp_path):
    layer = GradientReversal(0.5)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, layer(inputs))
    layer.weight = 0.75
    assert layer.trainable_variables == []
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras").layers[-1]
    assert float(loaded.weight) == 0.75
    assert GradientReversal.from_config(layer.get_config()).get_config() == layer.get_config()


def test_a_callback_ramps_the_weight_during_fit():
    layer, encoder = GradientReversal(0.0), keras.layers.Dense(2)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(encoder(inputs))))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    kernels = [encoder.kernel.numpy()]

    class Ramp(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            layer.weight = float(epoch)

        def on_epoch_end(self, epoch, logs=None):
            kernels.append(encoder.kernel.numpy())

    model.fit(normal((4, 3)), np.ones((4, 1)), epochs=2, verbose=0, callbacks=[Ramp()])
    np.testing.assert_array_equal(kernels[1], kernels[0])
    assert np.abs(kernels[2] - kernels[1]).max() > 1e-4


def test_the_encoder_climbs_what_the_classifier_descends():
    keras.utils.set_random_seed(0)
    x, y = normal((8, 3)), normal((8, 1), seed=1)
    encoder, classifier = keras.layers.Dense(2), keras.layers.Dense(1)

    def gradients(between):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((classifier(between(encoder(x))) - y) ** 2)
        return tape.gradient(loss, [encoder.kernel.value, classifier.kernel.value])

    encoder(x), classifier(encoder(x))
    plain, reversed_ = gradients(lambda z: z), gradients(GradientReversal(2.0))
    np.testing.assert_allclose(reversed_[0], -2 * plain[0], rtol=1e-5)
    np.testing.assert_allclose(reversed_[1], plain[1], rtol=1e-5)


@pytest.mark.parametrize("extra", [1, 2, 3, 7])
def test_padding_reaches_nothing(check_padding, extra):
    check_padding(GradientReversal(0.3), normal((6, 4)), real=6, extra=extra)


def test_mask_of_an_embedding_is_handed_on():
    ids = np.array([[2, 1, 3, 0, 0], [1, 2, 3, 1, 2]])
    embedding = keras.layers.Embedding(4, 3, mask_zero=True, embeddings_initializer="normal")
    layer, pool = GradientReversal(), keras.layers.GlobalAveragePooling1D()
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, pool(layer(embedding(inputs))))
    np.testing.assert_allclose(model(ids)[0], embedding(ids).numpy()[0, :3].mean(axis=0), atol=1e-6)
    np.testing.assert_array_equal(layer(embedding(ids))._keras_mask, ids != 0)


def test_mixed_precision_reverses_in_float16():
    layer, x = GradientReversal(0.5, dtype="mixed_float16"), normal((4, 3)).astype("float16")
    assert layer(x).dtype == "float16"
    assert gradient(layer, x).dtype == "float16"
    np.testing.assert_allclose(gradient(layer, x), -x, rtol=2e-3)  # float16 has 11 bits


@pytest.mark.slow
def test_exports(check_exports, frames_and_lengths):
    check_exports(GradientReversal(), frames_and_lengths[0])
