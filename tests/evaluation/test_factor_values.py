"""Missing values, quantities, constant factors and few rows: one rule for every measure of factors."""

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation import dci, knn, leakage, mig, modularity, probe, sap
from keras_ae.evaluation._factor_values import as_factor, classes_of, is_known, known_values

RNG = np.random.default_rng(0)
FACTORS = np.indices((3, 4)).reshape(2, -1).T.repeat(20, axis=0)
Z = FACTORS + 0.05 * RNG.normal(size=FACTORS.shape)
SOME = RNG.random(len(Z)) < 0.25  # whose second factor is not known
SCORES = {
    "mig": mig,
    "modularity": modularity,
    "sap": sap,
    "dci": lambda *args, **options: dci(*args, num_trees=3, **options),
}


def with_nan(factors):
    return np.where(np.stack([np.zeros_like(SOME), SOME], axis=1), np.nan, factors)


def with_none(factors):
    names = np.array(["a", "b", "c", "d"], object)[factors]
    names[SOME, 1] = None
    return names


@pytest.mark.parametrize("score", ["mig", "modularity"])
@pytest.mark.parametrize("missing", [with_nan, with_none])
def test_a_missing_value_is_no_class_and_is_counted(score, missing):
    found = SCORES[score](Z, missing(FACTORS))
    assert found["missing"] == {"factor 2": int(SOME.sum())} and found["left_out"] == {}
    if score == "mig":  # of each factor that of its known rows
        rows = ~SOME
        expected = [mig(Z, FACTORS[:, 0])["score"], mig(Z[rows], FACTORS[rows, 1], bins=20)["score"]]
        assert found["per_factor"] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("score", ["sap", "dci"])
def test_predictors_of_a_factor_are_fitted_on_known_rows(score):
    found = SCORES[score](Z, with_none(FACTORS))
    assert found["missing"] == {"factor 2": int(SOME.sum())}
    assert np.shape(found["accuracies"])[-1] == 2
    assert np.min(np.max(np.reshape(found["accuracies"], (-1, 2)), axis=0)) > 0.5


@pytest.mark.parametrize("score", SCORES)
def test_a_quantity_is_refused_with_what_to_do(score):
    with pytest.raises(InputError, match="factor 2 must be .*quantity.*np.digitize"):
        SCORES[score](Z, np.stack([FACTORS[:, 0], RNG.normal(size=len(Z))], axis=1))
    with pytest.raises(InputError, match="size must be a factor with classes that repeat.*np.digitize"):
        SCORES[score](Z, {"shape": FACTORS[:, 0], "size": RNG.permutation(len(Z))})


def test_floats_that_are_whole_numbers_are_classes():
    assert mig(Z, FACTORS.astype("float64")) == mig(Z, FACTORS)


@pytest.mark.parametrize("score", SCORES)
def test_a_constant_factor_and_one_of_few_rows_are_left_out_with_a_reason(score):
    rare = np.full(len(Z), np.nan)
    rare[:3] = [0, 1, 0]
    names = {"row": FACTORS[:, 0], "one": np.full(len(Z), "x"), "rare": rare, "column": FACTORS[:, 1]}
    found = SCORES[score](Z, names)
    assert found["left_out"] == {
        "one": "it has one value only (x).",
        "rare": "it has 3 known values; 4 are needed.",
    }
    if "per_factor" in found:
        assert [value is None for value in found["per_factor"]] == [False, True, True, False]
    if score == "dci":
        assert found["importance"][0][1:3] == [None, None]


@pytest.mark.parametrize("score", ["sap", "dci"])
def test_a_factor_with_one_class_in_training_is_left_out(score):
    one = (np.arange(len(Z)) >= 200).astype(int)  # 1 in the test only
    factors = np.stack([FACTORS[:, 0], one], axis=1)
    order = np.r_[:200:2]
    found = SCORES[score](Z[order], factors[order], test=(Z[1::2], factors[1::2]))
    assert "1 classes in 100 training examples" in found["left_out"]["factor 2"]


@pytest.mark.parametrize("measure", [probe, knn])
@pytest.mark.parametrize("names", [["a", "b"], [0, 1]])
def test_none_is_no_class_of_a_probe(measure, names):
    y = np.array(names, object)[(FACTORS[:, 0] > 0).astype(int)]
    y[SOME] = None
    found = measure(Z, y)
    assert found["missing"] == SOME.sum()
    assert found == {**measure(Z[~SOME], np.array(y[~SOME].tolist())), "missing": SOME.sum()}
    held_out = measure(Z[::2], y[::2], test=(Z[1::2], y[1::2]))
    assert held_out["n_test"] == (~SOME[1::2]).sum()


def test_nan_of_a_quantity_is_left_out_and_so_are_its_groups():
    y = np.where(SOME, np.nan, Z[:, 0])
    groups = np.arange(len(Z)) % 7
    assert probe(Z, y, groups=groups)["n_test"] == (~SOME).sum()
    assert leakage(Z, {"size": y})["size"]["missing"] == SOME.sum()


def test_values_keep_their_kind():
    class NAType:
        pass

    assert as_factor([1, 2, None]).tolist() == [1, 2, None]
    assert known_values(as_factor([1, 2, None])).dtype.kind == "i"
    assert as_factor(np.array([True, NAType()], object)).tolist() == [True, None]
    assert is_known(as_factor(np.ma.MaskedArray([1, 2, 3], [0, 1, 0]))).tolist() == [True, False, True]
    assert classes_of(as_factor(["10", "9", None, "9"])).tolist() == [0, 1, -1, 1]
    assert known_values(as_factor([0.5, None])).tolist() == [0.5]
