"""The FactorVAE score."""

from typing import Any

import numpy as np

from keras_ae.evaluation.disentanglement.factor_table import (
    draw_groups,
    embeddings_of_factors,
    groups,
    share_factor,
    standardizer,
    varying_factors,
)


def factor_vae_score(
    represent: Any,
    data: Any,
    *,
    num_train: int = 10_000,
    num_test: int = 5_000,
    group_size: int = 64,
    num_variance: int = 10_000,
    least_deviation: float = 0.05,
    standardize: bool = True,
    seed: int = 0,
) -> dict:
    """Compute the FactorVAE score: the accuracy of predicting a fixed factor by the latent that varies least.

    ```
    group: images that share the value of one factor f
    vote : (argmin over latents i of  Var_group(z_i) / Var(z_i),  f)
    ```

    A table counts `num_train` votes. Each latent is then assigned to its most frequent factor,
    and the score is the share of `num_test` new votes that agree. The score is lenient: the exact
    factors after a random rotation, where no single latent represents a factor, still score 0.77.

    Args:
        represent: function from images to embeddings, such as `model.embed`.
        data: a generator of images such as `Sprites`, with `sizes`, `sample_factors(n, rng)` and
            `images(factors)`.
        num_train, num_test: numbers of votes to assign the latents by and to score.
        group_size: number of images per vote.
        num_variance: number of images on which `Var(z_i)` is measured.
        least_deviation: latents with a smaller standard deviation do not vote. If the standard
            deviation of every latent is smaller, only constant latents do not vote.
        standardize: whether to scale the latents to standard deviation 1 before `least_deviation`
            is applied. If false, the rule is that of disentanglement_lib, which is intended for the
            codes of a variational auto-encoder.
        seed: seed of all draws.

    Returns:
        `{"score", "train_score", "active": number of latents that vote, "left_out"}`. The scores are 0 if no
        latent votes. `left_out` has the factors with one value, which are never the shared factor.

    Raises:
        InputError: fewer than two factors vary, or the embedding is not finite.

    Reference:
        Kim and Mnih, 2018, https://arxiv.org/abs/1802.05983; settings as in Locatello et al.,
        2019, https://arxiv.org/abs/1811.12359.
    """
    rng, left_out = np.random.default_rng(seed), varying_factors(data)[1]
    sample = embeddings_of_factors(represent, data, data.sample_factors(num_variance, rng))
    scaled = standardizer(sample) if standardize else lambda z: z
    variance = scaled(sample).var(axis=0, ddof=1)
    active = variance >= least_deviation**2
    active = active if active.any() else variance > 0
    if not active.any():
        return {"score": 0.0, "train_score": 0.0, "active": 0, "left_out": left_out}

    def vote(count):
        table = np.zeros((len(variance), len(data.sizes)))
        for part in groups(count, group_size):
            fixed, factors = draw_groups(data, part, group_size, rng)
            share_factor(factors, fixed, factors[:, :1].copy())
            z = scaled(embeddings_of_factors(represent, data, factors.reshape(-1, factors.shape[-1])))
            ratio = z.reshape(part, group_size, -1).var(axis=1, ddof=1)[:, active] / variance[active]
            np.add.at(table, (np.flatnonzero(active)[ratio.argmin(axis=1)], fixed), 1)
        return table

    train, test = vote(num_train), vote(num_test)
    latents, choice = np.arange(len(variance)), train.argmax(axis=1)
    return {
        "score": float(test[latents, choice].sum() / test.sum()),
        "train_score": float(train[latents, choice].sum() / train.sum()),
        "active": int(active.sum()),
        "left_out": left_out,
    }
