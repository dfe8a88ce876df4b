"""Operations that several layers and models share.

Whatever must convert to ONNX is written here once. `tf.argmax` stands where
`keras.ops.argmax` would trace a Bitcast, which has no ONNX equal.
"""

import contextlib
import contextvars

import tensorflow as tf
from keras import ops

BLOCK_SCORES = 2**20  # scores held at once by the search: 4 MiB of float32, about an L2 cache

_exporting = contextvars.ContextVar("keras_ae_exporting", default=False)


@contextlib.contextmanager
def exporting():
    """Trace for an artifact: nothing updates metrics, the search is one matrix product."""
    token = _exporting.set(True)
    try:
        yield
    finally:
        _exporting.reset(token)


def is_exporting() -> bool:
    """Whether the code runs inside `exporting()`."""
    return _exporting.get()


def argmax(scores):
    """Index of the largest entry of the last axis, int32."""
    return tf.argmax(scores, axis=-1, output_type=tf.int32)


def straight_through(x, quantized):
    """`quantized` forward, the gradient of `x` backward."""
    return x + ops.stop_gradient(quantized - x)


def num_replicas() -> int:
    """Replicas of the current `tf.distribute` strategy; 1 outside of its `run`."""
    if tf.distribute.in_cross_replica_context():
        return 1
    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(tensors):
    """All-reduced sum of a tensor or a nest of tensors; the tensor itself on one replica."""
    if num_replicas() == 1:
        return tensors
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def weighted_mean(values, weights=None):
    """Mean of `values` over real elements, exact under replicas.

    `sum(values * weights) / sum(weights)`, where both sums run over the global
    batch: a replica returns its share times the number of replicas, so that the
    mean over replicas is the global mean, also where they hold unequal shares.

    Args:
        values: float tensor.
        weights: tensor that broadcasts to `values` (trailing axes are added),
            1 = real, 0 = padding; `None`: all real.

    Returns:
        scalar; 0 where nothing is real.
    """
    if weights is None and num_replicas() == 1:
        return ops.mean(values)
    weights = ops.ones_like(values) if weights is None else ops.cast(weights, values.dtype)
    while len(weights.shape) < len(values.shape):
        weights = ops.expand_dims(weights, -1)
    weights = ops.broadcast_to(weights, ops.shape(values))
    total = ops.sum(values * weights)
    count = sum_over_replicas(ops.sum(weights))
    return ops.divide_no_nan(total * num_replicas(), count)


def nearest_code(x, codebook):
    """Index of the nearest row of `codebook` in Euclidean distance, int32.

    `argmin_k |x - c_k|^2 = argmax_k x.c_k - |c_k|^2 / 2`, after both are shifted
    by the mean of the codebook: the answer is the same, the rounding errors of data
    far from the origin are gone. The scores are made in blocks of rows, so that
    memory does not grow with vectors x codes.

    Args:
        x: `(vectors, dim)` float32.
        codebook: `(codes, dim)` float32.

    Returns:
        `(vectors,)` int32.
    """
    centre = tf.reduce_mean(codebook, axis=0)
    codes = codebook - centre
    half_norms = 0.5 * tf.reduce_sum(tf.square(codes), axis=1)
    return most_similar(x, codes, -half_norms, centre)


def most_similar(x, codes, bias=None, centre=None):
    """`argmax_k (x - centre).codes_k + bias_k` in row blocks, int32 `(vectors,)`."""

    def search(rows):
        rows = rows if centre is None else rows - centre
        scores = tf.matmul(rows, codes, transpose_b=True)
        return argmax(scores if bias is None else scores + bias)

    if is_exporting():  # one matrix product: quantisers and browsers read it better than a loop
        return search(x)
    return _in_row_blocks(search, x, rows=max(1, BLOCK_SCORES // codes.shape[0]))


def _in_row_blocks(function, x, rows):
    """int32 `function` of each block of at most `rows` rows of `x`; the last one overlaps."""
    total = tf.shape(x)[0]
    blocks = (total + rows - 1) // rows
    rows = tf.minimum(rows, total)

    def step(index, result):
        start = tf.minimum(index * rows, total - rows)
        found = function(tf.slice(x, (start, 0), (rows, x.shape[1])))
        return index + 1, tf.tensor_scatter_nd_update(result, (start + tf.range(rows))[:, None], found)

    # one block at a time: parallel iterations would hold several blocks of scores
    state = (0, tf.zeros((total,), tf.int32))
    _, result = tf.while_loop(lambda i, _: i < blocks, step, state, parallel_iterations=1)
    return result
