import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import (
    AugmentReinforceMerge,
    BinaryBottleneck,
    GumbelOneHot,
    MaskedConv1D,
    ScoreFunction,
)
from keras_ae.models import DiscreteVariationalAutoEncoder

X = np.random.default_rng(0).integers(0, 2, (6, 5)).astype("float32")
WEIGHTS = np.array([1, 0, 2, 1, 0.5, 1], "float32")
CODES = {  # every code of the posterior, as an embedding
    "bits": np.array(list(itertools.product([0, 1], repeat=4)), "float32"),
    "classes": np.array([[*a, *b] for a in np.eye(2) for b in np.eye(2)], "float32"),
}


def make(kind="bits", prior="uniform", layer=None, **options):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5)])
    if layer is None and kind == "bits":
        layer = BinaryBottleneck(prior=prior, stochastic=True, seed=0)
    layer = layer or GumbelOneHot(num_groups=2, prior=prior, seed=0)
    model = DiscreteVariationalAutoEncoder(encoder, decoder, layer, **options)
    if prior == "learned":
        layer.prior_logits.assign(np.linspace(-1, 1, 4).reshape(layer.prior_logits.shape))
    return model


def log_softmax(x):
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def tables(model, kind, x=X):
    """`log q(z|x)`, `log p(z)`, `log p(x|z)`: `(batch, codes)`, by enumeration in float64."""
    (w, b), (v, c) = model.encoder.get_weights(), model.decoder.get_weights()
    logits, codes = (x @ w + b).astype("float64"), CODES[kind].astype("float64")
    prior = np.asarray(model.bottleneck.prior_logits, "float64").ravel()

    def log_mass(values):
        if kind == "bits":
            return values @ codes.T - np.log1p(np.exp(values)).sum(axis=-1, keepdims=True)
        return log_softmax(values.reshape(-1, 2, 2)).reshape(-1, 4) @ codes.T

    out = codes @ v + c
    likelihood = x @ out.T - np.log1p(np.exp(out)).sum(axis=1)
    return log_mass(logits), log_mass(prior[None]), likelihood


@pytest.mark.parametrize("prior", ["uniform", "learned"])
@pytest.mark.parametrize("kind", CODES)
def test_elbo_and_bound_are_those_of_the_enumerated_codes(kind, prior):
    model = make(kind, prior)
    log_q, log_p, likelihood = tables(model, kind)
    elbo = (np.exp(log_q) * (likelihood + log_p - log_q)).sum(axis=1)
    evidence = np.log(np.exp(likelihood + log_p).sum(axis=1))
    draws = np.stack([model.elbo(np.tile(X, (500, 1))).numpy().reshape(500, 6) for _ in range(2)]).mean(
        (0, 1)
    )
    # 1,000 draws with a standard deviation below 2 nats: five standard errors
    np.testing.assert_allclose(draws, elbo, atol=5 * 2 / np.sqrt(1000))
    bound = tf.function(lambda x: model.log_likelihood(x, 3000))(X).numpy()
    np.testing.assert_allclose(bound, evidence, atol=0.1)  # weights of a standard deviation near 1
    assert (evidence > elbo).all()


def gradients(model, weights=None, repetitions=1):
    variables = model.encoder.trainable_variables + model.decoder.trainable_variables

    @tf.function
    def one():
        with tf.GradientTape() as tape:
            loss = model.compute_terms(X, None, weights, training=True, player="model")["loss"]
        return [tf.convert_to_tensor(g) for g in tape.gradient(loss, variables)]

    drawn = [[g.numpy() for g in one()] for _ in range(repetitions)]
    return [np.stack(each) for each in zip(*drawn, strict=True)]


