"""Which frames are real, predicted and counted in contrastive predictive coding."""

from keras import ops

from keras_ae.ops.sequences import sequence_mask


def count_real(mask):
    """Number of real positions of each example, `(batch,)` int32."""
    return ops.sum(ops.cast(mask, "int32"), axis=1)


def real_frames(z, mask):
    """Number of real frames, `(batch,)` int32."""
    if mask is not None:
        return count_real(mask)
    return ops.zeros((ops.shape(z)[0],), "int32") + ops.shape(z)[1]


def counting(lengths, sample_weight):
    """The lengths, 0 for examples without weight: they are no negatives of others."""
    if sample_weight is None:
        return lengths
    return ops.where(ops.reshape(sample_weight, (-1,)) > 0, lengths, ops.zeros_like(lengths))


def prediction_weights(ahead, lengths, frames, sample_weight):
    """`(batch, frames, steps)`: 1, or the weight of the example, where the predicted frame is real."""
    real = ops.stack([sequence_mask(lengths - k, frames) for k in ahead], axis=2)
    weights = ops.cast(real, "float32")
    if sample_weight is None:
        return weights
    return weights * ops.reshape(ops.cast(sample_weight, "float32"), (-1, 1, 1))
