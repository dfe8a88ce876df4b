"""Search for the nearest code of each vector: one matrix product, exact wherever the data lie.

```
argmin_k |x - c_k|^2 = argmax_k (x - m).(c_k - m) - |c_k - m|^2 / 2        for any m
```
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.ops.core import Tensor, argmax, finite_or_zero, has_fixed_shapes, is_exporting, is_finite

BLOCK_SCORES = 2**20  # number of scores computed at once: 4 MiB of float32, about the size of the caches


def in_row_blocks(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, columns: int) -> Tensor:
    """Return int32 `function(block, index of its first row)` for all rows of `x`, block by block."""

    def step(block, result):
        found = function(block.rows_of(x), block.start)
        return tf.tensor_scatter_nd_update(result, block.numbers()[:, None], found)

    return row_blocks(step, tf.zeros((tf.shape(x)[0],), tf.int32), x, columns)


def row_blocks(
    step: Callable[["RowBlock", Tensor], Tensor],
    state: Tensor,
    x: Tensor,
    columns: int,
    count: Tensor | None = None,
) -> Tensor:
    """Repeat `state = step(block, state)` over `RowBlock`s of at most `BLOCK_SCORES / columns` rows of `x`.

    `count`: number of leading rows to process; the last block may extend beyond. `None`: all.
    """
    total = tf.shape(x)[0]
    rows = max(1, BLOCK_SCORES // columns)
    blocks = ((total if count is None else count) + rows - 1) // rows
    rows = tf.minimum(rows, total)

    def body(index, state):
        # all blocks have the same size, as XLA requires: the last one overlaps the one before
        block = RowBlock(tf.minimum(index * rows, total - rows), rows, index * rows)
        return index + 1, step(block, state)

    # one block at a time: parallel iterations would keep several blocks of scores in memory
    return tf.while_loop(lambda i, _: i < blocks, body, (0, state), parallel_iterations=1)[1]


@dataclass(frozen=True)
class RowBlock:
    """Rows `start` to `start + size` of a tensor; those before `fresh_from` belong to earlier blocks."""

    start: tf.Tensor
    size: tf.Tensor
    fresh_from: tf.Tensor

    def rows_of(self, x: Tensor) -> Tensor:
        """Return the block's rows of `x`."""
        return tf.slice(x, [self.start] + [0] * (len(x.shape) - 1), [self.size, *x.shape[1:]])

    def numbers(self) -> Tensor:
        """Return the indices of the rows."""
        return self.start + tf.range(self.size)

    def fresh(self) -> Tensor:
        """Return 1.0 for each row that is in no earlier block, else 0.0; for sums."""
        return tf.cast(self.numbers() >= self.fresh_from, tf.float32)


CANDIDATES = 8  # number of best scores whose distances are compared
CODES_AT_ONCE = 1024  # block size when all codes are compared with each other before an export
SMALL = 1e-30  # replaces a squared distance of 0
MOST_COLUMNS = 1024  # number of indices that a product represents exactly in every float format of a GPU
WINDOW = 64  # number of rows that are searched again at once where sizes are fixed
GROUP = 64  # number of scores whose maximum is computed first: vectorised, unlike the argmax of a row


def nearest_code(x: Tensor, codebook: Tensor, candidates: int | None = None) -> Tensor:
    """Return the index of the nearest row of `codebook` in Euclidean distance, int32.

    `argmin_k |x - c_k|^2 = argmax_k x.c_k - |c_k|^2 / 2`, after both are shifted by a centre of the
    codebook. The scores are one float32 product, in blocks of rows, so that memory does not grow with
    vectors x codes. If the best two scores differ by less than their rounding errors, the row is searched
    again in float64: the code is the nearest up to float32 rounding of the *distance*, wherever the data
    lie. Of equal distances, the lowest index is returned.

    A row of the codebook that is not finite is never chosen (the result is 0 if none is finite). An entry
    of `x` that is not finite counts as 0.

    While `exporting()`, the search is one product and the exact distances of the `candidates` best scores.

    Args:
        x: `(vectors, dim)` float32.
        codebook: `(codes, dim)` float32.
        candidates: `export_candidates(codebook)`; `None`: `CANDIDATES`.

    Returns:
        `(vectors,)` int32.
    """
    x, codebook = tf.convert_to_tensor(x), tf.convert_to_tensor(codebook)
    table = recentred(codebook)
    if is_exporting():  # browsers, and tools that quantise graphs, support one product better than a loop
        x = finite_or_zero(x)
        return nearest_of_best(x, codebook, similarities(x, *table), candidates or CANDIDATES)
    if codebook.shape[0] == 1:
        return tf.zeros_like(x[:, 0], tf.int32)
    rounding = 2 * (codebook.shape[1] + 4) * _roundoff()
    code_vectors, bias = _whole_groups(*table[:2])

    def search(rows, start):
        shifted = rows - table[2]
        squared = tf.reduce_sum(tf.square(shifted), axis=1)

        def slack(largest):
            # no code that could be the nearest is longer than this, which bounds the errors of the scores
            reach = tf.sqrt(squared) + tf.sqrt(tf.maximum(squared - 2.0 * largest, 0.0))
            return rounding * tf.square(reach)

        return sole_best(similarities(shifted, code_vectors, bias), slack)

    return _search_again(in_row_blocks(search, x, code_vectors.shape[0]), x, codebook, table)


