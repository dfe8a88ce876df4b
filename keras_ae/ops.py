"""Operations that several layers and models share.

Whatever must convert to ONNX is written here once. `tf.argmax` stands where
`keras.ops.argmax` would trace a Bitcast, which has no ONNX equal.
"""

import contextlib
import contextvars
from dataclasses import dataclass

import keras
import tensorflow as tf
from keras import ops
from tensorflow.python.ops import control_flow_util  # no public function says whether XLA compiles

from keras_ae.loss_term import LossTerm

BLOCK_SCORES = 2**20  # scores held at once by the search: 4 MiB of float32, near the cores' caches

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


def has_fixed_shapes() -> bool:
    """Whether the code is traced for an artifact or for XLA, where sizes cannot depend on values."""
    graph = tf.compat.v1.get_default_graph()
    return is_exporting() or control_flow_util.GraphOrParentsInXlaContext(graph)


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


def gather_over_replicas(rows):
    """`(rows of all replicas, number of the first of this replica's)`: replica 0 first, then replica 1, ...

    Differentiable: a replica's rows receive the gradients of all. Shares may differ in size.
    """
    if num_replicas() == 1:
        return rows, 0
    local = tf.shape(rows)[0]
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    shares = sum_over_replicas(local * tf.one_hot(replica, num_replicas(), dtype=tf.int32))
    first = tf.reduce_sum(shares[:replica])
    after = tf.reduce_sum(shares) - first - local
    # each replica fills its own place: one sum, whose gradient TensorFlow knows
    return sum_over_replicas(tf.pad(rows, [[first, after]] + [[0, 0]] * (len(rows.shape) - 1))), first


def where_counted(values, weights):
    """Return `values` with zeros where `weights` is 0, even for NaN.

    By selection, not by a product: `0 * NaN` is NaN, forward and backward. Applied to the *inputs* of a
    function, it also keeps NaN out of the function's gradient.

    Args:
        values: tensor.
        weights: tensor that broadcasts to `values` (trailing axes are added); `None`: all count.

    Returns:
        tensor of the shape of `values`; no gradient reaches entries of weight 0.

    Example:

    >>> where_counted(ops.array([[1.0, 2.0], [float("nan"), 4.0]]), [1, 0]).numpy().tolist()
    [[1.0, 2.0], [0.0, 0.0]]
    """
    if weights is None:
        return values
    return ops.where(_spread(ops.cast(weights, "bool"), values), values, ops.zeros_like(values))


def finite_padding(x, weights):
    """Return `x` with zeros where `weights` is 0 *and* `x` is not finite.

    For the inputs of networks, whose gradients would turn `0 * NaN` into NaN.

    Args:
        x: tensor.
        weights: tensor that broadcasts to `x` (trailing axes are added); `None`: all count.

    Example:

    >>> finite_padding(ops.array([1.0, 2.0, float("nan")]), [1, 0, 0]).numpy().tolist()
    [1.0, 2.0, 0.0]
    """
    if weights is None or is_exporting():
        return x

    def selected():
        kept = ops.logical_or(_spread(ops.cast(weights, "bool"), x), ops.isfinite(x))
        return ops.where(kept, x, ops.zeros_like(x))

    return tf.cond(all_finite(x), lambda: x, selected) if is_concrete(x) else selected()


def is_concrete(x) -> bool:
    """Return whether conditions on the values of `x` save time: XLA and symbolic tensors select instead."""
    return not isinstance(x, keras.KerasTensor) and not has_fixed_shapes()


def all_finite(x):
    """Return whether all entries of a float tensor and the sum of their squares are finite: one fast pass."""
    return is_finite(tf.nn.l2_loss(x))


def _spread(weights, values):
    """`weights` with as many axes as `values`."""
    weights = ops.convert_to_tensor(weights)
    return ops.reshape(weights, (*ops.shape(weights), *[1] * (len(values.shape) - len(weights.shape))))


def mean_term(values, weights=None) -> LossTerm:
    """Return the mean of `values` over real elements, with its denominator: a term of an objective.

    `sum(values * weights) / sum(weights)`, where both sums run over the global
    batch: a replica returns its share times the number of replicas, so that the
    mean over replicas is the global mean, also where they hold unequal shares. Terms are added and
    scaled as numbers are, and each one is averaged over an epoch by its own `sum(weights)`.

    Args:
        values: float tensor. Where the weight is 0 it may be NaN.
        weights: tensor that broadcasts to `values` (trailing axes are added),
            1 = real, 0 = padding; `None`: all real.

    Returns:
        `LossTerm` of one part; its value is 0 where nothing is real.

    Example:

    >>> term = mean_term(ops.array([1.0, 3.0, 8.0]), ops.array([1.0, 1.0, 0.0]))
    >>> float(term), float(term.parts[0][1])
    (2.0, 2.0)
    """
    values = ops.convert_to_tensor(values)
    values = ops.cast(values, "float32") if values.dtype.size < 4 else values  # half: sums overflow
    if weights is None and num_replicas() == 1:
        return LossTerm([(ops.mean(values), ops.cast(ops.size(values), "float32"))])
    weights = ops.ones_like(values) if weights is None else ops.cast(_spread(weights, values), values.dtype)
    weights = ops.broadcast_to(weights, ops.shape(values))
    total = ops.sum(where_counted(values, weights) * weights)
    count = sum_over_replicas(ops.sum(weights))
    return LossTerm([(ops.divide_no_nan(total * num_replicas(), count), count)])


