"""Embeddings and factors as the disentanglement metrics take them."""

import numpy as np


def embeddings_and_factors(z, factors) -> tuple[np.ndarray, np.ndarray]:
    """`(z, factors)` as float64 `(examples, latents)` and int64 `(examples, factors)`, checked.

    Args:
        z: `(examples, ...)`; what follows the examples is flattened.
        factors: `(examples, factors)`, or `(examples,)` for one factor: classes of any kind,
            which come back as 0, 1, ...

    Raises:
        ValueError: numbers of examples differ; `z` is not finite; a factor has one value only.

    Example:

    >>> embeddings_and_factors(np.zeros((3, 2, 2)), ["b", "a", "b"])[1].ravel().tolist()
    [1, 0, 1]
    """
    z, factors = np.asarray(z, "float64"), np.asarray(factors)
    factors = factors[:, None] if factors.ndim == 1 else factors
    if z.ndim < 1 or factors.ndim != 2 or len(z) != len(factors) or not len(z):
        raise ValueError(
            "Expected embeddings (examples, ...) and factors (examples, factors) of the same examples. "
            f"Received: {z.shape} and {factors.shape}"
        )
    if not np.isfinite(z).all():
        raise ValueError("Expected finite embeddings. Received: some that are infinite or NaN")
    classes = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in factors.T]
    constant = [index for index, column in enumerate(classes) if not column.any()]
    if constant:
        raise ValueError(
            f"Expected factors of at least two values. Received: one value only in factor {constant}; "
            "leave it out."
        )
    return z.reshape(len(z), -1), np.stack(classes, axis=1)


def training_and_test(z, factors, test, test_fraction, seed):
    """`(z, factors, z_test, factors_test)`: `test`, or a part of the examples drawn as test.

    Factors are numbered alike in both parts.
    """
    if test is None:
        z, factors = embeddings_and_factors(z, factors)
        order = np.random.default_rng(seed).permutation(len(z))
        held_out = max(1, round(test_fraction * len(z)))
        if held_out >= len(z):
            raise ValueError(
                f"Expected examples left to train on. Received: {len(z)}, of which {held_out} for test"
            )
        held, kept = order[:held_out], order[held_out:]
        return z[kept], factors[kept], z[held], factors[held]
    together = [
        np.concatenate([np.asarray(a), np.asarray(b)]) for a, b in zip((z, factors), test, strict=True)
    ]
    count, (z, factors) = len(z), embeddings_and_factors(*together)
    return z[:count], factors[:count], z[count:], factors[count:]


def standardizer(z):
    """Function that brings the latents of `z` to mean 0 and standard deviation 1; constant ones to 0."""
    mean, deviation = z.mean(axis=0), z.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return lambda values: (values - mean) / deviation
