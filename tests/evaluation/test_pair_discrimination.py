"""`L_D*` against its closed forms, and what the discriminator promises beside.

To trace a discriminator takes longer than to train it: most tests share one, and fill up their
inputs and embeddings with constants to its shapes.
"""

import math

import keras
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation import PairDiscriminator, pair_discrimination
from keras_ae.evaluation.pairs._training import _orders

INDEPENDENT = 2 * math.log(2)
QUICK = {"hidden_units": (64, 32), "max_steps": 300, "learning_rate": 5e-3, "batch_size": 512}
FEATURES, CODES = 16, 10


@pytest.fixture(scope="module")
def quick():
    return PairDiscriminator(**QUICK)


def filled(values, features):
    return np.pad(values, [(0, 0), (0, features - values.shape[1])])


def of_label(classes):
    """`T*` is `log K` where the label is the input's, as in one of K mismatched pairs, else -infinity."""
    return math.log(1 + 1 / classes) + math.log(1 + classes) / classes


def independent(number, generator):
    return generator.normal(size=(number, 8)), generator.normal(size=(number, 4))


def labels(classes):
    centres = np.random.default_rng(9).normal(size=(classes, FEATURES)) * 3

    def draw(number, generator):
        label = generator.integers(0, classes, number)
        return centres[label] + 0.3 * generator.normal(size=(number, FEATURES)), np.eye(classes)[label]

    return draw


def gaussian(number, generator):
    x, noise = generator.normal(size=(2, number, 1))
    return x, 0.9 * x + math.sqrt(1 - 0.9**2) * noise


def drawn(draw, number, seed):
    x, z = draw(number, np.random.default_rng(seed))
    return filled(x, FEATURES), filled(z, CODES)


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw, expected, tolerance",
    [
        (independent, INDEPENDENT, 0.02),
        (labels(2), of_label(2), 0.03),
        (labels(10), of_label(10), 0.03),
        (gaussian, 0.957, 0.02),
    ],
    ids=["independent", "2 classes", "10 classes", "gaussian"],
)
def test_held_out_loss_is_the_closed_form(quick, draw, expected, tolerance):
    found = []
    for seed in (0, 1):
        quick.seed = seed
        quick.fit(*drawn(draw, 4000, seed))
        # the standard error of 10,000 pairs is at most 0.008
        found.append(quick.evaluate(*drawn(draw, 10_000, 100 + seed), num_candidates=None)["ld"])
    assert np.mean(found) == pytest.approx(expected, abs=tolerance)


def test_closed_forms_are_those_of_the_optimal_scores():
    assert [round(of_label(classes), 4) for classes in (2, 4, 10, 100)] == [0.9548, 0.6255, 0.3351, 0.0561]
    rho = 0.9
    x, z = (part[:, 0] for part in gaussian(400_000, np.random.default_rng(0)))

    def t(x, z):  # log N(x, z; rho) / N(x) N(z)
        return -0.5 * math.log(1 - rho**2) - (rho**2 * (x**2 + z**2) - 2 * rho * x * z) / (2 * (1 - rho**2))

    loss = np.logaddexp(0, -t(x, z)).mean() + np.logaddexp(0, t(x, np.roll(z, 1))).mean()
    assert loss == pytest.approx(0.957, abs=0.004)  # two standard errors


@pytest.mark.slow
def test_noise_on_the_code_costs_information():
    train, test = (labels(10)(2000, np.random.default_rng(seed)) for seed in (0, 1))
    noise = (0.3, 1.0, 4.0)
    result = pair_discrimination(*train, test=test, seeds=2, code_noise=noise, num_candidates=64, **QUICK)
    losses = [result["ld_star"], *result["noise"].values()]
    assert list(result["noise"]) == ["0.3", "1.0", "4.0"] == list(result["noise_sd"])
    # 0.02 is two standard errors of a difference on the same 2,000 pairs
    assert losses[0] < losses[1] + 0.02 and losses[1] < losses[2] < losses[3] < INDEPENDENT + 0.02
    assert result["info_nce"] <= math.log(64) and result["ld_star_sd"] < 0.02
    sizes = ("n_train", "n_validation", "n_test", "seeds", "info_nce_candidates")
    assert [result[name] for name in sizes] == [1600, 400, 2000, 2, 64]


def test_companions_tell_apart_what_the_loss_hardly_does(quick):
    x = np.random.default_rng(0).normal(size=(1500, 2))
    results = []
    for z in (np.round(x), x):
        x16, z10 = filled(x, FEATURES), filled(z, CODES)
        quick.fit(x16[:1000], z10[:1000])
        results.append(quick.evaluate(x16[1000:], z10[1000:], num_candidates=128))
    coarse, fine = results
    assert coarse["retrieval"] < 0.6 * fine["retrieval"] and coarse["info_nce"] < fine["info_nce"] - 0.3
    assert fine["info_nce"] <= math.log(128) and fine["info_nce_candidates"] == 128


def test_candidates_are_equally_good_for_a_code_without_information(quick):
    quick.seed = 0
    quick.fit(*drawn(independent, 1000, 0))
    results = quick.evaluate(*drawn(independent, 100, 1), num_candidates=512)
    assert results["info_nce_candidates"] == 100
    # the standard error of chance among 100 is 0.01
    assert results["retrieval"] < 0.04 and results["info_nce"] < 0.1 and abs(results["auc"] - 0.5) < 0.1


def test_matrix_holds_the_scores_of_the_pairs(quick):
    x, z = drawn(gaussian, 60, 0)
    quick.fit(x, z)
    matrix, rows = quick.score_matrix(x, z), np.arange(60)
    # float32, in another order
    np.testing.assert_allclose(np.diagonal(matrix), quick.scores(x, z), atol=1e-5)
    np.testing.assert_allclose(matrix[rows, rows - 1], quick.scores(x, np.roll(z, 1, axis=0)), atol=1e-5)