def exact_gradients(model, kind):
    """Of the negative evidence lower bound, summed over all codes."""
    variables = model.encoder.trainable_variables + model.decoder.trainable_variables
    with tf.GradientTape() as tape:
        logits = model.encoder(X)
        if kind == "bits":
            codes = tf.constant(CODES[kind], "int32")
        else:
            codes = tf.constant(list(itertools.product([0, 1], repeat=2)), "int32")
        log_q = tf.stack([model.bottleneck.log_prob(logits, tf.tile(c[None], (6, 1))) for c in codes], axis=1)
        out = model.decoder(CODES[kind])
        errors = tf.nn.sigmoid_cross_entropy_with_logits(
            tf.tile(X[:, None], (1, len(codes), 1)), tf.tile(out[None], (6, 1, 1))
        )
        expected = tf.reduce_sum(tf.exp(log_q) * tf.reduce_sum(errors, axis=-1), axis=1)
        loss = tf.reduce_mean(expected + model.bottleneck.kl(logits))
    return [g.numpy() for g in tape.gradient(loss, variables)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, options",
    [
        ("bits", {"estimator": "arm"}),
        ("bits", {"estimator": "score_function"}),
        ("bits", {"estimator": ScoreFunction("self_critical")}),
        ("bits", {"estimator": ScoreFunction("moving_average"), "num_samples": 3}),
        ("classes", {"estimator": "score_function", "num_samples": 4}),
        ("classes", {"estimator": ScoreFunction(None)}),
    ],
    ids=str,
)
def test_gradients_of_hard_samples_are_unbiased(kind, options):
    model, repetitions = make(kind, **options), 800
    drawn = gradients(model, repetitions=repetitions)
    for samples, exact in zip(drawn, exact_gradients(model, kind), strict=True):
        error = samples.std(axis=0) / np.sqrt(repetitions)
        # of 49 numbers none strays by more than five standard errors
        assert (np.abs(samples.mean(axis=0) - exact) <= 5 * error + 1e-5).all()


def test_a_learned_baseline_adds_its_own_loss():
    model = make(estimator=ScoreFunction("learned", units=4))
    terms = model.compute_terms(X, None, None, training=True, player="model")
    assert float(terms["loss"]) > float(terms["negative_elbo"])
    names = {v.path.split("/")[0] for v in model.trainable_variables}
    assert len(model.trainable_variables) == 4 + 4, names


@pytest.mark.parametrize("estimator", ["pathwise", "score_function", "arm"])
def test_terms_are_weighted_and_beta_warms_up(estimator):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    model = make(estimator=estimator, beta=schedule)
    certain = 50 * (np.arange(4) % 2 * 2 - 1)  # the posterior knows its code: nothing is random
    model.encoder.layers[-1].kernel.assign(np.zeros((5, 4)))
    model.encoder.layers[-1].bias.assign(certain)
    losses = -tables(model, "bits")[2][:, 0b0101]
    for step in range(3):
        terms = model.compute_terms(X, None, WEIGHTS, training=True, player="model")
        reconstruction, kl = np.average(losses, weights=WEIGHTS), 4 * np.log(2)
        assert float(terms["reconstruction_loss"]) == pytest.approx(reconstruction, rel=1e-5)
        assert float(terms["negative_elbo"]) == pytest.approx(reconstruction + kl, rel=1e-5)
        assert float(terms["loss"]) == pytest.approx(reconstruction + step / 4 * kl, rel=1e-5)
    assert float(model.beta) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", CODES)
def test_samples_come_from_the_prior(kind):
    model = make(kind, "learned")
    codes = model.bottleneck.draw_prior((4000,))
    embedding = np.asarray(model.bottleneck.decode(codes))
    _, log_p, _ = tables(model, kind)
    expected = np.exp(log_p[0]) @ CODES[kind]
    np.testing.assert_allclose(embedding.mean(axis=0), expected, atol=5 * 0.5 / np.sqrt(4000))
    assert model.sample(3).shape == (3, 5)
    assert (model.sample(3).numpy() <= 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["pathwise", "score_function", "arm"])
