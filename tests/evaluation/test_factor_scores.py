"""The FactorVAE and BetaVAE scores, on a generator whose images are its factors."""

import numpy as np
import pytest

from keras_ae.evaluation import beta_vae_score, factor_vae_score
from keras_ae.evaluation.disentanglement.factor_table import draw_groups, groups, share_factor

SCORES = [factor_vae_score, beta_vae_score]
FEW = {"num_train": 300, "num_test": 150, "group_size": 16}


class Factors:
    sizes = (3, 4, 5)

    def sample_factors(self, n, rng):
        return rng.integers(self.sizes, size=(n, 3))

    def images(self, factors):
        return factors / np.array(self.sizes)


def turned(images):
    """The first two latents each know half of the first two factors."""
    one, other, third = images.T
    return np.stack([one + other, one - other, third], axis=1)


@pytest.mark.parametrize("score", SCORES)
def test_exact_factors_score_one_in_any_order_and_unit(score):
    def represent(images):
        return np.concatenate(
            [images[:, [2, 0, 1]] * [100.0, 0.01, -1.0], np.zeros((len(images), 1))], axis=1
        )

    result = score(represent, Factors(), **FEW)
    assert result["score"] == result["train_score"] == 1.0


@pytest.mark.parametrize("score", SCORES)
def test_what_knows_nothing_scores_no_better_than_chance(score):
    rng = np.random.default_rng(3)
    assert score(lambda images: rng.normal(size=(len(images), 2)), Factors(), **FEW)["score"] < 0.5
    assert score(lambda images: np.zeros((len(images), 2)), Factors(), **FEW)["score"] < 0.5


def test_a_rotation_is_seen_by_the_votes():
    assert factor_vae_score(turned, Factors(), **FEW)["score"] < 0.8


@pytest.mark.parametrize("score", SCORES)
def test_the_same_seed_gives_the_same_score(score):
    assert score(turned, Factors(), seed=5, **FEW) == score(turned, Factors(), seed=5, **FEW)


def test_latents_of_small_deviation_do_not_vote():
    def represent(images):
        return images * [1.0, 1.0, 1e-3]

    few = {**FEW, "standardize": False}
    assert factor_vae_score(represent, Factors(), **few)["active"] == 2
    # its factor then has no latent of its own
    assert factor_vae_score(represent, Factors(), **few)["score"] < 0.9
    assert factor_vae_score(represent, Factors(), **FEW)["active"] == 3
    # where all are small, all that vary vote
    assert factor_vae_score(lambda images: 1e-3 * images, Factors(), **few)["active"] == 3


def test_groups_share_one_factor_and_nothing_else():
    rng = np.random.default_rng(0)
    fixed, factors = draw_groups(Factors(), 40, 16, rng)
    assert set(fixed) == {0, 1, 2}
    share_factor(factors, fixed, factors[:, :1].copy())
    for factor, group in zip(fixed, factors, strict=True):
        assert [len(np.unique(column)) == 1 for column in group.T] == [k == factor for k in range(3)]
    assert groups(300, 64) == [128, 128, 44] and groups(2, 10**6) == [1, 1]


def test_images_are_made_a_part_at_a_time():
    seen = []

    def represent(images):
        seen.append(len(images))
        return images

    factor_vae_score(represent, Factors(), num_train=200, num_test=100, group_size=64, num_variance=10_000)
    assert max(seen) <= 8192
