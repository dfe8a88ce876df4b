"""A gradient that turns with the code."""

import tensorflow as tf
from keras import ops


def rotate_onto(x, quantized):
    """`quantized` forward; backward the gradient is rotated and scaled as `x` is onto its code.

    ```
    y = sg[|q|/|x| R] x,   R x/|x| = q/|q|,   R = I - 2 r r^T + 2 q^ x^^T,   r = (x^ + q^)/|x^ + q^|
    ```

    Vectors for which there is no such rotation (zeros, or opposite to their code) take the
    straight-through gradient.

    Args:
        x: `(..., dim)`.
        quantized: `(..., dim)`, taken as a constant.

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
