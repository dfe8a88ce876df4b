import keras
import numpy as np
import pytest

from keras_ae.models import VariationalAutoEncoder

X = np.random.default_rng(0).random((6, 5), "float32")
NOISE = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")
WEIGHTS = np.array([1, 0, 2, 1, 0.5, 1], "float32")


def auto_encoder(**options):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, "tanh")])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5)])
    return VariationalAutoEncoder(encoder, decoder, 2, **options)


@pytest.fixture
def fixed_noise(monkeypatch):
    monkeypatch.setattr(keras.random, "normal", lambda shape, dtype=None, seed=None: keras.ops.array(NOISE))


def by_hand(model, x, target, tfd):
    """`(log p(target|z), KL)` of each example, from the weights."""
    (w, b), (v, c) = model.encoder.get_weights(), model.decoder.get_weights()
    features = np.tanh(x @ w + b)
    mean_map, log_variance_map = model.bottleneck.mean_map, model.bottleneck.log_variance_map
    mean = features @ mean_map.kernel.numpy() + mean_map.bias.numpy()
    raw = features @ log_variance_map.kernel.numpy() + log_variance_map.bias.numpy()
    posterior = tfd.MultivariateNormalDiag(mean, np.exp(5 * np.tanh(raw / 10)))
    z = mean + np.exp(5 * np.tanh(raw / 10)) * NOISE
    parameters = z @ v + c
    if model.likelihood == "bernoulli":
        likelihood = tfd.Independent(tfd.Bernoulli(logits=parameters, dtype="float32"), 1)
    else:
        likelihood = tfd.MultivariateNormalDiag(parameters, [model.observation_scale] * 5)
    prior = tfd.MultivariateNormalDiag(np.zeros(2, "float32"), np.ones(2, "float32"))
    return likelihood.log_prob(target).numpy(), tfd.kl_divergence(posterior, prior).numpy()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options", [{}, {"likelihood": "gaussian", "observation_scale": 0.4, "beta": 0.7}], ids=str
)
def test_terms_are_those_of_the_evidence_lower_bound(options, training, fixed_noise, tfd):
    model = auto_encoder(**options)
    # binary pixels: between 0 and 1 the two libraries' Bernoulli terms are the same cross-entropy
    for x, target in ((X, None), (np.round(X), None), (X, np.round(X))):
        for weights in (None, WEIGHTS):
            model.bottleneck.kl_metric.reset_state()
            terms = model.compute_terms(x, target, weights, training=training, player="model")
            log_likelihood, divergence = by_hand(model, x, x if target is None else target, tfd)
            expected = -np.average(log_likelihood, weights=weights)
            divergence = np.average(divergence, weights=weights)
            assert float(terms["reconstruction_loss"]) == pytest.approx(expected, rel=1e-5)
            assert float(model.bottleneck.kl_metric.result()) == pytest.approx(divergence, rel=1e-5)
            assert float(terms["loss"]) == pytest.approx(
                expected + options.get("beta", 1) * divergence, rel=1e-5
            )


def test_posterior_and_observation_are_distributions_of_tensorflow_probability(tfd):
    model = auto_encoder()
    posterior = model.posterior(X)
    assert isinstance(posterior, tfd.Normal)
    np.testing.assert_allclose(posterior.mean(), model.encode(X), rtol=1e-6)
    np.testing.assert_allclose(model.decode(model.encode(X)), model.reconstruct(X), rtol=1e-6)
    logits = model.decoder(model.encode(X))
    np.testing.assert_allclose(model.observation(logits).mean(), model.reconstruct(X), rtol=1e-5)


def test_encode_returns_the_mean_without_noise():
    model = auto_encoder(seed=0)
    np.testing.assert_array_equal(model.encode(X), model.encode(X))
    np.testing.assert_array_equal(model.encode(X), model.embed(X))
    mean, _ = model.bottleneck.parameters(model.encoder(X))
    np.testing.assert_array_equal(model.encode(X), mean)


def test_history_holds_the_terms_in_nats_and_the_warm_up_counts_training_steps():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    model = auto_encoder(beta=schedule, seed=0)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    twice = np.tile(X, (2, 1))
    history = model.fit(twice, validation_data=(X,), batch_size=6, epochs=2, verbose=0, shuffle=False).history
    assert set(history) >= {"loss", "reconstruction_loss", "kl_loss", "val_loss", "val_kl_loss"}
    assert int(model.bottleneck.warm_up.step) == 4
    # the weights stand still and so does the divergence, which beta weights by 0, 0.25, 0.5, 0.75
    np.testing.assert_allclose(history["kl_loss"], [history["val_kl_loss"][0]] * 2, rtol=1e-5)
    extra = np.subtract(history["loss"], history["reconstruction_loss"])
    np.testing.assert_allclose(extra / history["kl_loss"], [0.125, 0.625], rtol=1e-3)


def test_an_unknown_likelihood_is_refused():
    with pytest.raises(ValueError, match="must be one of 'bernoulli', 'gaussian'.*Received"):
        auto_encoder(likelihood="poisson")


def test_config_comes_back():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    model = auto_encoder(beta=schedule, likelihood="gaussian", observation_scale=0.5, seed=3)
    copy = VariationalAutoEncoder.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
