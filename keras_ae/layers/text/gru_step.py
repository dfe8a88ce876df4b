"""One step of a GRU whose inputs are multiplied already."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class GRUStep(keras.layers.Layer):
    """A cell of `keras.layers.RNN` that takes `x_t W + b`, made for all steps at once.

    ```
    z, r = sigmoid(x_z + h U_z), sigmoid(x_r + h U_r)
    h~   = tanh(x_h + r * (h U_h))
    h    = z h + (1 - z) h~
    ```

    Each of `U_z`, `U_r`, `U_h` starts orthogonal.

    Args:
        units: size of the state.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, 3 units)`: of the gates `z`, `r` and of the candidate, in the order of Keras.
        states: `[h (batch, units)]`.

    Returns:
        `(h, [h])` of the next step.

    Example:

    >>> keras.layers.RNN(GRUStep(4))(ops.zeros((2, 5, 12))).shape
    TensorShape([2, 4])

    Reference:
        Cho et al., 2014, https://arxiv.org/abs/1406.1078.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape):
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(self.units, 3 * self.units), initializer=_orthogonal_gates
        )

    def call(self, inputs, states):
        (state,) = states
        recurrent = ops.matmul(state, self.recurrent_kernel)
        gates = ops.sigmoid(inputs[:, : -self.units] + recurrent[:, : -self.units])
        update, reset = gates[:, : self.units], gates[:, self.units :]
        candidate = ops.tanh(inputs[:, -self.units :] + reset * recurrent[:, -self.units :])
        state = update * state + (1 - update) * candidate
        return state, [state]

    def compute_output_shape(self, input_shape, states_shape=None):
        state = (input_shape[0], self.units)
        return state, [state]

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def _orthogonal_gates(shape, dtype=None):
    """An orthogonal matrix for each gate: of the three as one matrix only the rows would be orthogonal."""
    units, gates = shape[0], shape[1] // shape[0]
    parts = [keras.initializers.Orthogonal()((units, units), dtype) for _ in range(gates)]
    return ops.concatenate(parts, axis=1)
