"""Results of an epoch against numpy: sums over sums of weights, whatever the cut into batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.layers import GaussianBottleneck, MaskedConv1D, VectorQuantizer
from keras_ae.models import AutoEncoder, BaseModel, VariationalAutoEncoder
from keras_ae.ops.terms import mean_term, weighted_mean

X = np.random.default_rng(0).normal(size=(33, 6)).astype("float32")
X[32] *= 10.0  # the example that has a batch for itself
HALF = np.repeat([1.0, 0.0], [17, 16]).astype("float32")
CUTS = [33, 32, 10]


def dense(inputs, units):
    return keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(units)])


def compiled(model):
    model.compile("sgd", run_eagerly=True)
    return model


def evaluated(model, *args, **options):
    return model.evaluate(*args, **options, return_dict=True, verbose=0)


@pytest.mark.parametrize("weights", [None, HALF], ids=["all_alike", "half_without_weight"])
@pytest.mark.parametrize("batch_size", CUTS)
def test_commitment_and_loss_are_those_of_all_examples(batch_size, weights):
    keras.utils.set_random_seed(0)
    quantizer = VectorQuantizer(4, kmeans_samples=0, commitment_cost=0.5)
    model = compiled(AutoEncoder(dense(6, 3), dense(3, 6), quantizer))
    logs = evaluated(model, X, batch_size=batch_size, sample_weight=weights)
    features = model.encoder(X).numpy()
    embedding = quantizer(features).numpy()
    commitment = np.average(((features - embedding) ** 2).mean(1), weights=weights)
    error = np.average(((X - model.decoder(embedding).numpy()) ** 2).mean(1), weights=weights)
    np.testing.assert_allclose(logs["commitment_loss"], commitment, rtol=1e-5)
    np.testing.assert_allclose(logs["reconstruction_loss"], error, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], error + 0.5 * commitment, rtol=1e-5)


@pytest.mark.parametrize("batch_size", CUTS)
def test_divergence_of_a_vae_is_that_of_all_examples(batch_size):
    keras.utils.set_random_seed(0)
    model = compiled(VariationalAutoEncoder(dense(6, 4), dense(2, 6), 2, beta=3.0, likelihood="gaussian"))
    logs = evaluated(model, X, batch_size=batch_size)
    mean, log_variance = (np.asarray(part) for part in model.bottleneck.parameters(model.encoder(X)))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1.0 - log_variance).sum(1).mean()
    np.testing.assert_allclose(logs["kl_loss"], kl, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], logs["reconstruction_loss"] + 3.0 * kl, rtol=1e-5)


@pytest.mark.parametrize("batch_size", [7, 3, 1])
def test_terms_of_sequences_are_means_over_real_frames(batch_size):
    """A short sequence counts less than a long one, with its codes as with its frames."""
    keras.utils.set_random_seed(0)
    quantizer = VectorQuantizer(4, kmeans_samples=0)
    layers = [keras.Sequential([keras.Input((None, n)), MaskedConv1D(3, 1)]) for n in (3, 3)]
    model = compiled(AutoEncoder(*layers, quantizer))
    x, lengths = X[:28].reshape(7, 8, 3), np.array([8, 1, 2, 8, 5, 3, 7])
    logs = evaluated(model, {"x": x, "lengths": lengths}, batch_size=batch_size)
    real = np.arange(8) < lengths[:, None]
    features = model.encoder(x).numpy()
    embedding = quantizer(features).numpy()
    np.testing.assert_allclose(logs["commitment_loss"], ((features - embedding)[real] ** 2).mean(), rtol=1e-5)
    error = ((x - model.decoder(embedding).numpy())[real] ** 2).mean()
    np.testing.assert_allclose(logs["reconstruction_loss"], error, rtol=1e-5)
    np.testing.assert_allclose(logs["loss"], error + 0.25 * logs["commitment_loss"], rtol=1e-5)


@pytest.mark.parametrize("batch_size", CUTS)
def test_a_layer_in_a_stock_model_reports_the_mean_over_examples(batch_size):
    keras.utils.set_random_seed(0)
    inputs, layer = keras.Input((6,)), GaussianBottleneck(2)
    model = keras.Model(inputs, keras.layers.Dense(6)(layer(inputs)))
    model.compile("sgd", "mse", run_eagerly=True)
    logs = evaluated(model, X, X, batch_size=batch_size)
    mean, log_variance = (np.asarray(part) for part in layer.parameters(X))
    kl = 0.5 * (mean**2 + np.exp(log_variance) - 1.0 - log_variance).sum(1).mean()
    np.testing.assert_allclose(logs["kl_loss"], kl, rtol=1e-5)


class Own(BaseModel):
    """A user's model, whose terms are made in one of three ways."""

    def __init__(self, make):
        super().__init__()
        self.map = keras.layers.Dense(1)
        self.make = make
        self.track_terms("error", "size")

    def build(self, input_shape):
        self.map.build(input_shape)
        self.built = True

    def compute_terms(self, x, y, sample_weight, training, player):
        y = self.map(x)[:, 0]
        error, size = self.make(ops.square(y), sample_weight), self.make(ops.abs(y), sample_weight)
        return {"loss": error + 0.5 * size, "error": error, "size": size}