def test_it_learns_the_entropy_of_its_data(estimator):
    """Four patterns, alike often: two nats of log 2 each are the least."""
    patterns = np.random.default_rng(1).integers(0, 2, (4, 5)).astype("float32")
    x = np.tile(patterns, (100, 1))
    model = make(estimator=estimator)
    model.compile(keras.optimizers.Adam(3e-2), jit_compile=False)
    history = model.fit(x, batch_size=20, epochs=12, verbose=0, validation_data=(x,)).history
    assert history["val_negative_elbo"][-1] < 0.7 * history["val_negative_elbo"][0]
    assert history["val_negative_elbo"][-1] > np.log(4) - 0.05


def test_a_gaussian_likelihood_is_that_of_the_normal_distribution(tfd):
    model = make(likelihood="gaussian", observation_scale=0.4)
    codes = model.encode(X)
    out = model.decoder(model.bottleneck.decode(codes))
    expected = tfd.Normal(out, 0.4).log_prob(X).numpy().sum(axis=1)
    loss = model._loss_of(tf.constant(X), None, codes, None, False)
    np.testing.assert_allclose(loss, -expected, rtol=1e-5)
    np.testing.assert_allclose(model.reconstruct(X), out, rtol=1e-6)


@pytest.mark.parametrize("estimator", ["pathwise", "score_function", "arm"])
def test_padding_of_sequences_changes_nothing(estimator):
    keras.utils.set_random_seed(0)
    inputs, codes = keras.Input((None, 3)), keras.Input((None, 4))
    encoder = keras.Model(inputs, MaskedConv1D(4, 3)(inputs))
    decoder = keras.Model(codes, MaskedConv1D(3, 3)(codes))
    model = DiscreteVariationalAutoEncoder(encoder, decoder, BinaryBottleneck(seed=0), estimator=estimator)
    x = np.random.default_rng(0).integers(0, 2, (2, 7, 3)).astype("float32")
    lengths, garbage = np.array([4, 7]), x.copy()
    garbage[0, 4:] = 1.0 - garbage[0, 4:]
    seeds = [model.bottleneck.seed_generator, model._method_draws]
    seeds += [model.estimator.seed_generator] if estimator == "arm" else []
    start = [np.asarray(seed.state) for seed in seeds]
    found = []
    for values in (x, garbage):
        for seed, state in zip(seeds, start, strict=True):
            seed.state.assign(state)
        batch = {"x": tf.constant(values), "lengths": lengths}
        with tf.GradientTape() as tape:
            terms = model.compute_terms(batch, None, None, training=True, player="model")
        gradient = tape.gradient(terms["loss"], model.encoder.trainable_variables)
        bounds = [model.elbo(batch), model.log_likelihood(batch, 3)]
        found.append([terms["loss"], terms["negative_elbo"], *gradient, *bounds])
    for clean, dirty in zip(*found, strict=True):
        np.testing.assert_allclose(clean, dirty, rtol=1e-5, atol=1e-6)
    assert model.sample(2, length=5).shape == (2, 5, 3)


def test_config_comes_back():
    schedule = keras.optimizers.schedules.PolynomialDecay(0.0, 4, 1.0)
    for options in ({"beta": schedule}, {"estimator": AugmentReinforceMerge(seed=3)}, {"num_samples": 3}):
        model = make(**options)
        copy = DiscreteVariationalAutoEncoder.from_config(model.get_config())
        assert copy.get_config() == model.get_config()


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layer": BinaryBottleneck(kl_weight=0.1)}, "with kl_weight=0"),
        ({"layer": keras.layers.Dense(4)}, "with kl_weight=0"),
        ({"estimator": "reparameterise"}, "'pathwise', 'score_function', 'arm'"),
        ({"kind": "classes", "estimator": "arm"}, "must be a BinaryBottleneck for estimator='arm'"),
        ({"likelihood": "poisson"}, "likelihood must be one of"),
    ],
    ids=str,
)
def test_impossible_settings_are_refused(options, message):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        make(**options)
