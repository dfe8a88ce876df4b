"""`L_D*` of the embedding and of controls with known values."""

import math
from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.pairs.pair_discrimination import pair_discrimination
from keras_ae.progress import detail_of

INDEPENDENT = 2 * math.log(2)
TOLERANCE = 0.02  # accepted deviation of the noise row
MOST_CLASSES = 200  # largest number of classes of a label that is used as a control
NOISE_FEATURES = 64


def pair_rows(material: Any, settings: Any, say: Any = None) -> list[dict[str, Any]]:
    """Measure `pair_discrimination` of the embedding and of its controls with the same settings.

    Returns:
        one dict per row: `name`, `role` ("embedding", "components", "label", "noise"),
        `closed_form` (or `None`) and the results.
    """
    rows = []
    for name, role, parts, noise, closed_form in _candidates(material, settings):
        if say is not None:
            say(f"pairs of input and {name}")
        (x, x_test), (z, z_test) = material.inputs, parts
        results = pair_discrimination(
            x,
            z,
            test=(x_test, z_test),
            seeds=settings.seeds,
            code_noise=noise,
            num_candidates=settings.num_candidates,
            max_steps=settings.max_steps,
            batch_size=settings.batch_size,
            seed=settings.seed,
            progress=detail_of(say),
        )
        rows.append({"name": name, "role": role, "closed_form": closed_form, **results})
    return rows


def label_closed_form(labels: Any) -> float:
    """Return `L_D*` in closed form for the label of each input as its embedding.

    ```
    L_D* = sum_k p_k log(1 + p_k) + p_k^2 log(1 + 1 / p_k)        p_k: share of class k
         = log(1 + 1/K) + log(1 + K) / K                       for p_k = 1 / K
    ```

    Example:

    >>> round(label_closed_form([0, 1]), 4), round(label_closed_form(range(10)), 4)
    (0.9548, 0.3351)
    """
    counts = np.unique(np.asarray(labels), return_counts=True)[1]
    shares = counts / counts.sum()
    return float(np.sum(shares * np.log1p(shares) + np.square(shares) * np.log1p(1 / shares)))


def doubts(rows: list[dict[str, Any]]) -> list[str]:
    """Return the doubts that the controls raise about the results of a table."""
    found = []
    for row in rows:
        if row["role"] == "noise" and abs(row["ld_star"] - INDEPENDENT) > TOLERANCE:
            found.append(
                f"The noise row should be {INDEPENDENT:.3f} ± {TOLERANCE}, and is {row['ld_star']:.3f}: "
                "there are too few held-out examples for this table, or too few steps."
            )
        if row["role"] == "label" and row["ld_star"] > row["closed_form"] + 0.25 * INDEPENDENT:
            found.append(
                f"The row {row['name']} is {row['ld_star']:.3f}, where a discriminator that reads the label "
                f"off the input reaches {row['closed_form']:.3f}: this one may be too weak for these inputs, "
                "unless the label cannot be seen in them."
            )
    return found


def _candidates(material, settings):
    yield "embedding", "embedding", (material.z_train, material.z_test), settings.code_noise, None
    yield material.control, "components", material.components, settings.code_noise, None
    name, values = _label(material)
    if name is not None:
        codes = tuple(_one_hot(part, values) for part in material.factors[name])
        closed = label_closed_form(material.factors[name][1])
        yield f"{name}, one-hot", "label", codes, (), closed
    generator = np.random.default_rng([settings.seed, 8])
    features = min(material.z_train.shape[1], NOISE_FEATURES)
    sizes = len(material.z_train), len(material.z_test)
    noise = tuple(generator.normal(size=(size, features)).astype("float32") for size in sizes)
    yield "noise", "noise", noise, (), INDEPENDENT


def _label(material):
    """Return the first factor with few classes and without missing values, and its classes."""
    for name, (train, test) in material.factors.items():
        if train.dtype.kind == "O" or test.dtype.kind == "O":
            continue  # some values are missing
        values = np.unique(np.concatenate([train, test]))
        if train.dtype.kind != "f" and 2 <= len(values) <= MOST_CLASSES:
            return name, values
    return None, None


def _one_hot(labels, values):
    return (np.asarray(labels)[:, None] == values).astype("float32")


def measured_pairs(material: Any, settings: Any, say: Any = None) -> dict[str, Any]:
    """Return `{"rows", "independent"}`, with `"left_out": reason` and no rows if it cannot be measured."""
    if not settings.pairs:
        return {**no_pairs(), "left_out": "it was not requested."}
    try:
        return {"rows": pair_rows(material, settings, say), "independent": INDEPENDENT}
    except InputError as error:
        return {**no_pairs(), "left_out": str(error)}


def no_pairs() -> dict:
    """Return the entry of a report without the measurement."""
    return {"rows": [], "independent": INDEPENDENT}