def batch_term(value, weights) -> LossTerm:
    """Return a scalar that is not a mean over examples, such as the entropy of a mean, as a term.

    The result of an epoch is its mean over batches, each weighted by the sum of `weights` over the global
    batch: by the examples or vectors that the scalar is computed from.

    Args:
        value: scalar of the global batch.
        weights: tensor; on a replica, its part of the global batch.
    """
    weights = ops.cast(weights, "float32")
    return LossTerm([(value, sum_over_replicas(ops.sum(weights)))])


def weighted_mean(values, weights=None):
    """Return `mean_term(values, weights)` as a scalar tensor, for a loss with a single term.

    Returned by `compute_terms` or passed to `add_loss` unchanged, it is averaged over an epoch by its own
    weights. A sum of such tensors is weighted by examples: write sums with `mean_term`.

    Returns:
        scalar; 0 where nothing is real.
    """
    return mean_term(values, weights).value


def is_finite(x):
    """Return whether each entry is neither NaN nor infinite, in operations that every runtime has."""
    return ops.abs(x) <= _largest(x)


def finite_or_zero(x):
    """Return `x` with 0 in place of NaN and infinities; no gradient reaches those."""
    return ops.where(is_finite(x), x, ops.zeros_like(x))


def finite_rows(x):
    """Return whether all entries of each row of `(rows, ...)`, and their squares, are finite."""
    return is_finite(ops.sum(ops.square(x), axis=tuple(range(1, len(x.shape)))))


def assign_finite(*updates):
    """Assign `(variable, value)` pairs: all of them, or none if any value is not finite.

    One batch that is not finite (an overflow of half precision, a corrupt file) would stay in a
    running statistic for ever. The choice is a selection, not a conditional: replicas with the same
    all-reduced values choose alike.
    """
    finite = [ops.all(is_finite(ops.stop_gradient(value))) for _, value in updates]
    finite = ops.all(ops.stack(finite))
    values = [ops.where(finite, value, ops.convert_to_tensor(variable)) for variable, value in updates]
    for (variable, _), value in zip(updates, values, strict=True):
        variable.assign(ops.stop_gradient(value))


def _largest(x):
    return tf.as_dtype(keras.backend.standardize_dtype(x.dtype)).max


def in_row_blocks(function, x, columns):
    """int32 `function(block, number of its first row)` of all rows of `x`, block by block."""

    def step(block, result):
        found = function(block.rows_of(x), block.start)
        return tf.tensor_scatter_nd_update(result, block.numbers()[:, None], found)

    return row_blocks(step, tf.zeros((tf.shape(x)[0],), tf.int32), x, columns)


def row_blocks(step, state, x, columns, count=None):
    """Repeat `state = step(block, state)` over `RowBlock`s of at most `BLOCK_SCORES / columns` rows of `x`.

    `count`: rows from the first that matter; the last block may reach beyond. `None`: all.
    """
    total = tf.shape(x)[0]
    rows = max(1, BLOCK_SCORES // columns)
    blocks = ((total if count is None else count) + rows - 1) // rows
    rows = tf.minimum(rows, total)

    def body(index, state):
        # all blocks are of one size, which XLA asks for: the last one overlaps
        block = RowBlock(tf.minimum(index * rows, total - rows), rows, index * rows)
        return index + 1, step(block, state)

    # one block at a time: parallel iterations would hold several blocks of scores
    return tf.while_loop(lambda i, _: i < blocks, body, (0, state), parallel_iterations=1)[1]


@dataclass(frozen=True)
class RowBlock:
    """Rows `start` to `start + size` of a tensor; those before `fresh_from` were in the block before."""

    start: tf.Tensor
    size: tf.Tensor
    fresh_from: tf.Tensor

    def rows_of(self, x):
        """The block's rows of `x`."""
        return tf.slice(x, [self.start] + [0] * (len(x.shape) - 1), [self.size, *x.shape[1:]])

    def numbers(self):
        """The numbers of the rows."""
        return self.start + tf.range(self.size)

    def fresh(self):
        """1.0 for each row that no earlier block had, else 0.0: for sums."""
        return tf.cast(self.numbers() >= self.fresh_from, tf.float32)