def exact_scores(x: Tensor, codebook: Tensor, table: tuple[Tensor, Tensor, Tensor] | None = None) -> Tensor:
    """Return scores `(vectors, codes)` whose argmax is the nearest code, float64.

    ```
    s_k = (x - centre).(c_k - centre) - |c_k - centre|^2 / 2 = (|x - centre|^2 - |x - c_k|^2) / 2
    ```

    The product of two float32 numbers is exact in float64. Rows of the codebook that are not finite
    have the lowest score; entries of `x` that are not finite count as 0.

    Args:
        x: `(vectors, dim)` float32.
        codebook: `(codes, dim)` float32.
        table: `recentred(codebook)`, if it is already computed.
    """
    _, bias, centre = table or recentred(codebook)
    usable, centre = bias > bias.dtype.min, tf.cast(centre, tf.float64)
    code_vectors = tf.where(usable[:, None], tf.cast(codebook, tf.float64) - centre, 0.0)
    bias = tf.where(usable, -0.5 * tf.reduce_sum(tf.square(code_vectors), axis=1), tf.float64.min)
    return similarities(tf.cast(finite_or_zero(x), tf.float64), code_vectors, bias, centre)


def nearest_of_best(x: Tensor, codebook: Tensor, scores: Tensor, candidates: int) -> Tensor:
    """Return the code of smallest `|x - c|^2` among the `candidates` best scores, int32 `(vectors,)`."""
    best = tf.math.top_k(scores, min(candidates, codebook.shape[0])).indices
    best = ops.sort(best, axis=1)  # equal distances: the lowest index
    squared = squared_distances(x, codebook, best)
    nearest = tf.argmin(squared, axis=1, output_type=tf.int32)
    return tf.reduce_sum(tf.where(tf.range(best.shape[1]) == nearest[:, None], best, 0), axis=1)


def squared_distances(x: Tensor, codebook: Tensor, indices: Tensor) -> Tensor:
    """Return `|x - c|^2` for the codes `indices` `(vectors, n)`; codes that are not finite come last."""
    squared = tf.reduce_sum(tf.square(x[:, None] - tf.gather(codebook, indices)), axis=-1)
    return tf.where(is_finite(squared), squared, squared.dtype.max)


def export_candidates(codebook: np.ndarray) -> int:
    """Return the number of best scores whose distances an exported search must compare.

    Rounding may change the order of these scores.

    Args:
        codebook: `(codes, dim)` NumPy array, the exported codebook.
    """
    codebook = np.asarray(codebook)
    centre = recentred(tf.constant(codebook))[2].numpy().astype("float64")
    code_vectors = codebook[np.isfinite(codebook).all(axis=1)].astype("float64") - centre
    lengths = np.square(code_vectors).sum(axis=1)
    most = CANDIDATES
    for start in range(0, len(code_vectors), CODES_AT_ONCE):
        part = slice(start, start + CODES_AT_ONCE)
        squared = lengths[part, None] + lengths - 2 * code_vectors[part] @ code_vectors.T
        unclear = 8 * 2 * (codebook.shape[1] + 4) * _roundoff() * lengths[part, None]
        most = max(most, 2 * int((squared <= unclear).sum(axis=1).max()))
    return min(most, len(codebook))


