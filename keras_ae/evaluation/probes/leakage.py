"""Leakage: information about nuisances in an embedding."""

from typing import Any

from numpy.typing import ArrayLike

from keras_ae.errors import InputError
from keras_ae.evaluation.probes.probe import probe


def leakage(
    z: ArrayLike,
    nuisances: dict,
    *,
    test: tuple[ArrayLike, dict] | None = None,
    groups: ArrayLike | None = None,
    seed: int = 0,
    one_hot: bool = False,
    folds: int = 5,
) -> dict:
    """Probe an embedding for nuisances that it should *not* contain, such as speaker, channel or source.

    ```
    excess = max(linear, mlp) - baseline     baseline = max(majority, best_constant)
    share  = excess / (1 - baseline)         0 or less: nothing found, 1: all of the information
    leaks  = the 95 % interval of either probe lies above the baseline
    ```

    The baseline is the best result of a probe without any information: the larger of `majority`
    and, because the held-out classes may have another distribution, of the best constant
    prediction in hindsight.

    The perceptron counts as much as the linear probe, because it may read information that is
    hidden from a linear probe. The probes are fitted from scratch on the frozen embedding,
    because the accuracy of an adversary during training proves nothing. "Not found" is the result
    of these two probes with this number of examples, not a proof of absence.

    Args:
        z: `(examples, ...)`.
        nuisances: `{name: (examples,)}`; floats are quantities, other values are classes.
        test: `(z, {name: (examples,)})` of the held-out examples; `None`: as in `probe`.
        groups, seed, one_hot, folds: as in `probe`.

    Returns:
        `{name: dict}`: the dict of `probe` with `baseline`, `excess`, `share`, `leaks` and
        `verdict`, which is "leaks" or "not found".

    Raises:
        InputError: there is no nuisance, the test set has other names, or `probe` raises an error.

    Example:

    >>> import numpy as np
    >>> speaker = np.arange(240) % 3
    >>> z = np.random.default_rng(0).normal(size=(240, 4)) + speaker[:, None]
    >>> leakage(z, {"speaker": speaker})["speaker"]["verdict"]
    'leaks'
    """
    if not isinstance(nuisances, dict) or not nuisances:
        raise InputError(
            "nuisances must be a dict {name: (examples,)} with at least one entry. "
            f"Received: {'an empty dict' if isinstance(nuisances, dict) else type(nuisances).__name__}"
        )
    if test is not None and set(test[1]) != set(nuisances):
        raise InputError(f"test must contain values of {sorted(nuisances)}. Received: {sorted(test[1])}")
    options: dict[str, Any] = {"groups": groups, "seed": seed, "one_hot": one_hot, "folds": folds}
    result = {}
    for name, values in nuisances.items():
        held_out = None if test is None else (test[0], test[1][name])
        result[name] = _judged(probe(z, values, test=held_out, **options))
    return result


def _judged(results):
    baseline = max(results["majority"], results["best_constant"])
    excess = max(results["linear"], results["mlp"]) - baseline
    leaks = max(results["interval"][0], results["mlp_interval"][0]) > baseline
    share = excess / (1.0 - baseline) if baseline < 1.0 else 0.0
    verdict = "leaks" if leaks else "not found"
    return {
        **results,
        "baseline": baseline,
        "excess": excess,
        "share": share,
        "leaks": leaks,
        "verdict": verdict,
    }
