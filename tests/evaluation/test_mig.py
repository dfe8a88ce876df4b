import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.evaluation import mig, modularity
from keras_ae.evaluation.disentanglement.mig import information_matrix

GRID = np.indices((4, 5, 3)).reshape(3, -1).T


def rotated(factors, seed=0):
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(factors.shape[1],) * 2))[0]
    return (factors / factors.max(axis=0) - 0.5) @ rotation


def test_information_of_two_binary_variables_by_hand():
    # p(0,0) = 4/10, p(0,1) = 1/10, p(1,0) = 2/10, p(1,1) = 3/10
    z = np.array([0] * 5 + [1] * 5)[:, None]
    factor = np.array([0, 0, 0, 0, 1, 0, 0, 1, 1, 1])
    terms = [(0.4, 0.5, 0.6), (0.1, 0.5, 0.4), (0.2, 0.5, 0.6), (0.3, 0.5, 0.4)]
    expected = sum(joint * np.log(joint / (one * other)) for joint, one, other in terms)
    _, information, entropy = information_matrix(z, factor, bins=2)
    assert information[0, 0] == pytest.approx(expected, rel=1e-12)
    assert entropy[0] == pytest.approx(-0.6 * np.log(0.6) - 0.4 * np.log(0.4), rel=1e-12)


def test_intervals_are_of_equal_width_and_the_last_one_is_closed():
    z = np.array([0.0, 0.24, 0.25, 0.5, 0.75, 1.0])[:, None]
    factor = np.array([0, 0, 1, 2, 3, 3])  # what four intervals of [0, 1] say
    _, information, entropy = information_matrix(z, factor, bins=4)
    assert information[0, 0] == pytest.approx(entropy[0], rel=1e-12)


def test_a_latent_for_each_factor_scores_one_in_any_order_and_unit():
    z = GRID[:, [2, 0, 1]] * [5.0, -0.1, 100.0] + 3.0
    result = mig(z, GRID)
    assert result["score"] == pytest.approx(1.0, abs=1e-9)
    assert result["latents"] == [1, 2, 0] and len(result["per_factor"]) == 3
    assert modularity(z, GRID)["score"] == pytest.approx(1.0, abs=1e-9)


def test_a_latent_that_knows_nothing_changes_nothing():
    z = np.concatenate([GRID, np.zeros((len(GRID), 2))], axis=1)
    assert mig(z, GRID)["score"] == pytest.approx(1.0, abs=1e-9)
    assert modularity(z, GRID)["per_latent"] == pytest.approx([1, 1, 1, 0, 0], abs=1e-9)


def test_a_factor_known_twice_has_no_gap():
    result = mig(np.concatenate([GRID, GRID[:, :1]], axis=1), GRID)
    assert result["per_factor"] == pytest.approx([0, 1, 1], abs=1e-9)


def test_a_rotation_is_seen():
    factors = np.random.default_rng(0).integers((4, 5, 3), size=(3000, 3))
    assert mig(rotated(factors), factors)["score"] < 0.35
    assert modularity(rotated(factors), factors)["score"] < 0.9


def test_modularity_of_a_latent_that_mixes_two_factors():
    z = (GRID[:, 0] + 10 * GRID[:, 1])[:, None]  # knows both of the first two
    information = np.log([4, 5])
    expected = 1 - (information[0] / information[1]) ** 2 / 2
    assert modularity(z, GRID, bins=1000)["score"] == pytest.approx(expected, rel=1e-6)


def test_a_single_latent_has_no_second():
    assert mig(GRID[:, :1], GRID)["per_factor"] == pytest.approx([1, 0, 0], abs=1e-9)


def test_classes_may_be_of_any_kind_and_codes_of_any_shape():
    names = np.array(["a", "b", "c", "d"])[GRID[:, :1]]
    assert mig(GRID.reshape(-1, 3, 1), names)["score"] == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(
    "z, factors",
    [(GRID[:5], GRID), (GRID * np.nan, GRID), (GRID, GRID[:, 0] * 0), (GRID[:0], GRID[:0])],
    ids=["lengths", "nan", "constant factor alone", "empty"],
)
def test_what_cannot_be_scored_is_refused(z, factors):
    with pytest.raises(InputError, match="must.*Received"):
        mig(z, factors)


def test_modularity_needs_two_factors():
    with pytest.raises(ValueError, match="at least two factors"):
        modularity(GRID, GRID[:, 0])
