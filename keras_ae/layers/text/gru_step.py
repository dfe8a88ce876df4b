"""GRU cell with precomputed input projections."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class GRUStep(keras.layers.Layer):
    """GRU cell for `keras.layers.RNN` whose inputs are `x_t W + b`, computed for all steps at once.

    ```
    z, r = sigmoid(x_z + h U_z), sigmoid(x_r + h U_r)
    h~   = tanh(x_h + r * (h U_h))
    h    = z h + (1 - z) h~
    ```

    Each of `U_z`, `U_r`, `U_h` is initialised orthogonal.

    Args:
        units: size of the state.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `(batch, 3 units)`, projections for the gates `z`, `r` and the candidate, in Keras' order.
        states: `[h (batch, units)]`.

    Returns:
        `(h, [h])` of the next step.

    Example:

    >>> keras.layers.RNN(GRUStep(4))(ops.zeros((2, 5, 12))).shape
    TensorShape([2, 4])

    Reference:
        Cho et al., 2014, https://arxiv.org/abs/1406.1078.
    """

    def __init__(self, units: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.units = self.state_size = self.output_size = units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel", shape=(self.units, 3 * self.units), initializer=_orthogonal_gates
        )

    def call(self, inputs: Any, states: list[Any]) -> tuple[Any, list[Any]]:
        (state,) = states
        recurrent = ops.matmul(state, self.recurrent_kernel)
        gates = ops.sigmoid(inputs[:, : -self.units] + recurrent[:, : -self.units])
        update, reset = gates[:, : self.units], gates[:, self.units :]
        candidate = ops.tanh(inputs[:, -self.units :] + reset * recurrent[:, -self.units :])
        state = update * state + (1 - update) * candidate
        return state, [state]

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...], states_shape: tuple[int | None, ...] | None = None
    ) -> tuple[tuple, list[tuple]]:
        state = (input_shape[0], self.units)
        return state, [state]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def _orthogonal_gates(shape, dtype=None):
    """Return an orthogonal matrix for each gate: jointly initialised, only the rows would be orthogonal."""
    units, gates = shape[0], shape[1] // shape[0]
    parts = [keras.initializers.Orthogonal()((units, units), dtype) for _ in range(gates)]
    return ops.concatenate(parts, axis=1)
