"""Context of a call (export, XLA, replicas, recording), and operations on values that may be NaN."""

import contextlib
import contextvars
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, TypeAlias

import keras
import tensorflow as tf
from keras import ops
from tensorflow.python.ops import control_flow_util  # no public function detects compilation by XLA

Tensor: TypeAlias = Any  # a tf.Tensor; while a functional model is built, a keras.KerasTensor

_exporting = contextvars.ContextVar("keras_ae_exporting", default=False)


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """Trace for an artifact: no metric is updated, and the search is a single matrix product."""
    token = _exporting.set(True)
    try:
        yield
    finally:
        _exporting.reset(token)


def is_exporting() -> bool:
    """Return whether the code runs inside of `exporting()`."""
    return _exporting.get()


def has_fixed_shapes() -> bool:
    """Return whether the code is traced for an artifact or XLA, where sizes cannot depend on values."""
    graph = tf.compat.v1.get_default_graph()
    return is_exporting() or control_flow_util.GraphOrParentsInXlaContext(graph)


def straight_through(x: Tensor, quantized: Tensor) -> Tensor:
    """Return `quantized` in the forward pass, with the gradient of `x` in the backward pass."""
    return x + ops.stop_gradient(quantized - x)


def num_replicas() -> int:
    """Return the number of replicas of the current `tf.distribute` strategy; 1 outside of its `run`."""
    if tf.distribute.in_cross_replica_context():
        return 1
    return tf.distribute.get_strategy().num_replicas_in_sync


def sum_over_replicas(tensors: Any) -> Any:
    """Return the all-reduced sum of a tensor or a nest of tensors; the tensor itself on one replica."""
    if num_replicas() == 1:
        return tensors
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tensors)


def gather_over_replicas(rows: Tensor) -> tuple[Tensor, Tensor | int]:
    """Return `(rows of all replicas, index of this replica's first row)`, in the order of replicas.

    Differentiable: the rows of a replica receive the gradients of all replicas. Shares may differ in size.
    """
    if num_replicas() == 1:
        return rows, 0
    local = tf.shape(rows)[0]
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    shares = sum_over_replicas(local * tf.one_hot(replica, num_replicas(), dtype=tf.int32))
    first = tf.reduce_sum(shares[:replica])
    after = tf.reduce_sum(shares) - first - local
    # each replica fills its own rows: one sum, whose gradient TensorFlow implements
    return sum_over_replicas(tf.pad(rows, [[first, after]] + [[0, 0]] * (len(rows.shape) - 1))), first


