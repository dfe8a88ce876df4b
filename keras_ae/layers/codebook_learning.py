"""How a codebook follows the data, as functions of its statistics.

The statistics are `{"counts": (heads, K), "vectors": (heads, K, dim)}`, with `"sums"`
`(heads, K, dim)` where the codes are running means.
"""

import tensorflow as tf
from keras import ops

from keras_ae.metrics.code_counts import count_codes
from keras_ae.ops import sum_over_replicas

USAGE_DECAY = 0.99  # of the usage counts where the codebook learns by gradient


def ema_step(state, rows, codes, decay):
    """Running counts and sums after the global batch.

    `N_k <- g N_k + (1 - g) n_k,   m_k <- g m_k + (1 - g) sum_{x of k} x`; a batch without
    weight leaves both as they are.

    Args:
        state: the statistics.
        rows: `GlobalRows` of the batch; rows that are not real are excluded by selection.
        codes: int32 `(vectors, heads)`.
        decay: `g`; `None`: of the counts alone.

    Returns:
        `(state, share)`: `share` is the weight of the batch over `K`.
    """
    num_embeddings = state["counts"].shape[1]
    batch = {"counts": count_codes(codes, rows.weights, num_embeddings)}
    if decay is not None:
        weights = rows.weights if rows.is_weighted else None
        # segment -1 does not exist; a product with 0 would keep NaN
        real = tf.where(rows.weights[:, None] > 0, codes, -1)
        batch["sums"] = code_sums(rows.x, real, weights, num_embeddings)
    batch = sum_over_replicas(batch)
    share = ops.sum(batch["counts"][0]) / num_embeddings
    kept = tf.where(share > 0, USAGE_DECAY if decay is None else decay, 1.0)
    learned = {name: kept * state[name] + (1.0 - kept) * value for name, value in batch.items()}
    return {**state, **learned}, share


def code_sums(x, codes, weights, num_embeddings):
    """Return the weighted sums `(heads, K, dim)` of the vectors of each code; code -1 leaves a vector out."""
    weighted = x if weights is None else x * weights[:, None, None]
    sums = [
        tf.math.unsorted_segment_sum(weighted[:, head], codes[:, head], num_embeddings)
        for head in range(x.shape[1])
    ]
    return ops.stack(sums)


def revive(state, dead, places, share):
    """Move the `dead` codes `(heads, K)` to `places` `(heads, K, dim)`, with a fair share of their own.

    The statistics go with the code: otherwise the next running mean would bring it back.
    """
    revived = {
        "counts": tf.where(dead, share, state["counts"]),
        "vectors": tf.where(dead[..., None], places, state["vectors"]),
    }
    if "sums" in state:
        revived["sums"] = tf.where(dead[..., None], places * share, state["sums"])
    return revived
