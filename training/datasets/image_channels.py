"""Images with another number of channels."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError

CHANNELS = (1, 3)
NAMES = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}


def check_channels(channels: int | None) -> None:
    """Raise an `InputError` if images cannot be converted to this number of channels."""
    if channels is not None and channels not in CHANNELS:
        raise InputError(f"channels must be 1 (grey) or 3 (RGB). Received: channels={channels}")


def to_channels(images, channels: int | None):
    """Images `(..., height, width, channels)` in [0, 1] as grey (1) or as RGB (3); `None`: as they are.

    Transparent images are shown on white: `alpha * colour + 1 - alpha`. Grey is the luma of ITU-R BT.601,
    `0.299 R + 0.587 G + 0.114 B`; RGB of grey images has three equal channels.

    Args:
        images: floats, 1 to 4 channels (grey, grey with alpha, RGB, RGBA), known or not.
        channels: 1, 3 or `None`.

    Example:

    >>> to_channels(np.array([[[1.0, 0.0, 0.0, 0.5]]], "float32"), 3).numpy().tolist()
    [[[1.0, 0.5, 0.5]]]
    """
    if channels is None or images.shape[-1] == channels:
        return images
    if images.shape[-1] is not None:
        return _converted(images, images.shape[-1], channels)
    branches = [lambda own=own: _converted(images, own, channels) for own in NAMES]
    return tf.switch_case(tf.shape(images)[-1] - 1, branches)


def _converted(images, own, channels):
    images = tf.convert_to_tensor(images)[..., :own]
    if own in (2, 4):
        colours, alpha = images[..., :-1], images[..., -1:]
        images, own = alpha * colours + 1 - alpha, own - 1
    if own == channels:
        return images
    if channels == 3:
        return tf.repeat(images, 3, axis=-1)
    return tf.tensordot(images, tf.constant([[0.299], [0.587], [0.114]]), 1)


def mixture(channels: Iterable[int]) -> str:
    """What is mixed, most frequent first.

    Example:

    >>> mixture([3, 3, 4, 1, 3])
    '3 RGB, 1 grey, 1 RGBA'
    """
    numbers, counts = np.unique(list(channels), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return ", ".join(
        f"{counts[i]} {NAMES.get(int(numbers[i]), f'with {numbers[i]} channels')}" for i in order
    )