def recentred(codebook: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return `(code_vectors, bias, centre)`: `(x - centre).c_k + bias_k` is largest at the nearest row.

    Any centre gives the same order; one among most of the codes gives the least rounding error. It is the
    mean weighted by the inverse square of each code's distance from the plain mean: a few codes far from
    all others hardly change it. Rows whose square is not finite become zeros with the lowest bias.
    """
    codebook = tf.convert_to_tensor(codebook)
    usable = is_finite(tf.reduce_sum(tf.square(codebook), axis=1))
    safe = tf.where(usable[:, None], codebook, 0.0)
    squared = tf.reduce_sum(tf.square(safe - _mean_row(safe, tf.cast(usable, safe.dtype))), axis=1)
    weights = tf.where(usable & is_finite(squared), 1.0 / (squared + SMALL), 0.0)
    centre = _mean_row(safe, weights / (tf.reduce_max(weights) + SMALL))
    code_vectors = tf.where(usable[:, None], safe - centre, 0.0)
    bias = -0.5 * tf.reduce_sum(tf.square(code_vectors), axis=1)
    return code_vectors, tf.where(usable & is_finite(bias), bias, codebook.dtype.min), centre


def _mean_row(rows, weights):
    return tf.matmul((weights / (tf.reduce_sum(weights) + SMALL))[None], rows)[0]


def similarities(x: Tensor, code_vectors: Tensor, bias: Tensor, centre: Tensor | None = None) -> Tensor:
    """Return `(x - centre).c_k + bias_k`, `(vectors, K)`."""
    x = x if centre is None else x - centre
    # bias_add instead of +: TensorFlow fuses it with the product, which saves one pass over the scores
    return tf.nn.bias_add(tf.matmul(x, code_vectors, transpose_b=True), bias)


def sole_best(scores: Tensor, slack: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the index of the largest score of each row of `(rows, K)`; -1 if another is within `slack`.

    If `GROUP` divides a large `K`, the search has two stages: the maxima of the groups are one vectorised
    pass; the rest reads `K / GROUP + GROUP` values of a row instead of `K`. A row with NaN, or with a
    `slack` that is NaN, has no sole best.
    """
    if scores.shape[1] < 4 * GROUP:
        return _sole(scores, tf.reduce_max(scores, axis=1) - slack(tf.reduce_max(scores, axis=1)))
    groups = scores.shape[1] // GROUP
    maxima = tf.reduce_max(tf.reshape(scores, (-1, groups, GROUP)), axis=-1)
    largest = tf.reduce_max(maxima, axis=1)
    least = largest - slack(largest)
    best = _sole(maxima, least)
    rows = tf.range(tf.shape(scores)[0]) * groups + tf.maximum(best, 0)
    within = _sole(tf.gather(tf.reshape(scores, (-1, GROUP)), rows), least)
    return tf.where((best >= 0) & (within >= 0), GROUP * best + within, -1)


def _sole(scores, least):
    """Return the index of the only score of each row that is at least `least`, else -1."""
    columns = scores.shape[1]
    reached = scores >= least[:, None]
    if columns > MOST_COLUMNS:
        count = tf.math.count_nonzero(reached, axis=1, dtype=tf.int32)
        return tf.where(count == 1, argmax(scores), -1)
    # number of such scores and sum of their indices: the index if there is one; faster than argmax
    read = tf.constant(np.stack([np.ones(columns), np.arange(columns)], axis=1), tf.float32)
    found = tf.matmul(tf.cast(reached, tf.float32), read)
    return tf.where(found[:, 0] == 1.0, tf.cast(found[:, 1], tf.int32), -1)


def _whole_groups(code_vectors, bias):
    """Append codes that are never chosen, up to a multiple of `GROUP`, if there are groups."""
    missing = -code_vectors.shape[0] % GROUP if code_vectors.shape[0] >= 4 * GROUP else 0
    if not missing:
        return code_vectors, bias
    bias = tf.concat([bias, tf.fill((missing,), bias.dtype.min)], axis=0)
    return tf.pad(code_vectors, ((0, missing), (0, 0))), bias


def _search_again(found, x, codebook, table):
    """Return `found`, with the rows where it is negative searched again in float64."""
    if has_fixed_shapes():
        return _search_again_in_windows(found, x, codebook, table)
    order = tf.cast(tf.where(found < 0)[:, 0], tf.int32)
    wide = tf.cast(codebook, tf.float64)

    def step(block, found):
        numbers = block.rows_of(order)
        rows = finite_or_zero(tf.gather(x, numbers))
        scores = exact_scores(rows, codebook, table)
        nearest = nearest_of_best(tf.cast(rows, tf.float64), wide, scores, CANDIDATES)
        return tf.tensor_scatter_nd_update(found, numbers[:, None], nearest)

    columns = 2 * max(codebook.shape[0], CANDIDATES * codebook.shape[1])  # values of 8 bytes
    return row_blocks(step, found, order, columns)


def _search_again_in_windows(found, x, codebook, table):
    """Search again for XLA, in windows of rows, each from the first row where `found` is negative.

    The number of windows depends on the values, their size does not. Lists of rows, or the best of
    several scores, would need a scatter of all rows or a sort, which XLA compiles slowly.
    """
    total = tf.shape(x)[0]
    size = tf.minimum(WINDOW, total)

    def step(found):
        window = RowBlock(tf.minimum(argmax(tf.cast(found < 0, tf.int32)), total - size), size, 0)
        known = window.rows_of(found)
        nearest = argmax(exact_scores(window.rows_of(x), codebook, table))
        searched = tf.where(known < 0, nearest, known)
        return tf.tensor_scatter_nd_update(found, window.numbers()[:, None], searched)

    return tf.while_loop(lambda found: tf.reduce_any(found < 0), step, (found,), parallel_iterations=1)[0]


def _roundoff() -> float:
    """Return the unit roundoff of a float32 product: that of TensorFloat-32 if a GPU may use it."""
    rounds = tf.config.experimental.tensor_float_32_execution_enabled()
    return 2.0**-11 if rounds and tf.config.list_physical_devices("GPU") else 2.0**-24
