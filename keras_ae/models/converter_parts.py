"""Small parts of voice converters: masks, numbers of speakers, the voice of an embedding."""

from keras import ops

from keras_ae.errors import InputError
from keras_ae.ops.sequences import zero_padding


def under_mask(tensor, mask):
    """`tensor` under its mask, 0 where there is padding."""
    if mask is not None:
        tensor = zero_padding(tensor, mask)
        tensor._keras_mask = mask
    return tensor


def speaker_numbers_of(speaker):
    """`speaker` as int32 `(batch,)`; an `InputError` where there is none."""
    if speaker is None:
        raise InputError(
            'The decoder is told who speaks: give {"x":, "lengths":, "speaker": numbers}, and `decode` '
            "its argument `speaker`. Received: no speaker"
        )
    return ops.cast(ops.convert_to_tensor(speaker), "int32")


def mean_over_codes(voice, mask):
    """`(batch, codes, speaker_dim)` -> `(batch, speaker_dim)`, over real codes."""
    if mask is None:
        return ops.mean(voice, axis=1)
    weights = ops.cast(mask, voice.dtype)[..., None]
    return ops.divide_no_nan(ops.sum(zero_padding(voice, mask), axis=1), ops.sum(weights, axis=1))
