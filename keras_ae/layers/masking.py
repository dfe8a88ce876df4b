"""What every mask-aware layer does first: take padded positions out."""

from keras import ops


def zero_padding(x, mask=None):
    """`x` with its padded positions set to 0, whatever they held, NaN included.

    Args:
        x: `(batch, ..., channels)`.
        mask: `(batch, ...)`, bool or number, 0 = padding; `None`: all real.

    Returns:
        `(batch, ..., channels)`; no gradient reaches the padded positions.

    Raises:
        ValueError: a mask that has not exactly one axis less than `x`.

    Example:

    >>> zero_padding(ops.array([[[5.0], [float("nan")]]]), ops.array([[1, 0]])).numpy().tolist()
    [[[5.0], [0.0]]]
    """
    if mask is None:
        return x
    if len(mask.shape) != len(x.shape) - 1:
        raise ValueError(
            f"a mask has the shape of its tensor without the last axis, here {tuple(x.shape[:-1])}. "
            f"Received: mask of shape {tuple(mask.shape)}"
        )
    # where, not a product: 0 * NaN is NaN, forward and backward
    return ops.where(ops.expand_dims(ops.cast(mask, "bool"), -1), x, ops.zeros_like(x))
