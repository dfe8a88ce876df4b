"""Options of the variational auto-encoder, on linear Gaussian models whose evidence is known."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax
from scipy.stats import multivariate_normal

from keras_ae import InputError
from keras_ae.losses import maximum_mean_discrepancy
from keras_ae.models import TotalCorrelationVariationalAutoEncoder, VariationalAutoEncoder

pytest.importorskip("tensorflow_probability")

RNG = np.random.default_rng(0)
SIGMA = 0.7
W = np.array(
    [[1.0, 2.0, 0.5], [-0.5, 0.0, 1.0]]
)  # x = z W + b + SIGMA e; orthogonal rows: a diagonal posterior
B = np.array([0.3, -0.2, 0.1])
PRECISION = 1 + (W**2).sum(axis=1) / SIGMA**2  # of the exact posterior
OTHER = np.array(
    [[0.2, -0.1], [-1.0, -1.2]]
)  # shift of the mean, and log-variance, of a posterior that is not
X = RNG.normal(size=(6, 3)).astype("float32")
LABELS = np.array([0, 2, 1, 1, 0, 2], "int32")
TABLE = RNG.normal(size=(3, 3))  # what a label adds to b
WEIGHTS = np.array([1, 0, 2, 1, 0.5, 1], "float32")


def log_evidence(x, offset=B):
    covariance = W.T @ W + SIGMA**2 * np.eye(3)
    return np.array([multivariate_normal.logpdf(row, cov=covariance) for row in np.asarray(x - offset)])


def linear(kernel, bias, inputs, labels=False):
    """A linear map; with labels, of what the label adds is taken off before it or added after it."""
    kernel, bias = np.asarray(kernel, "float32"), np.asarray(bias, "float32")
    values = keras.Input(inputs)
    dense = keras.layers.Dense(len(bias))
    if not labels:
        outputs, inputs = dense(values), values
    else:
        label = keras.Input((), dtype="int32")
        table = keras.layers.Embedding(3, 3)
        added = table(label)
        encodes = labels == "encoder"
        outputs = dense(values - added) if encodes else dense(values) + added
        inputs = [values, label]
        table.set_weights([TABLE.astype("float32")])
    dense.set_weights([kernel, bias])
    return keras.Model(inputs, outputs)


def gaussian_model(exact=True, length=(), labels=False, **options):
    """The model whose posterior is exact, or wider and at another place."""
    encoder = linear(np.eye(3), -B, (*length, 3), labels and "encoder")
    decoder = linear(W, B, (*length, 2), labels and "decoder")
    options = {"likelihood": "gaussian", "observation_scale": SIGMA, "seed": 0, **options}
    model = VariationalAutoEncoder(encoder, decoder, 2, num_labels=3 if labels else None, **options)
    shift, log_variance = (np.zeros(2), -np.log(PRECISION)) if exact else OTHER
    bottleneck = model.bottleneck
    bottleneck.mean_map.set_weights([W.T / SIGMA**2 / PRECISION, shift])
    bottleneck.log_variance_map.set_weights([np.zeros((3, 2)), 10 * np.arctanh(np.divide(log_variance, 10))])
    return model


def loss_of(model, x, weights=None, training=True):
    return {
        name: float(value)
        for name, value in model.compute_terms(x, None, weights, training=training, player="model").items()
    }


@pytest.fixture
def fixed_noise(monkeypatch):
    """The noise of the samples, the first sample of all examples first."""
    noise = np.random.default_rng(1).normal(size=(3, 6, 2)).astype("float32")

    def normal(shape, dtype=None, seed=None):
        return keras.ops.array(noise.reshape(-1, 2)[: shape[0]])

    monkeypatch.setattr(keras.random, "normal", normal)
    return noise


@pytest.mark.parametrize("num_samples", [2, 5])
@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["plain", "weighted"])
def test_with_the_exact_posterior_the_bound_of_any_samples_is_the_evidence(num_samples, weights):
    model = gaussian_model(num_samples=num_samples)
    expected = -np.average(log_evidence(X), weights=weights)
    assert loss_of(model, X, weights)["loss"] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(model.log_likelihood(X, 3), log_evidence(X), rtol=1e-5)


def test_the_bound_of_one_sample_is_the_evidence_lower_bound_and_it_grows_with_their_number():
    model = gaussian_model(exact=False)
    x = X[:1].repeat(8000, axis=0)
    # log p(x) - KL(q || p(z|x)), in closed form
    mean = (X[0] - B) @ W.T / SIGMA**2 / PRECISION
    variance = np.exp([-1.0, -1.2])
    gap = 0.5 * (PRECISION * (variance + np.square([0.2, -0.1])) - 1 - np.log(PRECISION * variance))
    assert mean.shape == (2,)
    elbo = log_evidence(X[:1])[0] - gap.sum()
    bounds = {k: np.asarray(model.log_likelihood(x, k)) for k in (1, 2, 10)}
    errors = {k: 4.5 * values.std() / np.sqrt(len(x)) for k, values in bounds.items()}
    means = {k: values.mean() for k, values in bounds.items()}
    assert means[1] == pytest.approx(elbo, abs=errors[1])
    assert means[1] + errors[1] < means[2] < means[10] < log_evidence(X[:1])[0] + errors[10]
    objective = {k: -loss_of(gaussian_model(exact=False, num_samples=k), x)["loss"] for k in (1, 2, 10)}
    for k, value in objective.items():
        assert value == pytest.approx(means[k], abs=2 * errors[k])


@pytest.mark.parametrize("beta", [1.0, 0.6])
def test_the_gradient_of_three_samples_is_that_by_hand(beta, fixed_noise):
    """`-mean_i sum_k w_ik grad log w_ik`, with normalised weights."""
    model = gaussian_model(exact=False, num_samples=3, beta=beta)
    variables = [model.decoder.layers[-1].bias, model.bottleneck.mean_map.bias]
    variables += [model.bottleneck.log_variance_map.bias]
    with tf.GradientTape() as tape:
        terms = model.compute_terms(X, None, WEIGHTS, training=True, player="model")
    found = tape.gradient(terms["loss"], [variable.value for variable in variables])
    mean = (X - B) @ W.T / SIGMA**2 / PRECISION + [0.2, -0.1]
    log_variance = np.array([-1.0, -1.2])
    spread = np.exp(log_variance / 2) * fixed_noise
    z = mean + spread
    rest = (X - z @ W - B) / SIGMA**2
    log_prior = -0.5 * (z**2).sum(axis=2) - np.log(2 * np.pi)
    log_posterior = -0.5 * (fixed_noise**2 + log_variance).sum(axis=2) - np.log(2 * np.pi)
    log_likelihood = -0.5 * (rest**2).sum(axis=2) * SIGMA**2 - 1.5 * np.log(2 * np.pi * SIGMA**2)
    log_weights = log_likelihood + beta * (log_prior - log_posterior)
    bound = np.log(np.exp(log_weights).mean(axis=0))
    assert float(terms["loss"]) == pytest.approx(-np.average(bound, weights=WEIGHTS), rel=1e-5)
    share = softmax(log_weights, axis=0)[..., None] * (WEIGHTS / WEIGHTS.sum())[:, None]
    by_z = rest @ W.T - beta * z  # log q(z|x) of z = mean + spread depends on the log-variance alone
    slope = 1 - np.tanh(np.arctanh(log_variance / 10)) ** 2
    by_log_variance = (0.5 * spread * by_z + 0.5 * beta) * slope
    for gradient, expected in zip(found, (rest, by_z, by_log_variance), strict=True):
        np.testing.assert_allclose(gradient, -(share * expected).sum(axis=(0, 1)), rtol=1e-4, atol=1e-6)


def test_the_samples_of_padded_sequences_count_their_real_positions():
    model = gaussian_model(length=(None,), num_samples=4)
    x, lengths = np.random.default_rng(2).normal(size=(3, 5, 3)).astype("float32"), np.array([5, 2, 1])
    expected = [log_evidence(row[:length]).sum() for row, length in zip(x, lengths, strict=True)]
    for garbage in (37.0, np.nan):
        padded = np.where((np.arange(5) < lengths[:, None])[..., None], x, garbage).astype("float32")
        given = {"x": padded, "lengths": lengths.astype("int32")}
        assert loss_of(model, given)["loss"] == pytest.approx(-np.mean(expected), rel=1e-5)
        np.testing.assert_allclose(model.log_likelihood(given, 2), expected, rtol=1e-5)


@pytest.mark.parametrize("num_samples", [1, 3])
def test_a_conditional_model_has_the_evidence_of_the_label(num_samples):
    model = gaussian_model(labels=True, num_samples=num_samples)
    given, offset = {"x": X, "labels": LABELS}, B + TABLE[LABELS]
    expected = log_evidence(X, offset)
    if num_samples == 3:
        assert loss_of(model, given, WEIGHTS)["loss"] == pytest.approx(
            -np.average(expected, weights=WEIGHTS), rel=1e-5
        )
    np.testing.assert_allclose(model.log_likelihood(given, 2), expected, rtol=1e-5)
    z = (X - offset) @ W.T / SIGMA**2 / PRECISION
    np.testing.assert_allclose(model.encode(given), z, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.reconstruct(given), z @ W + offset, rtol=1e-4, atol=1e-5)
    other = (LABELS + 1) % 3  # the same z of another class
    np.testing.assert_allclose(model.decode(z, labels=other), z @ W + B + TABLE[other], rtol=1e-4, atol=1e-5)
    kl = 0.5 * (z**2 + 1 / PRECISION - 1 + np.log(PRECISION)).sum(axis=1)
    rest = X - z @ W - offset
    error = 0.5 * (rest**2).sum(axis=1) / SIGMA**2 + 1.5 * np.log(2 * np.pi * SIGMA**2)
    np.testing.assert_allclose(model.score(given), error + kl, rtol=1e-4)


def test_a_conditional_model_trains_on_labels_and_says_where_they_are_missing():
    model = gaussian_model(labels=True)
    model.compile("adam", run_eagerly=True)
    model.fit({"x": X, "labels": LABELS}, sample_weight=WEIGHTS, verbose=0)
    for call in (model.encode, model.reconstruct, model.score, model.fit):
        with pytest.raises(InputError, match='"labels"'):
            call(X)
    with pytest.raises(InputError, match="labels must be integers, one for each example.*labels=None"):
        model.decode(np.zeros((2, 2), "float32"))
    with pytest.raises(InputError, match="labels must be from 0 to 2"):
        model.encode({"x": X, "labels": LABELS + 1})
    with pytest.raises(InputError, match='unknown "labels"'):
        gaussian_model().encode({"x": X, "labels": LABELS})
    with pytest.raises(InputError, match="labels must be None without num_labels"):
        gaussian_model().decode(np.zeros((2, 2), "float32"), labels=[0, 1])


def test_endpoints_of_a_conditional_model_take_labels_in_their_range():
    model = gaussian_model(labels=True)
    table = model.endpoints()
    assert {"encode", "decode", "score", "sample", "reconstruct"} <= set(table)
    for endpoint in table.values():
        assert endpoint.inputs["labels"].dtype == "int32" and endpoint.value_ranges["labels"] == (0, 2)
    inputs = {"noise": np.zeros((4, 2), "float32"), "labels": np.zeros(4, "int32")}
    drawn = table["sample"].sample(inputs)
    assert set(np.unique(drawn["labels"])) <= {0, 1, 2}
    expected = B + TABLE[drawn["labels"]]
    np.testing.assert_allclose(table["sample"].function(**drawn)["reconstruction"], expected, rtol=1e-5)


@pytest.mark.parametrize("num_samples", [1, 3])
def test_the_discrepancy_is_that_of_one_sample_of_each_example(num_samples, fixed_noise):
    options = {"exact": False, "num_samples": num_samples, "beta": 0.0}
    model, plain = gaussian_model(mmd_weight=30.0, **options), gaussian_model(**options)
    terms, reference = loss_of(model, X, WEIGHTS), loss_of(plain, X, WEIGHTS)
    mean, log_variance = model.bottleneck.parameters(model.encoder(X))
    z = mean + np.exp(0.5 * np.asarray(log_variance)) * fixed_noise[0]
    expected = float(maximum_mean_discrepancy(z, WEIGHTS))
    assert terms["mmd"] == pytest.approx(expected, rel=1e-5) and abs(expected) > 1e-3
    assert terms["loss"] == pytest.approx(reference["loss"] + 30 * expected, rel=1e-5)
    assert "mmd" not in reference


def test_free_bits_replace_the_divergence_of_the_batch(fixed_noise):
    plain, model = (gaussian_model(exact=False, beta=0.5, free_bits=f) for f in (0.0, 2.0))
    terms, reference = loss_of(model, X, WEIGHTS), loss_of(plain, X, WEIGHTS)
    mean = (X - B) @ W.T / SIGMA**2 / PRECISION + [0.2, -0.1]
    kl = 0.5 * (mean**2 + np.exp([-1.0, -1.2]) - 1 - [-1.0, -1.2])
    kl = np.average(kl, axis=0, weights=WEIGHTS)
    assert kl.min() < 2.0
    assert reference["loss"] - reference["reconstruction_loss"] == pytest.approx(0.5 * kl.sum(), rel=1e-4)
    expected = 0.5 * np.maximum(kl, 2.0).sum()
    assert terms["loss"] - terms["reconstruction_loss"] == pytest.approx(expected, rel=1e-4)
    assert float(model.bottleneck.kl_metric.result()) == pytest.approx(kl.sum(), rel=1e-5)


def test_the_likelihood_draws_other_samples_in_each_call_and_none_of_the_training():
    model = gaussian_model(exact=False)
    before = np.array(model.bottleneck.seed_generator.state)
    first, second = (np.asarray(model.log_likelihood(X, 2)) for _ in range(2))
    assert np.abs(first - second).min() > 0
    np.testing.assert_array_equal(model.bottleneck.seed_generator.state, before)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"mmd_weight": -1.0}, "mmd_weight must be at least 0.*mmd_weight=-1.0"),
        ({"num_samples": 0}, "num_samples at least 1.*num_samples=0"),
        ({"free_bits": -0.1}, "free_bits must be at least 0.*free_bits=-0.1"),
        ({"free_bits": 0.1, "num_samples": 2}, "free_bits must be 0 with num_samples > 1"),
        ({"length": (4,), "mmd_weight": 1.0}, r"must have the shape \(batch, features\) with mmd_weight"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        gaussian_model(**options)


def test_networks_that_do_not_fit_the_labels_are_refused():
    plain, given = linear(np.eye(3), B, (3,)), linear(np.eye(3), B, (3,), "encoder")
    decoder = linear(W, B, (2,))
    with pytest.raises(ValueError, match=r"encoder must have the inputs \[tensor, labels\]"):
        VariationalAutoEncoder(plain, decoder, 2, num_labels=3)
    with pytest.raises(ValueError, match="encoder must have one input with num_labels=None"):
        VariationalAutoEncoder(given, decoder, 2)
    with pytest.raises(ValueError, match="at least num_labels=4 rows. Received: 3"):
        VariationalAutoEncoder(given, decoder, 2, num_labels=4)
    with pytest.raises(ValueError, match="num_labels must be at least 1"):
        VariationalAutoEncoder(given, decoder, 2, num_labels=0)


def test_the_weights_of_the_total_correlation_are_added_to_the_objective_of_the_options(fixed_noise):
    given = {"x": X, "labels": LABELS}
    for options in ({"num_samples": 3, "mmd_weight": 30.0}, {"free_bits": 2.0}):
        networks = linear(np.eye(3), B, (3,), "encoder"), linear(W, B, (2,), "decoder")
        options = {"num_labels": 3, "likelihood": "gaussian", "beta": 0.5, **options}
        model = TotalCorrelationVariationalAutoEncoder(*networks, 2, total_correlation_weight=4.0, **options)
        plain = VariationalAutoEncoder(*networks, 2, **options)
        plain.set_weights(model.get_weights())
        terms, reference = loss_of(model, given, WEIGHTS), loss_of(plain, given, WEIGHTS)
        surplus = 0.5 * 3.0 * terms["total_correlation"]
        assert terms["loss"] == pytest.approx(reference["loss"] + surplus, rel=1e-5)
        assert terms.get("mmd") == reference.get("mmd")


@pytest.mark.parametrize("options", [{"num_samples": 3}, {"free_bits": 0.3}], ids=str)
def test_config_comes_back(options):
    model = gaussian_model(labels=True, mmd_weight=2.0, **options)
    copy = VariationalAutoEncoder.from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    assert {**copy.get_config(), **options, "num_labels": 3, "mmd_weight": 2.0} == model.get_config()
