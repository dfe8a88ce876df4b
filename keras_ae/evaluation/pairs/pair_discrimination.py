"""`L_D*` of an embedding and related results over several seeds."""

from typing import Any

import numpy as np

from keras_ae.errors import InputError
from keras_ae.evaluation.pairs._inputs import as_inputs, take
from keras_ae.evaluation.pairs.pair_discriminator import PairDiscriminator
from keras_ae.progress import shown

MEASURES = ("ld", "auc", "info_nce", "retrieval", "mse")
NAMES = {"ld": "ld_star"}


def pair_discrimination(
    x: Any,
    z: Any,
    *,
    test: tuple[Any, Any] | None = None,
    seeds: int = 3,
    split: tuple[float, float, float] = (0.6, 0.15, 0.25),
    code_noise: tuple[float, ...] = (0.3, 1.0),
    num_candidates: int = 256,
    network: Any = None,
    score: str = "mlp",
    decoder: Any = None,
    seed: int = 0,
    progress: Any = None,
    verbose: bool = True,
    **settings: Any,
) -> dict:
    """Measure how well matched pairs of input and frozen embedding are discriminated from mismatched pairs.

    ```
    L_D* = min_T mean softplus(-T(x_i, z_i)) + mean softplus(T(x_i, z_j)),  j != i      nats, held out
    ```

    `L_D*` ranges from 0 (the embedding identifies its input) to 2 log 2 = 1.386 (independent). It
    measures information, not usefulness, and must not be used to rank embeddings for a task: a
    principal component can have a lower `L_D*` than the true class. Report it next to `probe`, with
    rows for noise (1.386) and for the labels (`log(1 + 1/K) + log(1 + K) / K`) with the same
    settings: they show whether the discriminator is strong enough for these inputs.

    Each seed has its own split, weights and pairs. With equal seeds, all embeddings of the same
    inputs have the same split, discriminator and budget. The results `noise` come from separate
    trainings on the embedding with noise of `s` standard deviations, and do not saturate.

    Args:
        x: inputs, see `PairDiscriminator`.
        z: their embeddings `(examples, ...)`.
        test: `(x, z)` held out by the caller; `None`: the last share of `split`.
        seeds: number of repetitions; use at least 3 for publication.
        split: shares of the examples for fitting, for early stopping, and held out.
        code_noise: values of `s`; `()`: no training with noise.
        num_candidates: number of inputs among which the input of an embedding is searched.
        network, score, decoder: see `PairDiscriminator`.
        seed: first seed.
        progress: function called with a description of each step; `None`: a line on the terminal.
        verbose: whether to show that line.
        **settings: further arguments of `PairDiscriminator`, such as `max_steps`.

    Returns:
        means over seeds, each with its standard deviation under the name with the suffix `_sd`:
        `ld_star`, `auc`, `info_nce` (nats, at most `log info_nce_candidates`), `retrieval` (top-1
        among `info_nce_candidates`), `mse` with a decoder; `noise` and `noise_sd`,
        `{str(s): ld_star}`; `info_nce_candidates`, `n_train`, `n_validation`, `n_test`, `seeds`.

    Raises:
        InputError: the numbers of examples differ, there are too few examples, or there is NaN.
        ValueError: `split` is not three positive shares that sum to 1, or a setting is out of range.

    Example:

    >>> x = np.random.default_rng(0).normal(size=(400, 2)).astype("float32")
    >>> result = pair_discrimination(x, x[:, :1], seeds=2, code_noise=(1.0,), max_steps=100)
    >>> result["ld_star"] < result["noise"]["1.0"] < 1.4, result["info_nce_candidates"]
    (True, 100)

    Reference:
        Hjelm et al., 2019, https://arxiv.org/abs/1808.06670.
    """
    _check(seeds, split)
    options = {"network": network, "score": score, "decoder": decoder, **settings}
    discriminator = PairDiscriminator(**options)
    inputs, z, runs, noisy, sizes = as_inputs(x), np.asarray(z), [], [], {}
    with shown(progress, verbose) as say:
        if progress is None:
            say("pair discriminator")
        for number in range(seed, seed + seeds):
            train, validation, held_out = _split(inputs, z, test, split, number)
            discriminator.seed = number
            by_noise = {}
            for noise in (0.0, *code_noise):
                discriminator.code_noise = noise
                discriminator.progress = _named(say, number - seed, seeds, noise)
                discriminator.fit(*train, validation=validation)
                by_noise[noise] = discriminator.evaluate(
                    *held_out, num_candidates=None if noise else num_candidates
                )
            runs.append(by_noise[0.0])
            noisy.append([by_noise[noise]["ld"] for noise in code_noise])
            sizes = {"n_train": len(train[1]), "n_validation": len(validation[1])}
            sizes["n_test"] = len(held_out[1])
    result = {}
    for name in MEASURES:
        if name in runs[0]:
            result.update(_mean_and_sd(NAMES.get(name, name), [run[name] for run in runs]))
    noisy = np.reshape(noisy, (seeds, len(code_noise)))
    result["noise"] = {str(s): float(column.mean()) for s, column in zip(code_noise, noisy.T, strict=True)}
    result["noise_sd"] = {str(s): _sd(column) for s, column in zip(code_noise, noisy.T, strict=True)}
    return {**result, "info_nce_candidates": runs[0]["info_nce_candidates"], **sizes, "seeds": seeds}


def _named(say, done, seeds, noise):
    """Return a progress function for one training that adds the seed and the noise to the text."""
    text = f"seed {done + 1} of {seeds}" + (f", noise {noise:g}" if noise else "")
    show = getattr(say, "detail", say)
    return lambda step, steps: show(f"{text}, step {step:,} of {steps:,}")


def _check(seeds, split):
    ok = len(split) == 3 and min(split) > 0 and abs(sum(split) - 1.0) < 1e-6
    if seeds < 1 or not ok:
        raise ValueError(
            "seeds must be at least 1, and split must be three positive shares that sum to 1. "
            f"Received: seeds={seeds}, split={split}"
        )


def _split(inputs, z, test, split, seed):
    """Return `(x, z)` for fitting, for early stopping, and held out."""
    if len(z) != len(inputs["x"]):
        raise InputError(
            f"x and z must have one entry per example. Received: x with {len(inputs['x'])}, z with {len(z)}"
        )
    order = np.random.default_rng([seed, 6]).permutation(len(z))
    fit, stop, _ = np.array(split) / (1.0 if test is None else split[0] + split[1])
    first, second = round(len(z) * fit), len(z) if test is not None else round(len(z) * (fit + stop))
    parts = [order[:first], order[first:second], order[second:]]
    parts = [(take(inputs, np.sort(rows)), z[np.sort(rows)]) for rows in parts]
    return parts if test is None else [*parts[:2], test]


def _mean_and_sd(name, values):
    return {name: float(np.mean(values)), f"{name}_sd": _sd(values)}


def _sd(values):
    return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
