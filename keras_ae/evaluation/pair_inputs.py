"""The inputs of pairs, of any modality, as a dict of arrays."""

import numpy as np

from keras_ae.errors import InputError, check_finite
from keras_ae.evaluation.arrays import check_lengths, describe

MOST_FOR_STATISTICS = 10_000  # examples that mean and standard deviation are taken from
ONE_SCALE = 10.0  # times the median deviation: the largest one of features of one scale
CLIP = 10.0  # standard deviations: a pixel that is lit once in 1,000 images would be 30 away


def as_inputs(x) -> dict[str, np.ndarray]:
    """`{"x": (examples, ...)}`, with `"lengths"` `(examples,)` for padded sequences.

    Padded frames are set to zero, whatever they held.

    Raises:
        InputError: no numbers; another dict; lengths that do not fit; values that are not finite.

    Example:

    >>> inputs = as_inputs({"x": np.ones((2, 3, 1)), "lengths": [1, 3]})
    >>> inputs["x"][..., 0].tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    parts = x if isinstance(x, dict) else {"x": x}
    if "x" not in parts or set(parts) - {"x", "lengths"}:
        raise InputError(
            'x is an array or a dict {"x": array, "lengths": (examples,)}. '
            f"Received: a dict of {', '.join(map(str, parts)) or 'nothing'}"
        )
    values = np.asarray(parts["x"])
    if values.dtype.kind not in "fiub" or values.ndim < 1 or not values.size:
        raise InputError(
            "x is an array of numbers, (examples, ...): vectors, images (height, width, channels), "
            f"sequences (length, features). Received: {describe(values)}"
        )
    values = values[:, None] if values.ndim == 1 else values
    tokens = "lengths" in parts and values.ndim == 2 and values.dtype.kind in "iu"
    if values.dtype != np.uint8:  # which may be many images, a quarter of the memory
        values = values.astype("int32" if tokens else "float32")
    lengths = parts.get("lengths")
    if lengths is None:
        check_finite(values, "x")
        return {"x": values}
    return _padded(values, np.asarray(lengths))


def take(inputs, rows):
    """The examples `rows` of `as_inputs`."""
    return {name: values[rows] for name, values in inputs.items()}


def is_tokens(inputs) -> bool:
    """Whether the inputs are token numbers: integers `(examples, length)` with lengths."""
    values = inputs["x"]
    return "lengths" in inputs and values.ndim == 2 and values.dtype.kind in "iu"


def input_statistics(inputs):
    """`(mean, standard deviation)`: of each feature of a vector, else of each channel.

    Features of about one scale, such as pixels, share one deviation: a pixel that is hardly
    ever lit would be blown up otherwise, and the discriminator learn it by heart.
    """
    values = inputs["x"][:MOST_FOR_STATISTICS].astype("float64")
    if values.ndim == 2:
        mean, deviation = values.mean(axis=0), values.std(axis=0)
        varying = deviation[deviation > 1e-6 * np.abs(mean)]
        if len(varying) and varying.max() <= ONE_SCALE * np.median(varying):
            deviation = np.full_like(deviation, np.sqrt(np.square(deviation).mean()))
    else:
        weights = _frame_weights(inputs)[:MOST_FOR_STATISTICS]
        mean, deviation = _channel_statistics(values, weights)
    constant = deviation <= 1e-6 * np.abs(mean)
    return mean.astype("float32"), np.where(constant, 1.0, deviation).astype("float32")


def _padded(values, lengths):
    check_lengths(x=values, lengths=lengths)
    ok = lengths.ndim == 1 and lengths.dtype.kind in "iu" and values.ndim >= 2
    if not ok or lengths.min() < 1 or lengths.max() > values.shape[1]:
        raise InputError(
            f"lengths are integers from 1 to the padded length of x, {values.shape[1:2]}. "
            f"Received: {describe(lengths)}" + (f", from {lengths.min()} to {lengths.max()}" if ok else "")
        )
    real = np.arange(values.shape[1]) < lengths[:, None]
    values = np.where(real.reshape(*real.shape, *[1] * (values.ndim - 2)), values, np.zeros((), values.dtype))
    check_finite(values, "x")
    return {"x": values, "lengths": lengths.astype("int32")}


def _frame_weights(inputs):
    """`(examples, length, 1, ...)`: 1 where real."""
    values = inputs["x"]
    shape = (*values.shape[:2], *[1] * (values.ndim - 2))
    if "lengths" not in inputs:
        return np.ones(shape)
    return (np.arange(values.shape[1]) < inputs["lengths"][:, None]).astype("float64").reshape(shape)


def _channel_statistics(values, weights):
    axes = tuple(range(values.ndim - 1))
    count = weights.sum() * np.prod(values.shape[2:-1])
    mean = (values * weights).sum(axis=axes) / count
    return mean, np.sqrt((np.square(values - mean) * weights).sum(axis=axes) / count)
