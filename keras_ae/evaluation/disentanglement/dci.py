"""Disentanglement, completeness and informativeness (DCI) from feature importances of boosted trees."""

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import require
from keras_ae.evaluation.disentanglement.factor_table import training_and_test


def dci(
    z: ArrayLike,
    factors: ArrayLike | dict,
    *,
    test: tuple[ArrayLike, ArrayLike | dict] | None = None,
    num_trees: int = 100,
    test_fraction: float = 1 / 3,
    seed: int = 0,
) -> dict:
    """Compute DCI from predictors of the factors: the latents that they use, and their accuracy.

    ```
    R[i, k]          = importance of latent i in gradient boosted trees that predict factor k
    disentanglement  = sum over i of w_i (1 - H_K(R[i, :] / sum_k R[i, k])),   w_i = sum_k R[i, k] / sum R
    completeness     = sum over k of v_k (1 - H_D(R[:, k] / sum_i R[i, k])),   v_k = sum_i R[i, k] / sum R
    informativeness  = mean over factors of the accuracy on held-out examples
    ```

    `H_K` is the entropy to the base K, the number of factors; `H_D` is the entropy to the base D,
    the number of latents. The trees are scikit-learn's `GradientBoostingClassifier`, one tree per
    value of a factor and boosting round: with factors of many values, it takes about one minute
    per thousand examples.

    Args:
        z: embeddings `(examples, ...)`.
        factors: classes `(examples, factors)`, or `{name: (examples,)}`. Missing values (`None`, NaN) and
            factors with one value are left out. Quantities raise an error: cut them into bins.
        test: `(z, factors)` of the held-out examples; `None`: a random part of the examples is held out.
        num_trees: number of boosting rounds; fewer rounds are faster and lower the informativeness.
        test_fraction: share of the examples that is held out if `test` is `None`.
        seed: seed of the trees and of the split.

    Returns:
        `{"disentanglement", "completeness", "informativeness", "accuracies": [...],
        "importance": [[...], ...], "missing": {factor: examples}, "left_out": {factor: reason}}`. The
        importance is `(latents, factors)`, and each column sums to 1. A factor that is left out has `None`.

    Raises:
        InputError: a factor is a quantity, no factor has two classes, `z` has NaN, or lengths differ.

    Reference:
        Eastwood and Williams, 2018, https://openreview.net/forum?id=By-7dz-AZ; boosted trees as
        in Locatello et al., 2019, https://arxiv.org/abs/1811.12359.
    """
    ensemble = require("sklearn.ensemble", extra="evaluation")
    table, train, held_out = training_and_test(z, factors, test, test_fraction, seed)
    importance, accuracies = {}, {}
    for number in table.kept:
        (x, y), (x_test, y_test) = table.known(number, train), table.known(number, held_out)
        trees = ensemble.GradientBoostingClassifier(n_estimators=num_trees, random_state=seed).fit(x, y)
        importance[number] = trees.feature_importances_
        accuracies[number] = float(np.mean(trees.predict(x_test) == y_test))
    matrix = np.stack(list(importance.values()), axis=1)
    columns = table.of_factors({number: column.tolist() for number, column in importance.items()})
    return {
        "disentanglement": _concentration(matrix),
        "completeness": _concentration(matrix.T),
        "informativeness": float(np.mean(list(accuracies.values()))),
        "accuracies": table.of_factors(accuracies),
        "importance": [[column and column[i] for column in columns] for i in range(len(matrix))],
        **table.notes(),
    }


def _concentration(importance):
    """Return the mean of `1 - entropy` of the rows, weighted by their sums; the base is the row length."""
    total = importance.sum()
    if importance.shape[1] < 2 or total <= 0:
        return 1.0 if total > 0 else 0.0
    rows = importance[importance.sum(axis=1) > 0]
    weights = rows.sum(axis=1)
    shares = rows / weights[:, None]
    logs = np.log(np.where(shares > 0, shares, 1.0))
    entropy = -(shares * logs).sum(axis=1) / np.log(importance.shape[1])
    return float(((1.0 - entropy) * weights).sum() / total)
