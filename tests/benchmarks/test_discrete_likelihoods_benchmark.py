"""The benchmark of discrete likelihoods: exact scores, unbiased gradients of both layers, fixed images."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

UPPER, LOWER, UNITS = 4, 3, 2
MEAN = np.full(UPPER + LOWER, 0.4)
X = np.random.default_rng(0).integers(0, 2, (5, UPPER)).astype("float32")
Y = np.random.default_rng(1).integers(0, 2, (5, LOWER)).astype("float32")


@pytest.fixture
def benchmark(benchmark_module):
    return benchmark_module("discrete_likelihoods")


@pytest.fixture
def network(benchmark_module, monkeypatch):
    """A belief network of 4-2-2-3 bits."""
    models = benchmark_module("parts.discrete_likelihoods_models")
    monkeypatch.setattr(models, "UNITS", UNITS)
    monkeypatch.setattr(models.np, "split", lambda mean, _: (mean[:UPPER], mean[UPPER:]))

    def make(estimator, **options):
        keras.utils.set_random_seed(0)
        return models.StochasticBeliefNetwork("bernoulli", estimator, MEAN, seed=0, **options)

    return make


def log_probability(bits, logits):
    return tf.reduce_sum(bits * logits - tf.nn.softplus(logits), axis=-1)


def enumerated(model):
    """`[(log p(h1, h2 | x), log p(y | h2))]` over all pairs of codes."""
    codes = np.array(list(itertools.product([0, 1], repeat=UNITS)), "float32")
    found = []
    for first, second in itertools.product(codes, codes):
        log_p = log_probability(first, model.maps[0](X)) + log_probability(second, model.maps[1](first[None]))
        found.append((log_p, log_probability(Y, model.head(second[None]))))
    return found


def test_negative_log_likelihood_is_that_of_all_codes(network):
    model = network("straight_through")
    exact = -tf.reduce_logsumexp([log_p + likelihood for log_p, likelihood in enumerated(model)], axis=0)
    np.testing.assert_allclose(tf.function(model.nll)(X, Y, 4000), exact, atol=0.05)


@pytest.mark.parametrize("estimator, options", [("arm", {}), ("score_function", {"num_samples": 3})])
def test_gradients_of_both_layers_are_unbiased(network, estimator, options):
    model, repetitions = network(estimator, **options), 1500
    variables = model.trainable_variables
    with tf.GradientTape() as tape:
        expected = tf.add_n([tf.exp(log_p) * likelihood for log_p, likelihood in enumerated(model)])
        loss = -tf.reduce_mean(expected)
    exact = tape.gradient(loss, variables)

    @tf.function
    def drawn():
        with tf.GradientTape() as tape:
            loss = model.compute_terms(X, Y, None, training=True, player="model")["loss"]
        return tape.gradient(loss, variables)

    samples = [[g.numpy() for g in drawn()] for _ in range(repetitions)]
    for each, right in zip(zip(*samples, strict=True), exact, strict=True):
        each = np.stack(each)
        error = each.std(axis=0) / np.sqrt(repetitions)
        assert (np.abs(each.mean(axis=0) - right) <= 4.5 * error + 1e-6).all()


def test_images_are_drawn_once_from_their_intensities(benchmark, tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (5003, 28, 28)).astype("uint8")
    np.savez(tmp_path / "images.npz", x_train=grey, x_test=grey[:4])
    train, held_out, test = benchmark.load(tmp_path / "images.npz")
    assert (len(train), len(held_out), len(test)) == (3, 5000, 4)
    assert set(np.unique(held_out)) == {0.0, 1.0}
    # drawn, not thresholded: five standard errors of 784 draws at each intensity
    dim = grey[3:].reshape(-1, 784) == 64
    assert held_out[dim].mean() == pytest.approx(64 / 255, abs=5 * 0.5 / np.sqrt(dim.sum()))
    again = benchmark.load(tmp_path / "images.npz")
    for one, other in zip((train, held_out, test), again, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_cell_is_trained_scored_and_recorded_once(benchmark, benchmark_module, tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    data = tuple((rng.random((count, 784)) < 0.2).astype("float32") for count in (5300, 100, 60))
    name = "table1.vae.categorical.gumbel"
    cell = benchmark.cells()[name]
    cell = (*cell[:3], {**cell[3], "epochs": 1})
    scores = benchmark.measure(name, cell, 0, data, tmp_path)
    assert 300 < scores["elbo"] < 450  # the entropy of the pixels is 392
    monkeypatch.setattr(benchmark, "train", None)
    assert benchmark.measure(name, cell, 0, data, tmp_path) == scores
    records = benchmark.records_of(name, cell, [scores, scores], "python x.py")
    benchmark_module("parts.records").write_records(tmp_path / "parts.records.json", records)
    assert json.loads((tmp_path / "parts.records.json").read_text())[name]["n"] == 2
