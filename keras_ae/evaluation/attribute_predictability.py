"""Separated attribute predictability."""

import warnings

import numpy as np

from keras_ae.evaluation.factor_table import standardizer, training_and_test
from keras_ae.optional import require


def sap(
    z,
    factors,
    *,
    test=None,
    standardize: bool = True,
    cost: float = 0.01,
    test_fraction: float = 1 / 3,
    seed: int = 0,
) -> dict:
    """SAP: how much better does the best single latent predict a factor than the second best?

    ```
    S[i, k] = accuracy on held-out examples of a linear support vector machine from z_i to f_k
    SAP     = mean over factors k of  max_i S[i, k] - second largest over i of S[i, k]
    ```

    A line cut into two cannot order many values: exact factors themselves reach 0.25 on
    sprites.

    Args:
        z: embeddings `(examples, ...)`.
        factors: classes `(examples, factors)`.
        test: `(z, factors)` of the held-out examples; `None`: some of these are drawn.
        standardize: bring the latents to mean 0 and standard deviation 1 first, without
            which the score depends on their units, as it does in disentanglement_lib.
        cost: `C` of scikit-learn's `LinearSVC`, with balanced classes.
        test_fraction: share of the examples drawn for test.
        seed: of the draw and of the solver.

    Returns:
        `{"score", "per_factor": [...], "accuracies": [[...], ...]}`, the last `(latents, factors)`.

    Reference:
        Kumar et al., 2018, https://arxiv.org/abs/1711.00848; settings as in Locatello et al.,
        2019, https://arxiv.org/abs/1811.12359.
    """
    z, factors, z_test, factors_test = training_and_test(z, factors, test, test_fraction, seed)
    if standardize:
        scaled = standardizer(z)
        z, z_test = scaled(z), scaled(z_test)
    accuracies = np.array(
        [
            [
                _accuracy(z[:, [i]], factors[:, k], z_test[:, [i]], factors_test[:, k], cost, seed)
                for k in range(factors.shape[1])
            ]
            for i in range(z.shape[1])
        ]
    )
    order = np.sort(accuracies, axis=0)
    gaps = order[-1] - (order[-2] if len(order) > 1 else 0.0)
    return {"score": float(gaps.mean()), "per_factor": gaps.tolist(), "accuracies": accuracies.tolist()}


def _accuracy(z, factor, z_test, factor_test, cost, seed):
    machine = require("sklearn.svm", extra="evaluation").LinearSVC(
        C=cost, class_weight="balanced", random_state=seed
    )
    with warnings.catch_warnings():
        # where a latent says nothing of a factor the solver may go on for ever: what it has by then will do
        warnings.filterwarnings("ignore", message="Liblinear failed to converge")
        machine.fit(z, factor)
    return float(np.mean(machine.predict(z_test) == factor_test))
