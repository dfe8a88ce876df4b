import numpy as np
import pytest

from keras_ae.evaluation import dci
from keras_ae.evaluation.disentanglement.dci import _concentration

FACTORS = np.random.default_rng(0).integers((3, 4), size=(240, 2))


def test_concentration_is_the_weighted_entropy_of_the_rows():
    importance = np.array([[0.5, 0.0, 0.1], [0.2, 0.2, 0.2], [0.0, 0.0, 0.0]])
    first = np.array([0.5, 0.1]) / 0.6
    expected = (0.6 * (1 + (first * np.log(first)).sum() / np.log(3)) + 0.6 * 0.0) / 1.2
    assert _concentration(importance) == pytest.approx(expected, rel=1e-12)


def test_a_latent_for_each_factor_scores_one():
    noise = 0.0 * FACTORS[:, :1]
    result = dci(np.concatenate([FACTORS, noise], axis=1), FACTORS, num_trees=5)
    for name in ("disentanglement", "completeness", "informativeness"):
        assert result[name] == pytest.approx(1.0, abs=1e-6), name
    np.testing.assert_allclose(result["importance"], [[1, 0], [0, 1], [0, 0]], atol=1e-6)


def test_a_factor_spread_over_two_latents_is_not_complete_but_disentangled():
    z = np.stack([FACTORS[:, 0] % 2, FACTORS[:, 0] // 2, FACTORS[:, 1]], axis=1)  # 0, 1, 2 in two bits
    result = dci(z, FACTORS, num_trees=5)
    assert result["disentanglement"] > 0.95 and result["completeness"] < 0.85
    assert result["informativeness"] == pytest.approx(1.0)


def test_a_rotation_is_seen_and_a_change_of_units_is_not():
    angle = np.pi / 4
    turned = FACTORS @ [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    result = dci(turned, FACTORS, num_trees=5)
    assert result["disentanglement"] < 0.5
    other = dci(turned * [100.0, 0.01], FACTORS, num_trees=5)
    assert other["disentanglement"] == pytest.approx(result["disentanglement"], abs=0.02)


def test_examples_for_the_test_may_be_given():
    shuffled = np.random.default_rng(1).integers((3, 4), size=(100, 2))
    result = dci(FACTORS, FACTORS, test=(FACTORS[:100], shuffled), num_trees=5)
    assert result["accuracies"] == pytest.approx((FACTORS[:100] == shuffled).mean(axis=0))


def test_the_same_seed_gives_the_same():
    noisy = FACTORS[:120] + np.random.default_rng(2).normal(size=(120, 2))
    assert dci(noisy, FACTORS[:120], num_trees=3, seed=4) == dci(noisy, FACTORS[:120], num_trees=3, seed=4)
