"""Groups of examples that share one factor, for the BetaVAE and FactorVAE scores."""

import numpy as np

from keras_ae.errors import InputError, check_finite

IMAGES_AT_ONCE = 8192  # what is rendered and encoded at a time: 128 MiB of 64x64 pixels


def embeddings_of(represent, data, factors) -> np.ndarray:
    """`represent(data.images(factors))` as float64 `(n, latents)`, a part at a time."""
    parts = [factors[start : start + IMAGES_AT_ONCE] for start in range(0, len(factors), IMAGES_AT_ONCE)]
    parts = [np.asarray(represent(data.images(part)), "float64") for part in parts]
    z = np.concatenate([part.reshape(len(part), -1) for part in parts])
    check_finite(z, "the embedding")
    return z


def varying_factors(data) -> tuple[np.ndarray, dict]:
    """Return `(indices of the factors with at least two values, {name: reason} of the others)`.

    Raises:
        InputError: fewer than two factors vary.
    """
    sizes = np.asarray(data.sizes)
    names = getattr(data, "factor_names", None) or [f"factor {number + 1}" for number in range(len(sizes))]
    varying = np.flatnonzero(sizes > 1)
    if len(varying) < 2:
        raise InputError(
            f"data must have at least two factors that vary. Received: sizes={tuple(data.sizes)}"
        )
    return varying, {names[number]: "it has one value only." for number in np.flatnonzero(sizes <= 1)}


def groups(num_groups: int, images_of_group: int):
    """How many groups to make at a time: their sum is `num_groups`."""
    at_once = max(1, IMAGES_AT_ONCE // images_of_group)
    return [min(at_once, num_groups - start) for start in range(0, num_groups, at_once)]


def draw_groups(data, num_groups: int, size: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """`(number of the factor of each group, factors (groups, size, factors))`, drawn independently."""
    varying, _ = varying_factors(data)
    fixed = varying[rng.integers(len(varying), size=num_groups)]
    factors = data.sample_factors(num_groups * size, rng).reshape(num_groups, size, -1)
    return fixed, factors


def share_factor(factors, fixed, values):
    """Set factor `fixed[g]` of each group g to that of `values`, `(groups, size or 1, factors)`."""
    rows = np.arange(len(factors))
    factors[rows, :, fixed] = values[rows, :, fixed]
