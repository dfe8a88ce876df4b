"""Embeddings and factors for the disentanglement metrics, and groups of examples that share a factor."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_ae.errors import InputError, check_finite
from keras_ae.evaluation._factor_values import as_factor, classes_of, known_values

FEWEST = 4  # least number of known values of a factor


@dataclass(frozen=True)
class FactorTable:
    """Embeddings with the classes of their factors.

    Attributes:
        z: float64 `(examples, latents)`.
        classes: int64 `(examples, factors)`: 0, 1, ..., and -1 where the value is missing.
        names: names of all factors.
        missing: `{name: number of examples without a value}` of the factors with missing values.
        left_out: `{name: reason}` of the factors that cannot be scored.
    """

    z: np.ndarray
    classes: np.ndarray
    names: list[str]
    missing: dict = field(default_factory=dict)
    left_out: dict = field(default_factory=dict)

    @property
    def kept(self) -> list[int]:
        """Indices of the factors that are scored."""
        return [number for number, name in enumerate(self.names) if name not in self.left_out]

    def known(self, factor: int, rows: slice | np.ndarray = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """Return `(z, classes)` of those examples in `rows` whose value of the factor is known."""
        classes = self.classes[rows, factor]
        return self.z[rows][classes >= 0], classes[classes >= 0]

    def notes(self) -> dict:
        """Return the entries `missing` and `left_out` of a score."""
        return {"missing": dict(self.missing), "left_out": dict(self.left_out)}

    def of_factors(self, values: dict) -> list:
        """Return one entry for each factor, `None` where it is left out."""
        return [values.get(number) for number in range(len(self.names))]


def as_factor_table(z: Any, factors: Any) -> FactorTable:
    """Return a checked `FactorTable`.

    Examples with a missing value (`None`, NaN) count for the other factors only. Factors with one distinct
    value, or with fewer than 4 known values, are left out.

    Args:
        z: `(examples, ...)`; the axes after the examples are flattened.
        factors: classes of any type, `(examples, factors)`, or `(examples,)` for one factor, or
            `{name: (examples,)}`.

    Raises:
        InputError: the numbers of examples differ, `z` is not finite, a factor is a quantity or has a
            different value for most of the examples, or no factor can be scored.

    Example:

    >>> table = as_factor_table(np.zeros((5, 2, 2)), {"animal": ["b", "a", None, "b", "a"], "one": [1] * 5})
    >>> table.classes[:, 0].tolist(), table.missing, list(table.left_out)
    ([1, 0, -1, 1, 0], {'animal': 1}, ['one'])
    """
    z, columns = np.asarray(z, "float64"), factor_columns(factors)
    lengths = sorted({len(values) for values in columns.values()})
    if z.ndim < 1 or not len(z) or lengths != [len(z)]:
        raise InputError(
            "z and factors must have the same examples: embeddings (examples, ...) and factors "
            f"(examples, factors). Received: {z.shape} and factors of {lengths} examples"
        )
    check_finite(z, "z")
    columns = {name: as_factor(values, name) for name, values in columns.items()}
    left_out = {name: reason for name, values in columns.items() if (reason := why_left_out(values))}
    scored = {name: values for name, values in columns.items() if name not in left_out}
    classes = {name: classes_of(values, name) for name, values in scored.items()}
    none = np.full(len(z), -1)
    table = np.stack([classes.get(name, none) for name in columns], axis=1)
    missing = {name: int((one < 0).sum()) for name, one in classes.items() if (one < 0).any()}
    return _checked(FactorTable(z.reshape(len(z), -1), table, list(columns), missing, left_out))


def factor_columns(factors: Any) -> dict[str, Any]:
    """Return `{name: values (examples,)}` of a dict, an array, or the columns of an array.

    Example:

    >>> sorted(factor_columns(np.zeros((3, 2), int))), list(factor_columns([1, 2]))
    (['factor 1', 'factor 2'], ['label'])
    """
    if isinstance(factors, dict):
        return {str(name): values for name, values in factors.items()}
    array = factors if isinstance(factors, np.ma.MaskedArray) else np.asarray(factors)
    columns = [array] if array.ndim < 2 else list(np.moveaxis(array, 1, 0))
    names = ["label"] if len(columns) == 1 else [f"factor {number + 1}" for number in range(len(columns))]
    return dict(zip(names, columns, strict=True))


def why_left_out(values: np.ndarray) -> str | None:
    """Return the reason why a factor from `as_factor` cannot be measured, or `None` if it can."""
    known = known_values(values)
    if len(known) < FEWEST:
        return f"it has {len(known)} known value{'s' * (len(known) != 1)}; {FEWEST} are needed."
    distinct = np.unique(known)
    return f"it has one value only ({distinct[0]})." if len(distinct) == 1 else None


def training_and_test(
    z: Any, factors: Any, test: tuple | None, test_fraction: float, seed: int
) -> tuple[FactorTable, np.ndarray, np.ndarray]:
    """Return `(table, training rows, test rows)`; the test set is `test` or a random part of the examples.

    Factors with fewer than two classes in the training rows, or with no known test row, are left out.
    """
    if test is None:
        table = as_factor_table(z, factors)
        order = np.random.default_rng(seed).permutation(len(table.z))
        held_out = max(1, round(test_fraction * len(order)))
        if held_out >= len(order):
            raise InputError(
                "test_fraction must leave examples to train on. "
                f"Received: {len(order)} examples, of which {held_out} for test"
            )
        train, held = order[held_out:], order[:held_out]
    else:
        table = as_factor_table(*_joined(z, factors, test))
        train, held = np.arange(len(z)), np.arange(len(z), len(table.z))
    left_out = dict(table.left_out)
    for number in table.kept:
        classes, of_test = table.known(number, train)[1], table.known(number, held)[1]
        if len(np.unique(classes)) < 2 or not len(of_test):
            left_out[table.names[number]] = (
                f"it has {len(np.unique(classes))} classes in {len(classes)} training examples and "
                f"{len(of_test)} known values in the test examples."
            )
    return _checked(FactorTable(table.z, table.classes, table.names, table.missing, left_out)), train, held


def standardizer(z: np.ndarray) -> Any:
    """Return a function that scales latents to mean 0 and deviation 1 by `z`; constant latents become 0."""
    mean, deviation = z.mean(axis=0), z.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return lambda values: (values - mean) / deviation


def _checked(table):
    if not table.kept:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in table.left_out.items())
        raise InputError(f"factors must contain at least one factor with two classes. Received: {reasons}")
    return table


def _joined(z, factors, test):
    """Return the embeddings and factors of the training and test sets, those of the test set last."""
    columns, others = factor_columns(factors), factor_columns(test[1])
    if list(columns) != list(others):
        raise InputError(f"test must contain values of {list(columns)}. Received: {list(others)}")
    both = {
        name: np.ma.concatenate([values, others[name]])
        if isinstance(values, np.ma.MaskedArray)
        else np.concatenate([np.asarray(values), np.asarray(others[name])])
        for name, values in columns.items()
    }
    return np.concatenate([np.asarray(z), np.asarray(test[0])]), both


IMAGES_AT_ONCE = 8192  # images rendered and encoded at a time: 128 MiB of 64x64 pixels


def embeddings_of_factors(represent: Any, data: Any, factors: np.ndarray) -> np.ndarray:
    """Return `represent(data.images(factors))` as float64 `(n, latents)`, computed in parts."""
    parts = [factors[start : start + IMAGES_AT_ONCE] for start in range(0, len(factors), IMAGES_AT_ONCE)]
    parts = [np.asarray(represent(data.images(part)), "float64") for part in parts]
    z = np.concatenate([part.reshape(len(part), -1) for part in parts])
    check_finite(z, "the embedding")
    return z


def varying_factors(data: Any) -> tuple[np.ndarray, dict[str, str]]:
    """Return `(indices of the factors with at least two values, {name: reason} of the other factors)`.

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


def groups(num_groups: int, images_of_group: int) -> list[int]:
    """Return the numbers of groups to process at a time; they sum to `num_groups`."""
    at_once = max(1, IMAGES_AT_ONCE // images_of_group)
    return [min(at_once, num_groups - start) for start in range(0, num_groups, at_once)]


def draw_groups(
    data: Any, num_groups: int, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw groups: return `(index of the factor of each group, factors (groups, size, factors))`."""
    varying, _ = varying_factors(data)
    fixed = varying[rng.integers(len(varying), size=num_groups)]
    factors = data.sample_factors(num_groups * size, rng).reshape(num_groups, size, -1)
    return fixed, factors


def share_factor(factors: np.ndarray, fixed: np.ndarray, values: np.ndarray) -> None:
    """Set factor `fixed[g]` of each group g to its value in `values`, `(groups, size or 1, factors)`."""
    rows = np.arange(len(factors))
    factors[rows, :, fixed] = values[rows, :, fixed]
