import keras
import numpy as np
import pytest

from keras_ae.losses import kl_decomposition
from keras_ae.models import TotalCorrelationVariationalAutoEncoder, VariationalAutoEncoder

pytest.importorskip("tensorflow_probability")

X = np.random.default_rng(0).random((6, 5), "float32")
WEIGHTS = np.array([1, 0, 2, 1, 0.5, 1], "float32")
TERMS = ("index_code_mi", "total_correlation", "dimension_wise_kl")


def auto_encoder(made=TotalCorrelationVariationalAutoEncoder, **options):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, "tanh")])
    decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(5)])
    return made(encoder, decoder, 2, seed=0, **options)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_the_loss_weights_the_three_parts_of_the_kl(weights):
    options = {"total_correlation_weight": 7.0, "index_code_weight": 0.5, "dimension_wise_weight": 2.0}
    model, plain = auto_encoder(beta=3.0, **options), auto_encoder(VariationalAutoEncoder, beta=3.0)
    terms = model.compute_terms(X, None, weights, training=True, player="model")
    reference = plain.compute_terms(X, None, weights, training=True, player="model")
    assert float(terms["reconstruction_loss"]) == pytest.approx(float(reference["reconstruction_loss"]))
    surplus = sum(f * float(terms[t]) for f, t in zip((-0.5, 6.0, 1.0), TERMS, strict=True))
    assert float(terms["loss"]) == pytest.approx(float(reference["loss"]) + 3.0 * surplus, rel=1e-5)


def test_the_terms_are_those_of_the_posterior_that_was_sampled(monkeypatch):
    noise = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")
    monkeypatch.setattr(keras.random, "normal", lambda shape, dtype=None, seed=None: keras.ops.array(noise))
    model = auto_encoder(sampling="stratified", dataset_size=30)
    terms = model.compute_terms(X, None, None, training=True, player="model")
    mean, log_variance = model.bottleneck.parameters(model.encoder(X))
    z = mean + np.exp(0.5 * np.asarray(log_variance)) * noise
    expected = kl_decomposition(z, mean, log_variance, 30, sampling="stratified")
    np.testing.assert_allclose([float(terms[name]) for name in TERMS], expected, rtol=1e-5)


@pytest.mark.slow
def test_with_all_weights_one_it_is_the_variational_auto_encoder():
    model, plain = auto_encoder(total_correlation_weight=1.0), auto_encoder(VariationalAutoEncoder)
    for each in (model, plain):
        each.compile("sgd", jit_compile=False)
        each.fit(X, batch_size=3, epochs=2, verbose=0, shuffle=False)
    for ours, theirs in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.slow
def test_the_history_holds_the_parts_and_a_schedule_weights_them_all():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    model = auto_encoder(beta=schedule, total_correlation_weight=5.0)
    model.compile(keras.optimizers.SGD(0.0), jit_compile=False)
    history = model.fit(X, validation_data=(X,), batch_size=6, epochs=2, verbose=0, shuffle=False).history
    assert set(history) >= {"kl_loss", *TERMS, *(f"val_{term}" for term in TERMS)}
    # the weights stand still; beta is 0 in the first step and 0.25 in the second
    extra = np.subtract(history["loss"], history["reconstruction_loss"])
    regulariser = np.array(history["kl_loss"]) + 4.0 * np.array(history["total_correlation"])
    np.testing.assert_allclose(extra, [0.0, 0.25 * regulariser[1]], atol=1e-4)


@pytest.mark.slow
def test_dimensions_come_apart_that_a_variational_auto_encoder_mixes():
    """Two independent uniform factors, seen through a rotation: which latent knows which?"""
    rng = np.random.default_rng(0)
    factors = rng.uniform(-1, 1, (2000, 2))
    x = np.concatenate([factors @ [[0.8, -0.6], [0.6, 0.8]], factors], axis=1).astype("float32")

    def off_axis(weight):
        keras.utils.set_random_seed(1)
        encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8)])
        decoder = keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)])
        settings = {"total_correlation_weight": weight, "seed": 0}
        model = TotalCorrelationVariationalAutoEncoder(
            encoder, decoder, 2, likelihood="gaussian", observation_scale=0.3, **settings
        )
        model.compile(keras.optimizers.Adam(0.02), jit_compile=False)
        model.fit(x, batch_size=250, epochs=15, verbose=0)
        correlation = np.abs(np.corrcoef(np.asarray(model.encode(x)).T, factors.T)[:2, 2:])
        return np.sort(correlation, axis=1)[:, 0].mean()

    # latents of size 1 each hold one factor; without the weight their axes are wherever training left them
    assert off_axis(20.0) < 0.15


@pytest.mark.parametrize(
    "options, received",
    [({"sampling": "all"}, "sampling='all'"), ({"sampling": "stratified"}, "dataset_size=None")],
    ids=str,
)
def test_what_cannot_be_is_refused(options, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        auto_encoder(**options)


def test_a_map_of_vectors_is_refused():
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 1)])
    decoder = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Conv2D(1, 1)])
    with pytest.raises(ValueError, match=r"\(batch, features\).*Received: \(None, 4, 4, 3\)"):
        TotalCorrelationVariationalAutoEncoder(encoder, decoder, 2)


def test_config_comes_back():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    model = auto_encoder(beta=schedule, sampling="stratified", dataset_size=30, dimension_wise_weight=2.0)
    copy = TotalCorrelationVariationalAutoEncoder.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
