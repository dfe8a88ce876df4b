"""GRU for masked sequences, on every device."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class GRU(keras.layers.GRU):
    """`keras.layers.GRU`, also for sequences that are masked entirely.

    The GRU of cuDNN does not accept a row without a real step. The first step of such a row is read, and
    its outputs are zeros, as those of Keras on a CPU. The weights are those of Keras' layer.

    Example:

    >>> states = GRU(2)(ops.ones((2, 3, 1)), mask=ops.array([[True, True, False], [False] * 3]))
    >>> states[1].numpy().tolist()
    [0.0, 0.0]
    """

    def call(self, sequences, initial_state=None, mask=None, training=False):
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
