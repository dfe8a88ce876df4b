"""Mutual information gap and modularity, from the mutual information of single latents and factors."""

import numpy as np
from numpy.typing import ArrayLike

from keras_ae.errors import InputError
from keras_ae.evaluation.disentanglement.factor_table import FactorTable, as_factor_table


def mig(z: ArrayLike, factors: ArrayLike | dict, *, bins: int = 20) -> dict:
    """Compute the mutual information gap: whether each factor is represented by exactly one latent.

    ```
    MIG = mean over factors k of  (I(z_i(k); f_k) - max over i != i(k) of I(z_i; f_k)) / H(f_k),
    i(k) = argmax over i of I(z_i; f_k)
    ```

    Each latent is cut into `bins` intervals of equal width between its smallest and its
    largest value. The exact factors reach 1 only if they have fewer values than there are
    bins: the factors of `Sprites` reach 0.90.

    Args:
        z: embeddings `(examples, ...)`.
        factors: classes `(examples, factors)`, or `{name: (examples,)}`. Missing values (`None`, NaN) and
            factors with one value are left out. Quantities raise an error: cut them into bins.
        bins: number of intervals per latent.

    Returns:
        `{"score", "per_factor": [...], "latents": [i(k), ...], "missing": {factor: examples},
        "left_out": {factor: reason}}`. A factor that is left out has `None`.

    Raises:
        InputError: a factor is a quantity, no factor has two classes, `z` has NaN, or lengths differ.

    Example:

    >>> factors = np.indices((4, 5)).reshape(2, -1).T
    >>> round(mig(factors, factors)["score"], 6)
    1.0

    Reference:
        Chen et al., 2018, https://arxiv.org/abs/1802.04942; histograms as in Locatello et al.,
        2019, https://arxiv.org/abs/1811.12359.
    """
    table, information, entropy = information_matrix(z, factors, bins=bins)
    order = np.sort(information, axis=0)
    second = order[-2] if len(order) > 1 else 0.0
    gaps = (order[-1] - second) / entropy
    latents = information.argmax(axis=0)
    return {
        "score": float(gaps.mean()),
        "per_factor": table.of_factors(dict(zip(table.kept, gaps.tolist(), strict=True))),
        "latents": table.of_factors(dict(zip(table.kept, latents.tolist(), strict=True))),
        **table.notes(),
    }


def modularity(z: ArrayLike, factors: ArrayLike | dict, *, bins: int = 20) -> dict:
    """Compute the modularity: whether each latent has information about one factor only.

    ```
    modularity = mean over latents i of  1 - sum over k != k(i) of I(z_i; f_k)^2 / (I(z_i; f_k(i))^2 (K - 1)),
    k(i) = argmax over k of I(z_i; f_k)
    ```

    A latent without information about any factor counts as 0. The arguments are those of `mig`,
    with at least two factors.

    Returns:
        `{"score", "per_latent": [...], "missing", "left_out"}`.

    Reference:
        Ridgeway and Mozer, 2018, https://arxiv.org/abs/1802.05312.
    """
    table, information, _ = information_matrix(z, factors, bins=bins)
    squared = np.square(information)
    count = squared.shape[1]
    if count < 2:
        raise InputError(
            "factors must contain at least two factors with two or more classes for modularity. "
            f"Received: {count}"
        )
    largest = squared.max(axis=1)
    others = (squared.sum(axis=1) - largest) / (count - 1)
    scores = np.where(largest > 0, 1.0 - others / np.where(largest > 0, largest, 1.0), 0.0)
    return {"score": float(scores.mean()), "per_latent": scores.tolist(), **table.notes()}


def information_matrix(
    z: ArrayLike, factors: ArrayLike | dict, *, bins: int = 20
) -> tuple[FactorTable, np.ndarray, np.ndarray]:
    """Return `(table, I(z_i; f_k), H(f_k))` in nats, `(latents, factors)` and `(factors,)`, by histograms.

    The factors are `FactorTable.kept`. Each is measured over the examples with a known value.
    """
    table = as_factor_table(z, factors)
    binned = np.stack([_intervals(column, bins) for column in table.z.T], axis=1)
    information, entropy = [], []
    for number in table.kept:
        known = table.classes[:, number] >= 0
        factor = table.classes[known, number]
        information.append([_mutual_information(column, factor) for column in binned[known].T])
        entropy.append(_mutual_information(factor, factor))
    return table, np.array(information).T, np.array(entropy)


def _intervals(values, bins):
    """Return the index of the interval of each value; all intervals but the last are `[low, high)`."""
    edges = np.histogram_bin_edges(values, bins)
    return np.searchsorted(edges[1:-1], values, side="right")


def _mutual_information(a, b):
    """Return `sum p(a, b) log p(a, b) / (p(a) p(b))` of two columns of classes, in nats."""
    joint = np.bincount(a * (b.max() + 1) + b, minlength=(a.max() + 1) * (b.max() + 1))
    joint = joint.reshape(a.max() + 1, b.max() + 1) / len(a)
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / product[seen])).sum())
