import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import GaussianBottleneck


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numpy_parameters(layer, x):
    """`mean = W x + b`, `log_variance = 10 tanh((V x + c) / 10)` in float64."""
    (w, b), (v, c) = (
        (np.asarray(dense.kernel, "float64"), np.asarray(dense.bias, "float64"))
        for dense in (layer.mean_map, layer.log_variance_map)
    )
    return x @ w + b, 10 * np.tanh((x @ v + c) / 10)


def built(dim=3, features=5, **options):
    layer = GaussianBottleneck(dim, seed=0, **options)
    layer.build((None, features))
    generator = np.random.default_rng(7)
    layer.set_weights([generator.normal(size=w.shape) if w.ndim else w for w in layer.get_weights()])
    return layer


def divergences(layer, x, tfd):
    mean, log_variance = (value.astype("float32") for value in numpy_parameters(layer, x))
    return tfd.kl_divergence(tfd.Normal(mean, np.exp(log_variance / 2)), tfd.Normal(0.0, 1.0)).numpy()


@pytest.mark.parametrize("training", [True, False])
def test_divergence_is_summed_over_positions_and_dimensions_and_averaged_over_examples(training, tfd):
    layer, x = built(beta=0.3), normal((4, 6, 5))
    layer(x, training=training)
    expected = divergences(layer, x, tfd).sum(axis=(1, 2)).mean()
    assert float(layer.kl_metric.result()) == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(layer.losses, [0.3 * expected], rtol=1e-5)


def test_sample_weights_average_the_examples(tfd):
    layer, x, weights = built(), normal((4, 5)), np.array([1.0, 0.0, 2.0, 0.5], "float32")
    layer(x, sample_weight=weights)
    expected = np.average(divergences(layer, x, tfd).sum(axis=1), weights=weights)
    np.testing.assert_allclose(layer.losses, [expected], rtol=1e-5)


def test_masked_positions_add_nothing(tfd):
    layer, x, mask = built(), normal((4, 6, 5)), np.arange(6) < np.array([[6], [3], [1], [0]])
    layer(np.where(mask[..., None], x, 1e3).astype("float32"), mask=mask)
    expected = (divergences(layer, x, tfd).sum(axis=2) * mask).sum(axis=1).mean()
    np.testing.assert_allclose(layer.losses, [expected], rtol=1e-5)


def test_samples_have_the_moments_of_the_posterior():
    layer, samples = built(), 20_000
    x = normal((1, 5))
    mean, log_variance = numpy_parameters(layer, x)
    z = np.asarray(layer(np.tile(x, (samples, 1)), training=True), "float64")
    scaled = (z - mean) / np.exp(log_variance / 2)
    # 4.5 standard errors of mean, variance (sqrt 2) and covariance of standard normals
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=4.5 / np.sqrt(samples))
    np.testing.assert_allclose(np.cov(scaled.T), np.eye(3), atol=4.5 * np.sqrt(2 / samples))


def test_inference_is_the_mean_and_sample_overrides_training():
    layer, x = built(), normal((4, 5))
    mean, _ = numpy_parameters(layer, x)
    for options in ({}, {"training": False}, {"training": True, "sample": False}):
        np.testing.assert_allclose(layer(x, **options), mean, rtol=1e-5, atol=1e-5)
    for options in ({"training": True}, {"training": False, "sample": True}):
        assert np.abs(layer(x, **options) - mean).max() > 1e-2


@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "float16"])
def test_log_variance_is_bounded_so_that_everything_stays_finite(dtype):
    layer = built(dtype=dtype)
    x = tf.constant(np.array([[6e4] * 5, [-6e4] * 5, [0] * 5], "float16"), layer.compute_dtype)
    _, log_variance = layer.parameters(x)
    assert log_variance.dtype == "float32"
    assert np.abs(log_variance).max() <= 10.0
    with tf.GradientTape() as tape:
        z = layer(x[2:], training=True)
        loss = tf.add_n(layer.losses) + tf.reduce_sum(tf.cast(z, "float32"))
    assert z.dtype == layer.compute_dtype
    assert all(np.isfinite(gradient).all() for gradient in tape.gradient(loss, layer.trainable_variables))
    layer(x, training=True)
    assert np.isfinite(layer.losses).all()
    assert all(weight.dtype in ("float32", "int32") for weight in layer.weights)


def test_gradient_of_the_divergence():
    layer, x = built(), normal((4, 5))
    with tf.GradientTape() as tape:
        layer(x)
        loss = tf.add_n(layer.losses)
    mean, log_variance = numpy_parameters(layer, x)
    to_mean, to_raw = mean / 4, (np.exp(log_variance) - 1) / 2 / 4 * (1 - (log_variance / 10) ** 2)
    gradients = tape.gradient(loss, [layer.mean_map.kernel.value, layer.log_variance_map.kernel.value])
    np.testing.assert_allclose(gradients[0], x.T @ to_mean, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(gradients[1], x.T @ to_raw, rtol=1e-4, atol=1e-4)


def test_warm_up_weights_the_divergence_of_each_training_step():
    layer, x = built(beta=keras.optimizers.schedules.PolynomialDecay(0.0, 4, 2.0)), normal((4, 5))
    layer(x)
    divergence = float(layer.kl_metric.result())
    for beta in (0.0, 0.5, 1.0, 1.5, 2.0, 2.0):
        layer(x, training=True)
        np.testing.assert_allclose(layer.losses, [beta * divergence], rtol=1e-5)
    layer(x, training=False)
    np.testing.assert_allclose(layer.losses, [2.0 * divergence], rtol=1e-5)
    assert int(layer.warm_up.step) == 6


def test_beta_can_be_assigned_and_stands_still_when_frozen():
    layer, x = built(beta=1.0), normal((4, 5))
    layer.beta.assign(0.25)
    layer(x, training=True)
    np.testing.assert_allclose(layer.losses, [0.25 * float(layer.kl_metric.result())], rtol=1e-6)
    frozen = built(beta=keras.optimizers.schedules.PolynomialDecay(0.0, 4, 2.0))
    frozen.trainable = False
    frozen(x, training=True)
    assert int(frozen.warm_up.step) == 0
    assert frozen.trainable_variables == []


@pytest.mark.parametrize("beta", [0.5, keras.optimizers.schedules.PolynomialDecay(0.0, 4, 2.0)])
def test_config_and_weights_come_back(beta, tmp_path):
    inputs = keras.Input((5,))
    layer = GaussianBottleneck(3, beta=beta, seed=1, name="style")
    model = keras.Model(inputs, layer(inputs))
    model(normal((2, 5)), training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    copy = loaded.layers[-1]
    assert copy.get_config() == layer.get_config()
    assert [metric.name for metric in copy.metrics] == ["style_kl_loss"]
    for ours, theirs in zip(layer.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model(normal((2, 5))), loaded(normal((2, 5))))
