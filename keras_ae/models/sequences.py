"""Padded sequences: lengths, masks and weights on their way through a model."""

from keras import ops


def is_sequence(sample_shape):
    """Whether `(length, features)` has a free length."""
    return len(sample_shape) == 2 and sample_shape[0] is None


def unpack_inputs(x):
    """`(values, lengths or None)` of a tensor or of `{"x":, "lengths":}`."""
    if isinstance(x, dict):
        return ops.convert_to_tensor(x["x"]), x.get("lengths")
    return ops.convert_to_tensor(x), None


def sequence_mask(lengths, maximum):
    """`(batch, maximum)` bool, true at the first `lengths` positions."""
    return ops.arange(maximum)[None, :] < ops.cast(lengths, "int32")[:, None]


def input_mask(values, lengths):
    """Mask of `(batch, length, ...)` inputs, or `None` where no lengths are given."""
    return None if lengths is None else sequence_mask(lengths, ops.shape(values)[1])


def mask_of(tensor):
    """The mask that Keras attached to a layer's output, or `None`."""
    return getattr(tensor, "_keras_mask", None)


def code_lengths(features):
    """Number of real positions of the encoder's output, from its mask."""
    mask = mask_of(features)
    return None if mask is None else ops.sum(ops.cast(mask, "int32"), axis=1)


def combine(mask, sample_weight, rank=None):
    """Weights of positions: the mask times the weight of the example; `None` if neither.

    `rank` is that of the weights: those of the examples are spread over all positions.
    """
    if sample_weight is None:
        return mask
    weights = ops.cast(ops.reshape(sample_weight, (-1,)), "float32")
    if mask is not None:
        weights = ops.reshape(weights, (-1, *[1] * (len(mask.shape) - 1))) * ops.cast(mask, "float32")
    while rank is not None and len(weights.shape) < rank:
        weights = ops.expand_dims(weights, -1)
    return weights


def crop(reconstruction, target):
    """Cut what a transposed convolution returns past the length of the target."""
    if len(target.shape) == 3 and (target.shape[1] is None or target.shape[1] != reconstruction.shape[1]):
        return reconstruction[:, : ops.shape(target)[1]]
    return reconstruction


def given(**arguments):
    """Only the arguments that are not `None`: not every encoder takes a mask."""
    return {name: value for name, value in arguments.items() if value is not None}
