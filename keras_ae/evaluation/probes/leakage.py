"""What an embedding knows that it should not."""

from keras_ae.errors import InputError
from keras_ae.evaluation.probes.probe import probe


def leakage(
    z, nuisances, *, test=None, groups=None, seed: int = 0, one_hot: bool = False, folds: int = 5
) -> dict:
    """Probes of what the embedding should *not* contain: speaker, channel, source.

    ```
    excess = max(linear, mlp) - baseline     baseline = max(majority, best_constant)
    share  = excess / (1 - baseline)         0 or less: nothing found, 1: all that can be known
    leaks  = the 95 % interval of either probe lies above the baseline
    ```

    The baseline is what a probe without any information can reach: the larger of `majority`
    and, since the held-out classes may be shared out otherwise, the best constant in hindsight.

    The perceptron counts as much as the linear probe: what an embedding hides from the one,
    the other may read. A probe is fitted anew here, on the frozen embedding: the accuracy of
    an adversary that was trained against proves nothing. "Not found" is what these two probes
    say from so many examples, no proof of absence.

    Args:
        z: `(examples, ...)`.
        nuisances: `{name: (examples,)}`: classes, or quantities if floats.
        test: `(z, {name: (examples,)})` of the held-out examples.
        groups, seed, one_hot, folds: as in `probe`.

    Returns:
        `{name: dict}`: that of `probe`, with `baseline`, `excess`, `share`, `leaks` and `verdict`,
        "leaks" or "not found".

    Raises:
        InputError: no nuisance; another set of names in the test; what `probe` raises.

    Example:

    >>> import numpy as np
    >>> speaker = np.arange(240) % 3
    >>> z = np.random.default_rng(0).normal(size=(240, 4)) + speaker[:, None]
    >>> leakage(z, {"speaker": speaker})["speaker"]["verdict"]
    'leaks'
    """
    if not isinstance(nuisances, dict) or not nuisances:
        raise InputError(
            "nuisances is a dict {name: (examples,)} with at least one entry. "
            f"Received: {'an empty dict' if isinstance(nuisances, dict) else type(nuisances).__name__}"
        )
    if test is not None and set(test[1]) != set(nuisances):
        raise InputError(f"Expected test values of {sorted(nuisances)}. Received: {sorted(test[1])}")
    options = {"groups": groups, "seed": seed, "one_hot": one_hot, "folds": folds}
    result = {}
    for name, values in nuisances.items():
        held_out = None if test is None else (test[0], test[1][name])
        result[name] = _judged(probe(z, values, test=held_out, **options))
    return result


def _judged(figures):
    baseline = max(figures["majority"], figures["best_constant"])
    excess = max(figures["linear"], figures["mlp"]) - baseline
    leaks = max(figures["interval"][0], figures["mlp_interval"][0]) > baseline
    share = excess / (1.0 - baseline) if baseline < 1.0 else 0.0
    verdict = "leaks" if leaks else "not found"
    return {
        **figures,
        "baseline": baseline,
        "excess": excess,
        "share": share,
        "leaks": leaks,
        "verdict": verdict,
    }