def where_counted(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return `values` with zeros where `weights` is 0, even for NaN.

    The values are selected, not multiplied: `0 * NaN` is NaN, forward and backward. Applied to the
    *inputs* of a function, it also keeps NaN out of the function's gradient.

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
    return ops.where(spread(ops.cast(weights, "bool"), values), values, ops.zeros_like(values))


def finite_padding(x: Tensor, weights: Tensor | None) -> Tensor:
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
        kept = ops.logical_or(spread(ops.cast(weights, "bool"), x), ops.isfinite(x))
        # zeros of the size of x would be a constant of the graph, in memory even while they are not used
        return ops.where(kept, x, 0.0)

    return tf.cond(all_finite(x), lambda: x, selected) if is_concrete(x) else selected()


def is_concrete(x) -> bool:
    """Return whether conditions on the values of `x` save time: XLA and symbolic tensors select instead."""
    return not isinstance(x, keras.KerasTensor) and not has_fixed_shapes()


def all_finite(x):
    """Return whether all entries of a float tensor and the sum of their squares are finite: one fast pass."""
    return is_finite(tf.nn.l2_loss(x))


def spread(weights: Tensor, values: Tensor) -> Tensor:
    """Return `weights` with as many axes as `values`."""
    weights = ops.convert_to_tensor(weights)
    return ops.reshape(weights, (*ops.shape(weights), *[1] * (len(values.shape) - len(weights.shape))))


def is_finite(x: Tensor) -> Tensor:
    """Return whether each entry is neither NaN nor infinite, in operations that every runtime supports."""
    return ops.abs(x) <= _largest(x)


def finite_or_zero(x: Tensor) -> Tensor:
    """Return `x` with 0 in place of NaN and infinities; no gradient reaches those."""
    return ops.where(is_finite(x), x, ops.zeros_like(x))


def finite_rows(x: Tensor) -> Tensor:
    """Return whether all entries of each row of `(rows, ...)`, and their squares, are finite."""
    return is_finite(ops.sum(ops.square(x), axis=tuple(range(1, len(x.shape)))))


def assign_finite(*updates: tuple[keras.Variable, Tensor]) -> None:
    """Assign `(variable, value)` pairs: all of them, or none if any value is not finite.

    A single batch that is not finite (an overflow of half precision, a corrupt file) would stay in a
    running statistic forever. The values are selected, not assigned conditionally: replicas with the same
    all-reduced values make the same choice.
    """
    finite = [ops.all(is_finite(ops.stop_gradient(value))) for _, value in updates]
    finite = ops.all(ops.stack(finite))
    values = [ops.where(finite, value, ops.convert_to_tensor(variable)) for variable, value in updates]
    for (variable, _), value in zip(updates, values, strict=True):
        variable.assign(ops.stop_gradient(value))


def _largest(x):
    return tf.as_dtype(keras.backend.standardize_dtype(x.dtype)).max


def rotate_onto(x: Tensor, quantized: Tensor) -> Tensor:
    """Return `quantized`; in the backward pass, the gradient is rotated and scaled as `x` is onto its code.

    ```
    y = sg[|q|/|x| R] x,   R x/|x| = q/|q|,   R = I - 2 r r^T + 2 q^ x^^T,   r = (x^ + q^)/|x^ + q^|
    ```

    Vectors without such a rotation (zeros, or opposite to their code) get the straight-through gradient.

    Args:
        x: `(..., dim)`.
        quantized: `(..., dim)`, treated as a constant.

    Returns:
        `(..., dim)`: `quantized`, up to rounding.

    Reference:
        Fifty et al., 2024, https://arxiv.org/abs/2410.06424, section 4.2.

    Example:

    >>> rotate_onto(ops.array([[3.0, 0.0]]), ops.array([[0.0, 2.0]])).numpy().round(5).tolist()
    [[0.0, 2.0]]
    """
    quantized = ops.stop_gradient(quantized)
    constant = ops.stop_gradient(x)
    length, code_length = _norm(constant), _norm(quantized)
    from_, to = constant / length, quantized / code_length
    between = from_ + to
    half = _norm(between)
    axis = between / half
    turned = x - 2.0 * _dot(x, axis) * axis + 2.0 * _dot(x, from_) * to
    rotated = turned * (code_length / length)
    exists = (length > 1e-6) & (code_length > 1e-6) & (half > 1e-3)
    return tf.where(exists, rotated, x + (quantized - constant))


def _dot(x, y):
    return ops.sum(x * y, axis=-1, keepdims=True)


def _norm(x):
    return ops.maximum(ops.sqrt(_dot(x, x)), 1e-12)


_APART = 1_000_003  # distance between the seeds of replicas: other layers of a model have nearby seeds


def replica_number() -> Tensor | int:
    """Return the index of the current replica of `tf.distribute`; 0 outside of its `run`."""
    if tf.distribute.in_cross_replica_context():
        return 0
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def uniform_noise(shape: tuple[Any, ...], seed_generator: keras.random.SeedGenerator) -> Tensor:
    """Return float32 noise, uniform in [0, 1): different at every call and in every replica.

    A `keras.random.SeedGenerator` has the same state on all replicas, so that `keras.random.uniform`
    would give them the same numbers.

    XLA yields different random numbers.

    Args:
        shape: shape of the result.
        seed_generator: `keras.random.SeedGenerator`, whose counter is incremented by one.
    """
    seed = tf.cast(seed_generator.next(), "int32")
    return tf.random.stateless_uniform(shape, seed + tf.stack([_APART * replica_number(), 0]))


STEPS = ("train_step", "test_step")
# matched only as functions of Keras' modules: others may have these names, and overrides call Keras' own
LOOPS = ("fit", "evaluate", "predict", "predict_step")


def is_recording() -> bool:
    """Return whether layer metrics are updated by the current call.

    | call | updates metrics |
    |---|---|
    | in a training or evaluation step | yes |
    | by a callback during `fit` or `evaluate` | no: the results of an epoch are those of its steps |
    | in `predict`, or in an export | no |
    | outside of all of them | yes |

    Keras does not pass this information to a layer, so the innermost of these functions on the call stack
    decides. In a compiled step this is the call stack of the tracing, so the answer is fixed for the
    graph.
    """
    if is_exporting():
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_name
        if name in STEPS:
            return True
        if name in LOOPS and frame.f_globals.get("__name__", "").startswith("keras."):
            return False
        frame = frame.f_back
    return True


def argmax(scores: Tensor) -> Tensor:
    """Return the index of the largest entry of the last axis, int32.

    `keras.ops.argmax` traces a Bitcast, which has no equivalent in ONNX.
    """
    return tf.argmax(scores, axis=-1, output_type=tf.int32)
