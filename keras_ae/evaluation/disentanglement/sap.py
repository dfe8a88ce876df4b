"""Separated attribute predictability (SAP)."""

import warnings

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import require
from keras_ae.evaluation.disentanglement.factor_table import standardizer, training_and_test


def sap(
    z: ArrayLike,
    factors: ArrayLike | dict,
    *,
    test: tuple[ArrayLike, ArrayLike | dict] | None = None,
    standardize: bool = True,
    cost: float = 0.01,
    test_fraction: float = 1 / 3,
    seed: int = 0,
) -> dict:
    """Compute SAP: the gap between the best and the second best single latent that predict a factor.

    ```
    S[i, k] = accuracy on held-out examples of a linear support vector machine from z_i to f_k
    SAP     = mean over factors k of  max_i S[i, k] - second largest over i of S[i, k]
    ```

    A linear classifier of one latent cannot separate many ordered values: the exact factors of
    `Sprites` reach only 0.25.

    Args:
        z: embeddings `(examples, ...)`.
        factors: classes `(examples, factors)`, or `{name: (examples,)}`. Missing values (`None`, NaN) and
            factors with one value are left out. Quantities raise an error: cut them into bins.
        test: `(z, factors)` of the held-out examples; `None`: a random part of the examples is held out.
        standardize: whether to scale the latents to mean 0 and standard deviation 1 first. If
            false, the score depends on their units, as it does in disentanglement_lib.
        cost: `C` of scikit-learn's `LinearSVC`, with balanced class weights.
        test_fraction: share of the examples that is held out if `test` is `None`.
        seed: seed of the split and of the solver.

    Returns:
        `{"score", "per_factor": [...], "accuracies": [[...], ...], "missing": {factor: examples},
        "left_out": {factor: reason}}`. The accuracies are `(latents, factors)`. A factor that is left out has
        `None`.

    Raises:
        InputError: a factor is a quantity, no factor has two classes, `z` has NaN, or lengths differ.

    Reference:
        Kumar et al., 2018, https://arxiv.org/abs/1711.00848; settings as in Locatello et al.,
        2019, https://arxiv.org/abs/1811.12359.
    """
    table, train, held_out = training_and_test(z, factors, test, test_fraction, seed)
    scaled = standardizer(table.z[train]) if standardize else lambda z: z
    accuracies, gaps = {}, {}
    for number in table.kept:
        (x, y), (x_test, y_test) = table.known(number, train), table.known(number, held_out)
        x, x_test = scaled(x), scaled(x_test)
        own = [_accuracy(x[:, [i]], y, x_test[:, [i]], y_test, cost, seed) for i in range(x.shape[1])]
        order = np.sort(own)
        accuracies[number] = own
        gaps[number] = float(order[-1] - (order[-2] if len(order) > 1 else 0.0))
    columns = table.of_factors(accuracies)
    latents = range(table.z.shape[1])
    return {
        "score": float(np.mean(list(gaps.values()))),
        "per_factor": table.of_factors(gaps),
        "accuracies": [[column and column[i] for column in columns] for i in latents],
        **table.notes(),
    }


def _accuracy(z, factor, z_test, factor_test, cost, seed):
    machine = require("sklearn.svm", extra="evaluation").LinearSVC(
        C=cost, class_weight="balanced", random_state=seed
    )
    with warnings.catch_warnings():
        # the solver may never converge for a latent without information about the factor: use its last state
        warnings.filterwarnings("ignore", message="Liblinear failed to converge")
        machine.fit(z, factor)
    return float(np.mean(machine.predict(z_test) == factor_test))
