"""The BetaVAE score."""

from typing import Any

import numpy as np

from keras_ae.errors import require
from keras_ae.evaluation.disentanglement.factor_table import (
    draw_groups,
    embeddings_of_factors,
    groups,
    share_factor,
    varying_factors,
)


def beta_vae_score(
    represent: Any,
    data: Any,
    *,
    num_train: int = 10_000,
    num_test: int = 5_000,
    group_size: int = 64,
    standardize: bool = True,
    seed: int = 0,
) -> dict:
    """Compute the BetaVAE score: the accuracy of a linear classifier of the factor that image pairs share.

    ```
    d = mean over group_size pairs of |z - z'|,   the two images of a pair share the factor f
    score = accuracy of a logistic regression from d to f
    ```

    The score is lenient: the exact factors after a random rotation, where no single latent
    represents a factor, still score 0.91.

    Args:
        represent: function from images to embeddings, such as `model.embed`.
        data: a generator of images such as `Sprites`, with `sizes`, `sample_factors(n, rng)` and
            `images(factors)`.
        num_train, num_test: numbers of differences `d` to fit the classifier on and to score it on.
        group_size: number of pairs that are averaged in one difference.
        standardize: whether to divide the differences by their standard deviation before the
            regression. Otherwise its penalty depends on the units of the latents, as it does in
            disentanglement_lib.
        seed: seed of all draws.

    Returns:
        `{"score", "train_score", "left_out"}`. `left_out` lists the factors with one value, which are never
        the shared factor.

    Raises:
        InputError: fewer than two factors vary, or the embedding is not finite.

    Reference:
        Higgins et al., 2017, https://openreview.net/forum?id=Sy2fzU9gl; settings as in
        Locatello et al., 2019, https://arxiv.org/abs/1811.12359.
    """
    linear = require("sklearn.linear_model", extra="evaluation")
    rng = np.random.default_rng(seed)

    def differences(count):
        parts = [
            _differences(represent, data, part, group_size, rng) for part in groups(count, 2 * group_size)
        ]
        x, y = zip(*parts, strict=True)
        return np.concatenate(x), np.concatenate(y)

    (x, y), (x_test, y_test) = differences(num_train), differences(num_test)
    if standardize:
        deviation = x.std(axis=0)
        deviation = np.where(deviation > 0, deviation, 1.0)
        x, x_test = x / deviation, x_test / deviation
    classifier = linear.LogisticRegression(max_iter=2000).fit(x, y)
    scores = {"score": float(classifier.score(x_test, y_test)), "train_score": float(classifier.score(x, y))}
    return {**scores, "left_out": varying_factors(data)[1]}


def _differences(represent, data, num_groups, group_size, rng):
    """Return `(d (groups, latents), index of the shared factor (groups,))`."""
    fixed, one = draw_groups(data, num_groups, group_size, rng)
    other = data.sample_factors(num_groups * group_size, rng).reshape(one.shape)
    share_factor(other, fixed, one)
    z = embeddings_of_factors(represent, data, np.concatenate([one, other]).reshape(-1, one.shape[-1]))
    z = z.reshape(2, num_groups, group_size, -1)
    return np.abs(z[0] - z[1]).mean(axis=1), fixed
