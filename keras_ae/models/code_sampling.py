"""One code from its distribution and a uniform number."""

from keras import ops


def code_at_quantile(logits, noise, temperature=1.0, top_k=None):
    """`(code, gap)`: the code whose part of the unit interval holds `noise`.

    The codes cover [0, 1] in their order, each as long as it is probable; for uniform
    noise the code is a draw from `softmax(logits / temperature)`.

    Args:
        logits: `(batch, num_values)` float32.
        noise: `(batch,)` in [0, 1).
        temperature: below 1 draws the probable codes more often.
        top_k: draw from so many most probable codes only; `None`: from all.

    Returns:
        the code `(batch,)` int32, and how far `noise` is from the nearest border of two
        codes, `(batch,)`: where that is within rounding, two runtimes may differ.
    """
    logits = logits / temperature
    if top_k is not None:
        least = ops.top_k(logits, top_k)[0][:, -1:]
        logits = ops.where(logits >= least, logits, -1e9)
    borders = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)
    # strictly below the last border, which rounding leaves near 1: no code of probability 0 is drawn
    place = noise[:, None] * borders[:, -1:] * (1 - 1e-6)
    distance = borders[:, :-1] - place
    code = ops.sum(ops.cast(distance <= 0, "int32"), axis=-1)
    return code, ops.min(ops.abs(distance), axis=-1)
