"""Negative frames, from which the true frame must be distinguished."""

from dataclasses import dataclass

import keras
import tensorflow as tf
from keras import ops

from keras_ae.ops.core import gather_over_replicas
from keras_ae.ops.sequences import sequence_mask

SOURCES = ("same_sequence", "same_speaker", "batch")


@dataclass(frozen=True)
class Candidates:
    """Negatives of each example, shared by all its frames and steps.

    Attributes:
        frames: `(batch or 1, negatives, dim)`.
        number: `(batch or 1, negatives)` int32: index of the frame in the global batch, counted over
            padded examples.
        real: `(batch or 1, negatives)` bool: true if the frame is not padding and is from an allowed source.
    """

    frames: tf.Tensor
    number: tf.Tensor
    real: tf.Tensor


def first_number(frames):
    """Return the index in the global batch of each example's first frame: `(batch of replica, 1)` int32."""
    examples, length = ops.shape(frames)[:2]
    first = gather_over_replicas(ops.ones((examples,), "float32"))[1]
    return (ops.arange(examples, dtype="int32")[:, None] + first) * length


def all_candidates(frames, lengths, source, speaker=None) -> Candidates:
    """Return all frames that `source` allows.

    Args:
        frames: `(batch, frames, dim)` of this replica.
        lengths: `(batch,)` int32, real frames.
        source: one of `SOURCES`.
        speaker: `(batch,)` int32, for "same_speaker".
    """
    number = first_number(frames) + ops.arange(ops.shape(frames)[1], dtype="int32")
    real = sequence_mask(lengths, ops.shape(frames)[1])
    if source == "same_sequence":
        return Candidates(frames, number, real)
    number, real = (ops.cast(_gathered(part), kind) for part, kind in ((number, "int32"), (real, "bool")))
    pool = [ops.reshape(part, (1, -1)) for part in (number, real)]
    allowed = pool[1]
    if source == "same_speaker":
        same = _same_speaker(speaker)
        allowed = ops.reshape(ops.logical_and(same[:, :, None], real[None]), (ops.shape(same)[0], -1))
    everything = ops.reshape(_gathered(frames), (1, -1, frames.shape[-1]))
    return Candidates(everything, pool[0], allowed)


def drawn_candidates(frames, lengths, source, count, seed, speaker=None) -> Candidates:
    """Draw `count` frames for each example with replacement from the frames that `source` allows.

    The padded length of the batch does not affect the draws.

    Args:
        frames, lengths, source, speaker: as in `all_candidates`.
        count: number of frames.
        seed: int, or `keras.random.SeedGenerator`.
    """
    examples, length = ops.shape(frames)[:2]
    if source == "same_sequence":
        own, offset = lengths, first_number(frames)
        drawn = ops.floor(
            keras.random.uniform((examples, count), dtype="float32", seed=seed)
            * ops.cast(own, "float32")[:, None]
        )
        position = ops.minimum(ops.cast(drawn, "int32"), ops.maximum(own, 1)[:, None] - 1)
        picked = tf.gather(frames, position, batch_dims=1)
        return Candidates(picked, position + offset, ops.broadcast_to(own[:, None] > 0, ops.shape(position)))
    every_length = ops.cast(_gathered(lengths), "int32")
    allowed = every_length[None] * ops.ones((examples, 1), "int32")
    if source == "same_speaker":
        allowed = allowed * ops.cast(_same_speaker(speaker), "int32")
    ends = ops.cumsum(allowed, axis=1)
    total = ends[:, -1:]
    drawn = keras.random.uniform((examples, count), dtype="float32", seed=seed) * ops.cast(total, "float32")
    drawn = ops.minimum(ops.cast(ops.floor(drawn), "int32"), ops.maximum(total, 1) - 1)
    before = ops.cast(drawn[:, :, None] >= ends[:, None, :], "int32")
    example = ops.minimum(ops.sum(before, axis=2), ops.shape(every_length)[0] - 1)
    position = drawn - ops.sum(before * allowed[:, None, :], axis=2)
    number = example * length + position
    everything = ops.reshape(_gathered(frames), (-1, frames.shape[-1]))
    return Candidates(tf.gather(everything, number), number, ops.broadcast_to(total > 0, ops.shape(number)))


def joined(parts, examples) -> Candidates:
    """Return the candidates of several sources together; a frame from two of them counts twice."""
    if len(parts) == 1:
        return parts[0]

    def along(name):
        tensors = [getattr(part, name) for part in parts]
        whole = [ops.broadcast_to(t, (examples, *ops.shape(t)[1:])) for t in tensors]
        return ops.concatenate(whole, axis=1)

    return Candidates(along("frames"), along("number"), along("real"))


def _same_speaker(speaker):
    """Return whether examples have the same speaker: `(batch of this replica, global batch)` bool."""
    speaker = ops.cast(speaker, "int32")
    return speaker[:, None] == ops.cast(_gathered(speaker), "int32")[None]


def _gathered(part):
    return gather_over_replicas(ops.cast(part, "float32"))[0]
