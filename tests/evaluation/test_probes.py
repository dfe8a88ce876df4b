"""Probes against independent derivations: what is there is found, what is not is not."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from keras_ae import InputError
from keras_ae.evaluation import leakage, probe
from keras_ae.evaluation._checks import r2, r2_interval, wilson_interval
from keras_ae.evaluation.probes.held_out import permuted, splits_of
from keras_ae.evaluation.probes.probe import predictions

N = 240
RNG = np.random.default_rng(0)
Y = np.arange(N) % 3
Z = np.eye(3)[Y] @ RNG.normal(size=(3, 5)) * 3 + RNG.normal(size=(N, 5))
NOISE = RNG.normal(size=(N, 5))


def test_interval_is_wilsons():
    # the roots of (p - share)^2 = z^2 p (1 - p) / n, which define it
    for successes, n in ((0, 10), (7, 10), (285, 300), (300, 300)):
        share, z2 = successes / n, 1.959964**2
        roots = np.roots([1 + z2 / n, -(2 * share + z2 / n), share**2])
        np.testing.assert_allclose(wilson_interval(successes, n), sorted(roots.real), atol=1e-6)


def test_r2_and_its_bootstrap():
    truth = RNG.normal(size=500)
    predicted = truth + 0.5 * RNG.normal(size=500)
    assert r2(truth, predicted) == pytest.approx(r2_score(truth, predicted))
    low, high = r2_interval(truth, predicted)
    # 1 - 0.25 within four standard errors, which are about 0.015
    assert low < r2(truth, predicted) < high and 0.02 < high - low < 0.12


def test_linear_probe_is_standardised_logistic_regression_on_held_out_examples():
    train, test = np.arange(180), np.arange(180, N)
    result = probe(Z[train], Y[train], test=(Z[test], Y[test]))
    scale = StandardScaler().fit(Z[train])
    model = LogisticRegression(max_iter=2000).fit(scale.transform(Z[train]), Y[train])
    assert result["linear"] == model.score(scale.transform(Z[test]), Y[test])
    assert result["interval"] == wilson_interval(round(result["linear"] * 60), 60)
    assert (result["n_train"], result["n_test"], result["classes"]) == (180, 60, 3)
    assert result["chance"] == pytest.approx(1 / 3)
    assert result["majority"] == pytest.approx(1 / 3)
    assert result["linear"] > 0.8 and result["mlp"] > 0.8 and result["selectivity"] > 0.3
    assert all(type(value) in (int, float, str, list) for value in result.values())


def test_a_perceptron_reads_what_a_line_cannot():
    corners = RNG.integers(0, 2, (N, 2))
    z = corners * 2.0 - 1 + 0.1 * RNG.normal(size=(N, 2))
    result = probe(z, corners[:, 0] ^ corners[:, 1])
    assert result["mlp"] > 0.95 > 0.75 > result["linear"]


def test_fits_that_do_not_converge_are_in_the_result_and_not_warned_about(monkeypatch):
    z, y = np.random.default_rng(1).normal(size=(120, 5)), np.arange(120) % 3
    # without early stopping, 200 epochs are too few for the perceptron
    assert probe(z, y)["unconverged"] == ["mlp"]
    monkeypatch.setattr("keras_ae.evaluation.probes.probe.MAX_STEPS", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert probe(z, y)["unconverged"] == ["linear", "linear_permuted", "mlp"]


def test_other_warnings_of_a_fit_are_shown():
    class WithWarning(LinearRegression):
        def fit(self, x, y):
            warnings.warn("of the fit", RuntimeWarning, stacklevel=2)
            return super().fit(x, y)

    x = np.random.default_rng(1).normal(size=(20, 2))
    with pytest.warns(RuntimeWarning, match="of the fit"):
        found, converged = predictions(WithWarning(), x[:15], x[:15, 0], x[15:], regression=True)
    np.testing.assert_allclose(found, x[15:, 0])
    assert converged


def test_noise_holds_nothing():
    result = probe(NOISE, Y)
    # 60 held-out examples at 1/3: standard error 0.06, of a difference 0.09
    assert abs(result["linear"] - 1 / 3) < 0.25 and abs(result["selectivity"]) < 0.3
    assert result["interval"][0] < 1 / 3 < result["interval"][1]


def test_classes_keep_their_shares_and_the_seed_decides():
    y = np.repeat(["rare", "usual"], [40, 200])
    first = probe(Z, y, seed=1)
    assert first["majority"] == pytest.approx(50 / 60)
    assert first == probe(Z, y, seed=1)


def test_quantities_are_regressed():
    z = RNG.normal(size=(N, 4))
    y = z @ [1.0, -2.0, 0.5, 0.0] + 0.1 * RNG.normal(size=N)
    result = probe(z, y * 1e3 + 5e4)
    assert result["kind"] == "regression" and result["classes"] is None
    assert result["linear"] > 0.98 and result["mlp"] > 0.7
    assert abs(result["majority"]) < 0.2 and result["linear_permuted"] < 0.2
    assert result["interval"][0] < result["linear"] < result["interval"][1]


def test_no_group_is_on_both_sides_and_every_one_is_held_out():
    groups = np.repeat(np.arange(8), 30)
    splits = splits_of(Y, groups=groups, folds=4)
    assert all(not set(groups[train]) & set(groups[test]) for train, test in splits)
    np.testing.assert_array_equal(np.sort(np.concatenate([test for _, test in splits])), np.arange(N))
    result = probe(Z, Y, groups=groups, folds=4)
    assert (result["folds"], result["n_test"], result["n_train"]) == (4, N, 180)


def test_what_only_a_group_gives_away_is_not_read_across_groups():
    groups = np.repeat(np.arange(12), 20)
    y = groups % 2
    z = RNG.normal(size=(12, 30))[groups] + 0.1 * RNG.normal(size=(N, 30))  # an own place for every group
    assert probe(z, y)["linear"] == 1.0
    result = probe(z, y, groups=groups, folds=3)
    assert result["linear"] < 0.95


def test_permuted_labels_keep_their_counts_and_their_groups():
    groups = np.repeat(np.arange(8), 30)
    y = groups % 3
    ((train, test),) = splits_of(y, seed=3)
    (shuffled,) = permuted(y, [(train, test)], groups, seed=0)
    assert all(len(set(shuffled[train][groups[train] == g])) == 1 for g in range(8))
    (shuffled,) = permuted(y, [(train, test)], None, seed=0)
    np.testing.assert_array_equal(np.bincount(shuffled[test]), np.bincount(y[test]))
    assert (shuffled != y).any()


def test_integer_codes_are_read_one_hot_on_request():
    codes = RNG.integers(0, 16, (800, 2))
    y = np.array([3, 1, 2, 0, 2, 3, 1, 0, 1, 3, 0, 2, 1, 0, 2, 3])[codes[:, 0]]  # no line orders these
    assert probe(codes, y, one_hot=True)["linear"] == 1.0
    assert probe(codes, y)["linear"] < 0.6
    unseen = codes[:50] + 100
    assert 0 <= probe(codes, y, one_hot=True, test=(unseen, y[:50]))["linear"] <= 1


def test_a_leak_is_found_and_an_absent_one_is_not():
    result = leakage(Z, {"speaker": Y, "coin": RNG.permutation(np.arange(N) % 2)})
    assert result["speaker"]["leaks"] and result["speaker"]["verdict"] == "leaks"
    speaker = result["speaker"]
    assert speaker["share"] == pytest.approx(speaker["excess"] / (1 - speaker["baseline"]))
    assert not result["coin"]["leaks"] and result["coin"]["verdict"] == "not found"


def test_a_class_that_is_more_frequent_in_the_test_is_no_leak():
    z, y = RNG.normal(size=(200, 3)), np.repeat([0, 1], [110, 90])
    constant = np.ones((80, 3)) * 100  # every probe says one thing of these
    for test_y in (np.repeat([0, 1], [8, 72]), np.repeat([1, 0], [8, 72])):
        result = leakage(z, {"it": y}, test=(constant, {"it": test_y}))["it"]
        assert result["baseline"] == 0.9 and not result["leaks"]


def test_a_leak_that_only_the_perceptron_reads_counts():
    corners = RNG.integers(0, 2, (N, 2))
    z = corners * 2.0 - 1 + 0.1 * RNG.normal(size=(N, 2))
    assert leakage(z, {"xor": corners[:, 0] ^ corners[:, 1]})["xor"]["leaks"]


@pytest.mark.parametrize(
    "z, y, options, message",
    [
        (Z, Y[:-1], {}, "z with 240, y with 239"),
        (Z, np.zeros(N, int), {}, "at least 2 classes"),
        (Z, np.zeros(N), {}, "at least 2 values"),
        (np.where(np.arange(N)[:, None] == 7, np.nan, Z), Y, {}, "the first is row 7"),
        (Z, np.where(Y == 0, np.inf, 1.0), {}, "y must be finite"),
        (Z, np.full(N, np.nan), {}, "at least one known value"),
        (Z[:6], Y[:6], {}, "at least 4 examples"),
        (Z, np.stack([Y, Y], 1), {}, "one number or label per example"),
        (Z.astype(str), Y, {}, "array of numbers"),
        (Z, Y, {"groups": np.zeros(N)}, "at least 2 groups"),
        (Z, Y, {"groups": np.zeros(5)}, "groups with 5"),
        (Z, Y, {"groups": Y, "test": (Z, Y)}, "Received: both"),
        (Z, Y, {"test": (Z[:, :2], Y)}, "5 and 2 features"),
        (Z, Y, {"one_hot": True}, "integer codes"),
    ],
)
def test_what_cannot_be_probed_is_said(z, y, options, message):
    with pytest.raises(InputError, match=message):
        probe(z, y, **options)


def test_nuisances_come_by_name():
    with pytest.raises(InputError, match="dict"):
        leakage(Z, [Y])
    with pytest.raises(InputError, match="an empty dict"):
        leakage(Z, {})
    with pytest.raises(InputError, match="speaker"):
        leakage(Z, {"speaker": Y}, test=(Z, {"digit": Y}))
