"""Checks of the arrays to measure, and confidence intervals of the results."""

import math

import numpy as np

from keras_ae.errors import InputError, check_finite


def as_embedding(z, name="z") -> np.ndarray:
    """Return an embedding as finite floats `(examples, features)`; further axes are flattened.

    Raises:
        InputError: `z` is not numeric, has no examples, or has values that are not finite.

    Example:

    >>> as_embedding(np.zeros((3, 2, 2))).shape
    (3, 4)
    """
    z = np.asarray(z)
    if z.dtype.kind not in "fiub" or z.ndim == 0 or not z.size:
        raise InputError(
            f"{name} must be an array of numbers, (examples, ...), with at least one example. "
            f"Received: {describe(z)}. evaluation.encode_batches(encoder, data) returns such an array."
        )
    z = z.reshape(len(z), -1)
    z = z if z.dtype.kind == "f" and z.dtype.itemsize >= 4 else z.astype("float32")
    check_finite(z, name)
    return z


def check_lengths(**arrays):
    """Raise `InputError` unless all arrays have the same number of examples."""
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        received = ", ".join(f"{name} with {length}" for name, length in lengths.items())
        raise InputError(
            f"{' and '.join(lengths)} must have one entry per example, in the same order. "
            f"Received: {received}"
        )


def describe(array) -> str:
    """Return the shape and dtype of an array as text, for error messages."""
    return f"shape {array.shape}, {array.dtype}"


Z = 1.959964  # quantile of the standard normal at 0.975
RESAMPLES = 1000


def wilson_interval(successes: int, number: int) -> list[float]:
    """Return Wilson's 95 % interval of a proportion, `[low, high]`.

    ```
    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n),    p = successes / n
    ```

    Example:

    >>> [round(bound, 3) for bound in wilson_interval(285, 300)]
    [0.919, 0.969]

    Reference:
        Wilson, 1927, https://doi.org/10.1080/01621459.1927.10502953.
    """
    share = successes / number
    centre = share + Z**2 / (2 * number)
    half = Z * math.sqrt(share * (1 - share) / number + Z**2 / (4 * number**2))
    scale = 1 + Z**2 / number
    return [max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)]


def r2_interval(truth, prediction, seed=0) -> list[float]:
    """Return the 95 % bootstrap interval of `r2` over examples, `[low, high]`."""
    return bootstrap_interval(r2, truth, prediction, seed)


def bootstrap_interval(score, truth, prediction, seed=0) -> list[float]:
    """Return the 95 % bootstrap interval of `score(truth, prediction)` over examples, `[low, high]`.

    Args:
        score: function of two arrays; it is never called with a constant `truth`.
        truth, prediction: numbers `(examples,)`.
        seed: seed of the resampling.
    """
    generator, number = np.random.default_rng([seed, 7]), len(truth)
    values = []
    for _ in range(RESAMPLES):
        rows = generator.integers(0, number, number)
        if np.ptp(truth[rows]):
            values.append(score(truth[rows], prediction[rows]))
    return [float(bound) for bound in np.quantile(values, [0.025, 0.975])]


def r2(truth, prediction) -> float:
    """Return `R^2 = 1 - sum (y - y_hat)^2 / sum (y - mean y)^2`.

    Example:

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    return float(1.0 - np.square(truth - prediction).sum() / np.square(truth - truth.mean()).sum())
