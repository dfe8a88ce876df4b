"""Cepstral coefficients of log-mel frames, with their time derivatives."""

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.layers.base import Float32Layer

_REACH = 4  # frames on each side of the window of a delta


@keras.saving.register_keras_serializable(package="keras_ae")
class CepstralCoefficients(Float32Layer):
    """Cepstral coefficients: spectral envelope of each frame, with its time derivatives.

    ```
    c[t, k] = s_k sum_m cos(pi k (m + 1/2) / mels) x[t, m]
    s_0     = sqrt(1 / mels), s_k = sqrt(2 / mels) beyond
    d[t]    = first derivative at t of the line through c[t - 4], ..., c[t + 4]
    dd[t]   = second derivative at t of the parabola through them
    ```

    `MFCC` is `LogMelSpectrogram` in decibels followed by this layer; used separately, the frames can be
    processed in between. Edges and padding are treated as described there. Float32 under every dtype
    policy.

    Args:
        num_coefficients: number of coefficients per frame, including the first one, the loudness.
        deltas: 0: coefficients only; 1: also `d`; 2: also `d` and `dd`.

    Call arguments:
        x: `(batch, frames, mels)`, logarithms of mel energies.
        mask: `(batch, frames)`, 1 = real; the padding is at the end.

    Output shape:
        `(batch, frames, num_coefficients * (1 + deltas))`, in the compute dtype, with the mask of `x`.

    Raises:
        ValueError: for settings out of range, or fewer mels than coefficients.

    Example:

    >>> CepstralCoefficients()(ops.zeros((1, 11, 40))).shape
    TensorShape([1, 11, 39])

    Reference:
        Davis and Mermelstein, 1980, https://doi.org/10.1109/TASSP.1980.1163420; Furui, 1986,
        https://doi.org/10.1109/TASSP.1986.1164788.
    """

    def __init__(self, num_coefficients: int = 13, *, deltas: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        if num_coefficients < 1 or deltas not in (0, 1, 2):
            raise ValueError(
                "CepstralCoefficients: num_coefficients must be at least 1 and deltas must be 0, 1 or 2. "
                f"Received: num_coefficients={num_coefficients}, deltas={deltas}"
            )
        self.supports_masking = True
        self.num_coefficients = num_coefficients
        self.deltas = deltas

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        mels = input_shape[-1]
        if mels is None or mels < self.num_coefficients:
            raise ValueError(
                f"The input of CepstralCoefficients '{self.name}' must have at least {self.num_coefficients} "
                f"mels. Received: shape {tuple(input_shape)}"
            )
        self._cosines = _cosines(mels, self.num_coefficients)

    def call(self, x: Any, mask: Any | None = None) -> Any:
        coefficients = ops.matmul(ops.cast(x, "float32"), self._cosines)
        last = ops.shape(coefficients)[1] - 1
        if mask is not None:
            last = ops.maximum(ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True) - 1, 0)
        slopes = [_derivative(coefficients, last, order) for order in range(1, self.deltas + 1)]
        return ops.cast(ops.concatenate([coefficients, *slopes], axis=-1), self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return *input_shape[:-1], self.num_coefficients * (1 + self.deltas)

    def get_config(self) -> dict[str, Any]:
        config = {"num_coefficients": self.num_coefficients, "deltas": self.deltas}
        return {**super().get_config(), **config}


def _derivative(x, last, order):
    """Return the derivative of `order` at every frame of `(batch, frames, channels)`.

    `last`: number of the last real frame.
    """
    frames = ops.shape(x)[1]
    repeated = _frames_at(x, _between(ops.arange(-_REACH, frames + _REACH, dtype="int32"), 0, last))
    weights = _derivative_weights(order)
    inner = sum(weight * repeated[:, i : i + frames] for i, weight in enumerate(weights))
    # the derivative of a polynomial of the same order is constant: edges use the nearest whole window
    first = ops.minimum(_REACH, last // 2)
    return _frames_at(
        inner, _between(ops.arange(frames, dtype="int32"), first, ops.maximum(first, last - _REACH))
    )


def _between(index, least, most):
    return ops.minimum(ops.maximum(index[None], least), most)  # the bounds differ between examples


def _frames_at(x, index):
    """Return the frames `index`, `(batch or 1, n)`, of `(batch, frames, channels)`."""
    index = ops.broadcast_to(index, (ops.shape(x)[0], ops.shape(index)[1]))
    return tf.gather(x, index, batch_dims=1)  # ops.take_along_axis does not convert to ONNX


def _derivative_weights(order):
    """Return frame weights: the derivative of the least-squares polynomial of degree `order`."""
    powers = np.arange(-_REACH, _REACH + 1)[:, None] ** np.arange(order + 1)
    return (math.factorial(order) * np.linalg.pinv(powers)[order]).astype("float32")


def _cosines(num_mels, num_coefficients):
    """Return the orthonormal DCT-II, `(num_mels, num_coefficients)` float32."""
    angles = np.pi / num_mels * np.outer(np.arange(num_mels) + 0.5, np.arange(num_coefficients))
    scale = np.where(np.arange(num_coefficients) == 0, np.sqrt(0.5), 1.0) * np.sqrt(2.0 / num_mels)
    return (scale * np.cos(angles)).astype("float32")