@pytest.mark.parametrize(
    "make", [mean_term, weighted_mean, lambda values, _: ops.mean(values)], ids=["terms", "tensors", "plain"]
)
@pytest.mark.parametrize("batch_size", CUTS)
def test_a_users_model_may_return_terms_or_scalars(batch_size, make):
    keras.utils.set_random_seed(0)
    model = Own(make)
    model.build((None, 6))
    logs = evaluated(compiled(model), X, batch_size=batch_size)
    y = model.map(X).numpy()[:, 0]
    expected = {"error": (y**2).mean(), "size": np.abs(y).mean()}
    expected["loss"] = expected["error"] + 0.5 * expected["size"]
    for name, value in expected.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-5)
    history = model.fit(X, batch_size=batch_size, verbose=0).history
    assert np.isfinite(history["loss"]).all()


def test_weighted_terms_of_a_compiled_model_add_up_over_several_steps_per_execution():
    keras.utils.set_random_seed(0)
    model = Own(mean_term)
    model.build((None, 6))
    model.compile("sgd", steps_per_execution=3, jit_compile=False)
    logs = evaluated(model, X, sample_weight=HALF, batch_size=10)
    y = model.map(X).numpy()[:17, 0]
    np.testing.assert_allclose(logs["loss"], (y**2).mean() + 0.5 * np.abs(y).mean(), rtol=1e-5)


# what the history counts


class Calls(keras.callbacks.Callback):
    """Calls the model on other data wherever a callback may."""

    def call_model(self, *_, **__):
        x = np.full((5, 6), 100.0, "float32")
        self.model(x)
        self.model.predict(x, verbose=0)

    on_epoch_begin = on_train_batch_begin = on_train_batch_end = on_epoch_end = call_model
    on_test_begin = on_test_batch_end = on_test_end = call_model


def stock(bottleneck, **options):
    inputs = keras.Input((6,))
    model = keras.Model(inputs, keras.layers.Dense(6)(bottleneck(keras.layers.Dense(3)(inputs))))
    model.compile("sgd", "mse", **options)
    return model


def ours(bottleneck, **options):
    model = AutoEncoder(dense(6, 3), dense(3, 6), bottleneck)
    model.compile("sgd", **options)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("make", [stock, ours])
@pytest.mark.parametrize("kind", ["discrete", "gaussian"])
def test_calls_of_callbacks_are_not_counted(make, kind):
    histories = []
    for callbacks in ([], [Calls()]):
        keras.utils.set_random_seed(0)
        if kind == "discrete":
            model = make(VectorQuantizer(16, kmeans_samples=0, seed=0), jit_compile=False)
        else:
            model = make(GaussianBottleneck(3, seed=0), run_eagerly=True)
        data = {"x": X, "y": X, "validation_data": (X, X)}
        histories.append(model.fit(**data, batch_size=11, verbose=0, callbacks=callbacks).history)
    quiet, called = histories
    assert quiet.keys() == called.keys()
    for name in quiet:
        np.testing.assert_allclose(called[name], quiet[name], rtol=1e-6, err_msg=name)


def test_direct_calls_of_a_layer_count():
    layer = VectorQuantizer(4, kmeans_samples=0)
    layer(X)
    assert float(ops.sum(layer.usage.counts)) == 33


# NaN where nothing counts


def test_nan_in_a_masked_position_reaches_neither_gradients_nor_codebook():
    x = tf.Variable(X[:12].reshape(3, 4, 6))
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], bool)
    results = []
    for garbage in (0.0, np.nan, np.inf):
        x.assign(np.where(mask[..., None], X[:12].reshape(3, 4, 6), garbage))
        keras.utils.set_random_seed(0)
        layer = VectorQuantizer(4, kmeans_samples=0, codebook_dim=2, seed=0)
        layer.build(x.shape)
        with tf.GradientTape() as tape:
            y = layer(x, mask=mask, training=True)
            loss = sum(layer.losses) + tf.reduce_sum(tf.where(mask[..., None], y, 0.0))
        gradients = tape.gradient(loss, [x, *layer.trainable_variables])
        results.append([loss, *gradients, *layer.get_weights()])
    for dirty in results[1:]:
        for ours, expected in zip(dirty, results[0], strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_a_target_that_is_nan_in_padding_trains_as_any_other():
    x, lengths = X[:28].reshape(7, 8, 3), np.array([8, 1, 2, 8, 5, 3, 7])
    real = (np.arange(8) < lengths[:, None])[..., None]
    weights = []
    for garbage in (0.0, np.nan):
        keras.utils.set_random_seed(0)
        parts = [keras.Sequential([keras.Input((None, 3)), MaskedConv1D(3, 3)]) for _ in range(2)]
        model = compiled(AutoEncoder(*parts))
        y = np.where(real, x + 1.0, garbage).astype("float32")
        model.fit({"x": np.where(real, x, garbage).astype("float32"), "lengths": lengths}, y, verbose=0)
        weights.append(model.get_weights())
    for clean, dirty in zip(*weights, strict=True):
        np.testing.assert_allclose(dirty, clean, rtol=1e-6)
