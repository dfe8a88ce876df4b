"""Lengths, masks and weights of padded sequences in a model."""

import re
import warnings

import keras
from keras import ops

from keras_ae.errors import InputError
from keras_ae.ops.core import Tensor, is_exporting, where_counted

MANY = 2**15  # number of samples, large enough that boundary effects are small


def is_sequence(sample_shape: tuple[int | None, ...]) -> bool:
    """Return whether `(length, features)` has a variable length."""
    return len(sample_shape) == 2 and sample_shape[0] is None


def unpack_inputs(x: Tensor | dict[str, Tensor]) -> tuple[Tensor, Tensor | None]:
    """Return `(values, lengths or None)` of a tensor or of `{"x":, "lengths":}`; padding becomes 0."""
    if isinstance(x, dict):
        values, lengths = ops.convert_to_tensor(x["x"]), x.get("lengths")
        if lengths is None or is_exporting():
            return values, lengths
        # unconditionally: NaN in padding would reach the gradients of layers that skip it
        return where_counted(values, input_mask(values, lengths)), lengths
    return ops.convert_to_tensor(x), None


def sequence_mask(lengths: Tensor, maximum: Tensor) -> Tensor:
    """Return a `(batch, maximum)` bool mask, true at the first `lengths` positions."""
    return ops.arange(maximum, dtype="int32")[None, :] < ops.cast(lengths, "int32")[:, None]


def input_mask(values: Tensor, lengths: Tensor | None) -> Tensor | None:
    """Return the mask of `(batch, length, ...)` inputs, or `None` if no lengths are given."""
    return None if lengths is None else sequence_mask(lengths, ops.shape(values)[1])


def mask_of(tensor: Tensor) -> Tensor | None:
    """Return the mask that Keras attached to a layer's output, or `None`."""
    return getattr(tensor, "_keras_mask", None)


def samples_per_frame(network: keras.Model) -> int:
    """Return the samples of a waveform `(batch, samples)` per output frame of a network; 1 for frames."""
    if len(network.input_shape) > 2:
        return 1
    few, many = (network.compute_output_shape((1, size))[1] for size in (MANY, 2 * MANY))
    return max(1, round(MANY / (many - few)))


def code_lengths(features: Tensor) -> Tensor | None:
    """Return the number of real positions of the encoder's output, from its mask."""
    mask = mask_of(features)
    return None if mask is None else ops.sum(ops.cast(mask, "int32"), axis=1)


def combine(mask: Tensor | None, sample_weight: Tensor | None) -> Tensor | None:
    """Return the weights of target positions: mask times example weight; `None` if neither is given."""
    if sample_weight is None:
        return mask
    weights = ops.cast(ops.reshape(sample_weight, (-1,)), "float32")
    if mask is None:
        return weights
    return ops.reshape(weights, (-1, *[1] * (len(mask.shape) - 1))) * ops.cast(mask, "float32")


def sum_per_example(values: Tensor, mask: Tensor | None) -> Tensor:
    """Return the sum over all axes but the batch, over real positions: `(batch, ...)` -> `(batch,)`."""
    values = where_counted(values, mask)
    return ops.sum(ops.reshape(values, (ops.shape(values)[0], -1)), axis=1)


def mean_per_example(losses: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean over all axes but the batch, over real positions: `(batch, ...)` -> `(batch,)`."""
    ones = ops.ones_like(losses)
    return ops.divide_no_nan(sum_per_example(losses, mask), sum_per_example(ones, mask))


def crop(reconstruction: Tensor, target: Tensor) -> Tensor:
    """Cut the frames of a transposed convolution beyond the length of the target."""
    if len(target.shape) == 3 and (target.shape[1] is None or target.shape[1] != reconstruction.shape[1]):
        return reconstruction[:, : ops.shape(target)[1]]
    return reconstruction


def call_masked(
    layer: keras.Layer, x: Tensor, mask: Tensor | None = None, training: bool | None = None
) -> Tensor:
    """Return `layer(x)` under a mask; raise an error if the layer loses the mask."""
    outputs = call_under_mask(layer, x, mask, training)
    if mask is not None:
        check_mask(outputs, layer.name)
    return outputs


def call_under_mask(
    layer: keras.Layer, x: Tensor, mask: Tensor | None = None, training: bool | None = None
) -> Tensor:
    """Return `layer(x)`, under a mask if there is one.

    Keras warns that a functional model drops the mask although its layers pass it on: only this warning
    is silenced, not those of the layers inside.
    """
    if mask is None:
        return layer(x, training=training)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f"Layer '{re.escape(layer.name)}' .of type")
        return layer(x, mask=mask, training=training)


def call_conditioned(
    network: keras.Layer, tensor: Tensor, condition: Tensor, mask: Tensor | None, training: bool | None
) -> Tensor:
    """Return `network([tensor, condition])` under the mask of `tensor`; the condition has none.

    Raises:
        InputError: the network loses the mask.
    """
    masks = None if mask is None else [mask, None]
    outputs = call_under_mask(network, [tensor, condition], masks, training)
    if mask is not None:
        check_mask(outputs, network.name)
    return outputs


def check_mask(tensor: Tensor, name: str) -> None:
    """Raise `InputError` if the model `name` returned `tensor` without its mask."""
    if mask_of(tensor) is None:
        raise InputError(
            f"The model `{name}` must keep the mask of padded sequences. Received: outputs without a mask. "
            "Build it from layers that keep the mask, such as keras_ae.layers.MaskedConv1D in place of "
            "keras.layers.Conv1D."
        )


def zero_padding(x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return `x` with its padded positions set to 0, whatever their values, including NaN.

    Args:
        x: `(batch, ..., channels)`.
        mask: `(batch, ...)`, bool or number, 0 = padding; `None`: all real.

    Returns:
        `(batch, ..., channels)`; no gradient reaches the padded positions.

    Raises:
        ValueError: if the mask does not have exactly one axis less than `x`.

    Example:

    >>> zero_padding(ops.array([[[5.0], [float("nan")]]]), ops.array([[1, 0]])).numpy().tolist()
    [[[5.0], [0.0]]]
    """
    if mask is None:
        return x
    if len(mask.shape) != len(x.shape) - 1:
        raise ValueError(
            f"mask must have the shape of its tensor without the last axis, here {tuple(x.shape[:-1])}. "
            f"Received: mask of shape {tuple(mask.shape)}"
        )
    # where, not a product: 0 * NaN is NaN, forward and backward
    return ops.where(ops.expand_dims(ops.cast(mask, "bool"), -1), x, ops.zeros_like(x))
