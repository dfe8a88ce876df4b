"""GRU over sequences of different lengths without steps for padding.

Rows are sorted by length, the longest first: at step `t` the first `counts[t]` rows remain. The packed
sequences are one matrix whose rows are all values of step 0, then all of step 1, and so on.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf  # arrays of values of different sizes, and custom gradients
from keras import ops


class Packing(NamedTuple):
    """Positions of the values of sequences in packed form.

    Attributes:
        order: `(batch,)`, indices of the rows, the longest first.
        lengths: `(batch,)`, in that order.
        counts: `(steps,)`, number of rows that have a value at each step.
        starts: `(steps,)`, index of the first of them in the packed values.
    """

    order: tf.Tensor
    lengths: tf.Tensor
    counts: tf.Tensor
    starts: tf.Tensor

    @classmethod
    def of(cls, lengths: tf.Tensor) -> "Packing":
        """Return the packing of sequences of these lengths, int32 `(batch,)`.

        Example:

        >>> Packing.of(tf.constant([1, 3, 0])).counts.numpy().tolist()
        [2, 1, 1]
        """
        order = tf.argsort(lengths, direction="DESCENDING", stable=True)
        # at least one step: without steps there are no states
        steps = tf.range(tf.maximum(1, tf.reduce_max(lengths)))
        counts = tf.math.count_nonzero(lengths[None, :] > steps[:, None], axis=1, dtype=tf.int32)
        return cls(order, tf.gather(lengths, order), counts, tf.cumsum(counts, exclusive=True))

    def pack(self, values: tf.Tensor) -> tf.Tensor:
        """Pack `(batch, length)` values into `(sum of lengths,)`."""
        values = tf.gather(values, self.order)
        real = tf.sequence_mask(self.lengths, tf.shape(values)[1])
        return tf.boolean_mask(tf.transpose(values), tf.transpose(real))

    def last(self, states: tf.Tensor) -> tf.Tensor:
        """Return the state after the last value of each sequence, in batch order; zeros without values."""
        place = tf.gather(self.starts, tf.maximum(self.lengths - 1, 0)) + tf.range(tf.size(self.order))
        # a row of zeros in front, for sequences without a value
        states = tf.pad(states, [[1, 0], [0, 0]])
        last = tf.gather(states, tf.where(self.lengths > 0, 1 + place, 0))
        return tf.gather(last, tf.math.invert_permutation(self.order))


def packed_gru(
    inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor, packing: Packing, first: tf.Tensor | None = None
) -> tf.Tensor:
    """Return all states of a GRU on packed sequences.

    ```
    z, r = sigmoid(x_zr + h U_zr + b_zr),  c = tanh(x_c + r (h U_c + b_c)),  h' = z h + (1 - z) c
    ```

    Only the product with `h` is computed step by step. For the gradients, which are written explicitly,
    the gates of all steps are recomputed at once, and sums over steps are single products.

    Args:
        inputs: `(values, 3 units)`, `x W` plus its bias, packed; gates in Keras' order z, r, c.
        kernel: `U`, `(units, 3 units)`.
        bias: `b`, `(3 units,)`.
        packing: `Packing` of the sequences.
        first: `(batch, units)`, `h` before the first value, in the order of the packing; `None`: zeros.

    Returns:
        `(values, units)`.
    """
    if first is None:
        first = tf.zeros((tf.size(packing.order), kernel.shape[0]), inputs.dtype)

    @tf.custom_gradient
    def run(inputs, kernel, bias, first):
        states = _states(inputs, kernel, bias, first, packing)
        return states, lambda upstream: _gradients(upstream, states, inputs, kernel, bias, first, packing)

    return run(inputs, kernel, bias, first)


def _states(inputs, kernel, bias, first, packing):
    counts, starts = packing.counts, packing.starts

    def step(t, state):
        state = state[: counts[t]]
        z, _, c, _ = _gates(inputs[starts[t] : starts[t] + counts[t]], tf.matmul(state, kernel) + bias)
        state = z * (state - c) + c
        return state, state

    _, states = _collected(tf.range(tf.size(counts)), step, first)
    return states


def _gradients(upstream, states, inputs, kernel, bias, first, packing):
    """Return the gradients of `inputs`, `kernel`, `bias` and `first`."""
    counts, starts, units = packing.counts, packing.starts, kernel.shape[0]
    before = _states_before(states, first, packing)
    z, r, c, inner = _gates(inputs, tf.matmul(before, kernel) + bias)
    # the new state's derivatives with respect to x_z, x_r, x_c, and the three parts of h U
    by_z, by_c = (before - c) * z * (1 - z), (1 - z) * (1 - c * c)
    by_r = by_c * inner * r * (1 - r)
    by_inputs = tf.stack([by_z, by_r, by_c], axis=1)
    by_products = tf.stack([by_z, by_r, by_c * r], axis=1)
    upstream = tf.convert_to_tensor(upstream)

    def step(t, from_next):
        own = slice(starts[t], starts[t] + counts[t])
        ended = counts[t] - tf.shape(from_next)[0]
        of_state = upstream[own] + tf.pad(from_next, [[0, ended], [0, 0]])
        of_products = tf.reshape(of_state[:, None] * by_products[own], (-1, 3 * units))
        return of_state * z[own] + tf.matmul(of_products, kernel, transpose_b=True), of_state

    none = tf.zeros((0, units), inputs.dtype)
    of_first, of_states = _collected(tf.range(tf.size(counts) - 1, -1, -1), step, none)
    of_states = of_states[:, None]
    of_inputs, of_products = (tf.reshape(of_states * by, (-1, 3 * units)) for by in (by_inputs, by_products))
    of_kernel = tf.matmul(before, of_products, transpose_a=True)
    # sequences without a value do not use their first state
    of_first = tf.pad(of_first, [[0, tf.shape(first)[0] - counts[0]], [0, 0]])
    return of_inputs, of_kernel, tf.reduce_sum(of_products, axis=0), of_first


def _gates(x, products):
    """Return `z, r, c, h U_c + b_c`."""
    units = x.shape[-1] // 3
    z, r = tf.split(tf.sigmoid(x[:, : 2 * units] + products[:, : 2 * units]), 2, axis=1)
    inner = products[:, 2 * units :]
    return z, r, tf.tanh(x[:, 2 * units :] + r * inner), inner


def _states_before(states, first, packing):
    """Return the state before each step."""
    count = packing.counts[0]
    with_first = tf.concat([first[:count], states], axis=0)
    starts_before = tf.concat([[0], count + packing.starts[:-1]], 0)
    places = tf.repeat(starts_before - packing.starts, packing.counts) + tf.range(tf.shape(states)[0])
    return tf.gather(with_first, places)


def _collected(steps, function, state):
    """Run `state, output = function(t, state)` for `t` in `steps`; return the last state and all outputs."""
    count = tf.size(steps)
    outputs = tf.TensorArray(state.dtype, count, element_shape=(None, state.shape[-1]), infer_shape=False)

    def body(i, state, outputs):
        state, output = function(steps[i], state)
        return i + 1, state, outputs.write(steps[i], output)

    shapes = (tf.TensorShape(()), tf.TensorShape((None, state.shape[-1])), tf.TensorShape(None))
    loop = tf.while_loop(lambda i, *_: i < count, body, (0, state, outputs), shape_invariants=shapes)
    return loop[1], loop[2].concat()


@keras.saving.register_keras_serializable(package="keras_ae")
class GRU(keras.layers.GRU):
    """`keras.layers.GRU` that also accepts entirely masked sequences.

    The GRU of cuDNN does not accept a row without a real step. The first step of such a row is processed,
    and its outputs are set to zero, as in Keras on a CPU. The weights are those of Keras' layer.

    Example:

    >>> states = GRU(2)(ops.ones((2, 3, 1)), mask=ops.array([[True, True, False], [False] * 3]))
    >>> states[1].numpy().tolist()
    [0.0, 0.0]
    """

    def call(
        self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = False
    ) -> Any:
        run = super().call
        if mask is None or initial_state is not None or self.stateful:
            return run(sequences, initial_state=initial_state, mask=mask, training=training)
        mask = ops.cast(mask, "bool")
        empty = ~ops.any(mask, axis=1)
        first = ops.arange(ops.shape(mask)[1], dtype="int32") == 0
        mask = mask | (empty[:, None] & first[None])
        return keras.tree.map_structure(
            lambda part: ops.where(ops.reshape(empty, (-1, *[1] * (len(part.shape) - 1))), 0.0, part),
            run(sequences, mask=mask, training=training),
        )
