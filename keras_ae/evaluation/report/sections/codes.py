"""Usage of the codes of a discrete embedding."""

import math

import numpy as np
from numpy.typing import ArrayLike

MOST_SHOWN = 512  # shares of codes that are listed, most frequent first


def code_use(codes: dict, num_values: dict | None = None, lengths: ArrayLike | None = None) -> dict:
    """Measure usage, perplexity and bits of each level of codes.

    ```
    usage      = number of codes chosen at least once / number of codes
    perplexity = exp(-sum_k p_k log p_k)             p_k: share of code k over examples and positions
    bits       = positions * log2 K                  length of the code of an example
    entropy    = sum over positions of H(code at that position)     upper bound of the bits it carries
    ```

    Args:
        codes: `{level: integers (examples, ...)}`; a single level is called "".
        num_values: `{level: K}`; `None` or missing: one more than the largest observed code.
        lengths: share of real positions in (0, 1] for each example, `(examples,)`, for padded
            sequences. All positions then share one distribution of codes.

    Returns:
        `{"levels": {level: {"num_values", "values_known", "positions", "usage", "perplexity",
        "bits", "entropy", "shares": [...]}}, "bits", "entropy", "usage", "perplexity"}`; the last
        two are those of the first level. For bits (`K = 2`), `shares` are the shares of ones at
        each position; otherwise, they are the shares of the codes, sorted.

    Example:

    >>> use = code_use({"": np.array([[0, 1], [0, 3]])}, {"": 4})
    >>> use["usage"], use["bits"], use["entropy"]
    (0.75, 4.0, 1.0)
    """
    levels = {}
    for level, values in codes.items():
        known, values, scale = (num_values or {}).get(level), np.asarray(values), 1.0
        if lengths is not None:
            values, scale = _real(values, np.asarray(lengths))
        levels[level] = _level(values, known, scale)
    first = next(iter(levels.values()))
    total = {name: float(sum(level[name] for level in levels.values())) for name in ("bits", "entropy")}
    return {"levels": levels, **total, "usage": first["usage"], "perplexity": first["perplexity"]}


def _real(codes, lengths):
    """Return `(codes of the real positions, mean number of real positions per example)`."""
    real = np.arange(codes.shape[1]) < np.ceil(lengths * codes.shape[1] - 1e-6)[:, None]
    return codes[real], float(real.sum() / len(codes))


def _level(codes, known, scale):
    flat = codes.reshape(len(codes), -1)
    size = int(known or max(2, flat.max() + 1))
    values, counts = np.unique(flat, return_counts=True)
    shares = counts / counts.sum()
    ones = flat.mean(axis=0)[:MOST_SHOWN] if size == 2 else np.sort(shares)[::-1][:MOST_SHOWN]
    return {
        "num_values": size,
        "values_known": known is not None,
        "positions": flat.shape[1] * scale if scale != 1 else flat.shape[1],
        "usage": len(values) / size,
        "perplexity": float(np.exp(-np.sum(shares * np.log(shares)))),
        "bits": scale * flat.shape[1] * math.log2(size),
        "entropy": scale * float(sum(_entropy(column) for column in flat.T)),
        "shares": [round(float(share), 6) for share in ones],
    }


def _entropy(column):
    counts = np.unique(column, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-np.sum(shares * np.log2(shares))) + 0.0
