import numpy as np
import pytest

from keras_ae.evaluation import sap

FACTORS = np.random.default_rng(0).integers((2, 2), size=(400, 2))


def test_gap_between_the_best_and_the_second_best_latent():
    z = np.concatenate([FACTORS, np.zeros((400, 1))], axis=1)
    result = sap(z[:300], FACTORS[:300], test=(z[300:], FACTORS[300:]))
    accuracies = np.array(result["accuracies"])
    assert accuracies.shape == (3, 2)
    assert accuracies[0, 0] == accuracies[1, 1] == 1.0
    best_other = np.max(np.delete(accuracies[:, 0], 0))
    assert result["per_factor"][0] == pytest.approx(1.0 - best_other, abs=1e-12)
    assert 0.3 < result["score"] < 0.7  # of two balanced values, chance is a half


def test_units_count_only_without_standardisation():
    z = FACTORS + np.random.default_rng(1).normal(size=FACTORS.shape)
    score = sap(z, FACTORS)["score"]
    assert sap(z * [1e-3, 1e3] + 7.0, FACTORS)["score"] == pytest.approx(score, abs=1e-9)
    assert sap(z * 1e-3, FACTORS, standardize=False)["score"] != pytest.approx(score, abs=1e-3)


def test_a_factor_known_twice_has_no_gap_and_a_single_latent_no_second():
    assert sap(FACTORS[:, [0, 0]], FACTORS[:, :1])["score"] == pytest.approx(0.0, abs=1e-12)
    assert sap(FACTORS[:, :1], FACTORS[:, :1])["score"] == 1.0


def test_nothing_left_to_train_on_is_refused():
    with pytest.raises(ValueError, match="examples to train on"):
        sap(FACTORS, FACTORS, test_fraction=1.0)
