"""Mutual information gap, and modularity, from the mutual information of single latents and factors."""

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.disentanglement.factor_table import as_factor_table


def mig(z, factors, *, bins: int = 20) -> dict:
    """Mutual information gap: is each factor in one latent, and in no other?

    ```
    MIG = mean over factors k of  (I(z_i(k); f_k) - max over i != i(k) of I(z_i; f_k)) / H(f_k),
    i(k) = argmax over i of I(z_i; f_k)
    ```

    Each latent is cut into `bins` intervals of equal width between its smallest and its
    largest value. Exact factors themselves reach 1 only where they have fewer values than
    there are bins: those of sprites 0.90.

    Args:
        z: embeddings `(examples, ...)`.
        factors: classes `(examples, factors)`, or `{name: (examples,)}`. Missing values (`None`, NaN) are
            left out, factors with one value too; quantities are refused: cut them into bins.
        bins: intervals of a latent.

    Returns:
        `{"score", "per_factor": [...], "latents": [i(k), ...], "missing": {factor: examples},
        "left_out": {factor: reason}}`; `None` for a factor that is left out.

    Raises:
        InputError: a factor is a quantity; no factor has two classes; NaN in `z`; lengths differ.

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


def modularity(z, factors, *, bins: int = 20) -> dict:
    """Modularity: does each latent know one factor only?

    ```
    modularity = mean over latents i of  1 - sum over k != k(i) of I(z_i; f_k)^2 / (I(z_i; f_k(i))^2 (K - 1)),
    k(i) = argmax over k of I(z_i; f_k)
    ```

    A latent that knows nothing counts 0. Arguments as in `mig`; at least two factors.

    Returns:
        `{"score", "per_latent": [...], "missing", "left_out"}`.

    Reference:
        Ridgeway and Mozer, 2018, https://arxiv.org/abs/1802.05312.
    """
    table, information, _ = information_matrix(z, factors, bins=bins)
    squared = np.square(information)
    count = squared.shape[1]
    if count < 2:
        raise InputError(f"Modularity compares at least two factors. Received: {count} with two classes")
    largest = squared.max(axis=1)
    others = (squared.sum(axis=1) - largest) / (count - 1)
    scores = np.where(largest > 0, 1.0 - others / np.where(largest > 0, largest, 1.0), 0.0)
    return {"score": float(scores.mean()), "per_latent": scores.tolist(), **table.notes()}


def information_matrix(z, factors, *, bins: int = 20):
    """`(table, I(z_i; f_k), H(f_k))` in nats: `(latents, factors)` of the histograms, and `(factors,)`.

    The factors are `FactorTable.kept`, each over the examples with a known value.
    """
    table = as_factor_table(z, factors)
    codes = np.stack([_intervals(column, bins) for column in table.z.T], axis=1)
    information, entropy = [], []
    for number in table.kept:
        known = table.classes[:, number] >= 0
        factor = table.classes[known, number]
        information.append([_mutual_information(code, factor) for code in codes[known].T])
        entropy.append(_mutual_information(factor, factor))
    return table, np.array(information).T, np.array(entropy)


def _intervals(values, bins):
    """Numbers of the intervals, `[low, high)` but for the last."""
    edges = np.histogram_bin_edges(values, bins)
    return np.searchsorted(edges[1:-1], values, side="right")


def _mutual_information(a, b):
    """Of two columns of classes, in nats: `sum p(a, b) log p(a, b) / (p(a) p(b))`."""
    joint = np.bincount(a * (b.max() + 1) + b, minlength=(a.max() + 1) * (b.max() + 1))
    joint = joint.reshape(a.max() + 1, b.max() + 1) / len(a)
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float((joint[seen] * np.log(joint[seen] / product[seen])).sum())
