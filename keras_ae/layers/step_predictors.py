"""Linear predictions of future frames from a context: one map for each step."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_ae")
class StepPredictors(keras.layers.Layer):
    """Separate linear map for each number of steps ahead.

    ```
    y[b, t, k] = c[b, t] W_k,    k = 0 .. steps - 1
    ```

    Args:
        steps: number of maps, one per step.
        dim: number of channels of the predicted vectors.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: `c`, `(batch, frames, channels)`.

    Output shape:
        `(batch, frames, steps, dim)`.

    Raises:
        ValueError: if `steps` or `dim` is below 1.

    Example:

    >>> StepPredictors(3, 4)(ops.ones((2, 5, 8))).shape
    TensorShape([2, 5, 3, 4])

    Reference:
        van den Oord et al., 2018, equation 3, https://arxiv.org/abs/1807.03748.
    """

    def __init__(self, steps: int, dim: int, **kwargs: Any):
        super().__init__(**kwargs)
        if steps < 1 or dim < 1:
            raise ValueError(f"steps and dim must be at least 1. Received: steps={steps!r}, dim={dim!r}")
        self.steps = steps
        self.dim = dim

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        shape = (input_shape[-1], self.dim)  # separate kernels, so that each map starts orthogonal
        self.kernels = [
            self.add_weight(name=f"kernel_{step}", shape=shape, initializer="orthogonal")
            for step in range(self.steps)
        ]

    def call(self, inputs: Any) -> Any:
        predictions = ops.matmul(
            inputs, ops.concatenate([ops.cast(w, inputs.dtype) for w in self.kernels], 1)
        )
        batch, frames = ops.shape(inputs)[:2]
        return ops.reshape(predictions, (batch, frames, self.steps, self.dim))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.steps, self.dim)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "steps": self.steps, "dim": self.dim}