def test_scale_and_shape_of_the_embedding_do_not_matter(quick):
    x, z = drawn(labels(10), 300, 0)
    plain = quick.fit(x, z).evaluate(x, z, num_candidates=None)
    moved = (z * 2.0**10 + 2.0**12).reshape(300, 5, 2)
    again = quick.fit(x, moved).evaluate(x, moved, num_candidates=None)
    assert again["ld"] == pytest.approx(plain["ld"], abs=1e-3)


def test_a_network_of_the_user_is_copied_and_starts_anew():
    x = np.random.default_rng(0).normal(size=(200, 6, 6, 1)).astype("float32")
    layers = [keras.Input((6, 6, 1)), keras.layers.Conv2D(4, 3, strides=3), keras.layers.Dropout(0.1)]
    network = keras.Sequential(layers)
    before = [weight.copy() for weight in network.get_weights()]
    discriminator = PairDiscriminator(network, hidden_units=(16,), max_steps=100, learning_rate=0.02)
    results = [discriminator.fit(x, x[:, 0]).evaluate(x, x[:, 0], num_candidates=16) for _ in range(2)]
    assert results[0] == results[1] and results[0]["ld"] < 1.35
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.slow
def test_score_of_a_frozen_decoder_is_its_error(quick):
    generator = np.random.default_rng(0)
    matrix, z = generator.normal(size=(2, 6)), generator.normal(size=(2000, 2)) * [1.0, 5.0]
    x = z @ matrix + 0.5 * generator.normal(size=(2000, 6))

    def decode(z):
        return keras.ops.matmul(z, keras.ops.cast(matrix, "float32"))

    settings = {**QUICK, "score": "decoder", "decoder": decode}
    discriminator = PairDiscriminator(**settings).fit(x[:1500], z[:1500])
    result = discriminator.evaluate(x[1500:], z[1500:], num_candidates=64)
    assert result["mse"] == pytest.approx(np.square(x[1500:] - z[1500:] @ matrix).mean(), rel=1e-4)
    # this decoder is the true one: no free score is much better
    x16, z10 = filled(x, FEATURES), filled(z, CODES)
    free = quick.fit(x16[:1500], z10[:1500]).evaluate(x16[1500:], z10[1500:], num_candidates=64)
    assert result["ld"] < free["ld"] + 0.05
    # T(x, z) - T(x, z') = (|x - Dec(z')|^2 - |x - Dec(z)|^2) / 2 sigma^2, whatever c(x) is
    scores = discriminator.score_matrix(x[:30], z[:30])
    np.testing.assert_allclose(np.diagonal(scores), discriminator.scores(x[:30], z[:30]), atol=1e-3)
    errors = np.square(x[:30, None] - (z[:30] @ matrix)[None]).sum(axis=-1)
    ratio = (scores - scores[:, :1])[:, 1:] / (errors[:, :1] - errors)[:, 1:]
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-2)  # float32 differences of numbers near 100


@pytest.mark.slow
def test_a_fitted_decoder_reaches_the_residual():
    generator = np.random.default_rng(0)
    z = generator.normal(size=(1500, 2))
    x = z @ generator.normal(size=(2, 5)) + 0.3 * generator.normal(size=(1500, 5))
    result = pair_discrimination(x, z, score="decoder", seeds=1, code_noise=(), num_candidates=64, **QUICK)
    assert 0.08 < result["mse"] < 0.12  # the noise is 0.09
    assert result["ld_star"] < 0.5


def test_batches_are_fresh_orders_of_all_examples():
    batches = _orders(10, 5, seed=0)
    passes = [np.concatenate([next(batches), next(batches)]) for _ in range(3)]
    assert all(sorted(order) == list(range(10)) for order in passes)
    assert any((passes[0] != order).any() for order in passes[1:])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, z, d: d.fit(x, z[:-1]), "x with 20, z with 19"),
        (lambda x, z, d: d.fit(x[:6], z[:6]), "at least 8 examples"),
        (lambda x, z, d: d.fit(x, np.where(z > 0, np.nan, z)), "z must be finite"),
        (lambda x, z, d: d.fit(np.where(x > 0, np.nan, x), z), "x must be finite"),
        (lambda x, z, d: d.fit(x, z).evaluate(x, z[:, :1]), "as in fit"),
        (lambda x, z, d: d.fit(x, z).evaluate(x[:1], z[:1]), "at least 2 examples"),
        (lambda x, z, d: d.fit(x, z).evaluate(x[:, :3], z), "x must have the same layout as in fit"),
        (lambda x, z, d: pair_discrimination(x, z[:5]), "z with 5"),
    ],
)
def test_what_cannot_be_paired_is_said(quick, call, message):
    x, z = drawn(independent, 20, 0)
    with pytest.raises(InputError, match=message):
        call(x, z, quick)


def test_settings_out_of_range_are_said():
    x = np.random.default_rng(0).normal(size=(20, 2))
    wrong = [{"score": "cosine"}, {"decoder": keras.layers.Dense(2)}, {"max_steps": 0}, {"code_noise": -1}]
    for settings in wrong:
        with pytest.raises(ValueError, match="Received"):
            PairDiscriminator(**settings)
    with pytest.raises(ValueError, match="fit"):
        PairDiscriminator().evaluate(x, x)
    with pytest.raises(ValueError, match="three positive shares"):
        pair_discrimination(x, x, split=(0.5, 0.5, 0.5))
    with pytest.raises(InputError, match="must have the shape"):
        PairDiscriminator(score="decoder", decoder=lambda z: z[:, :1]).fit(x, x)
