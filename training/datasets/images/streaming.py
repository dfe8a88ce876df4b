"""Streams of images for encoding."""

import os

import numpy as np

from keras_ae.errors import InputError
from keras_ae.training.datasets.images.data import ImageStream
from keras_ae.training.datasets.images.loading import open_images
from keras_ae.training.datasets.images.stores import EncodedStore, ImageSizeError


def stream_images(
    source: str | os.PathLike | None,
    image_shape: tuple[int, int, int],
    batch_size: int,
    shard: tuple[int, int] = (0, 1),
    *,
    resize: bool = False,
    scale: float | None = None,
    array_scale: float | None = None,
    channels: int | None = None,
    skip_broken: bool = False,
) -> ImageStream:
    """Return all images of a source once, in order, for folders and files larger than memory.

    The images of a folder are decoded when they are read, those of an `.npz` file are read a few MiB
    at a time. All images of a folder are sorted by path, whatever the names of its sub-folders; for
    other sources, training images come before validation and test images. One file of a set
    of idx files is read alone.

    Args:
        source: as for `load_images`, or a single image.
        image_shape: `(height, width, channels)` of the model's input.
        batch_size: maximum number of images per batch.
        shard: `(i, n)`: only images i, i + n, i + 2n, ..., so that n processes share
            the work; the `names` of all shards together are those of the whole source.
        resize: resize images of other sizes to `image_shape`.
        scale: as for `load_images`.
        array_scale: scale of the model's training, for arrays if no `scale` is given.
        channels: convert images with other channels to those of `image_shape`, which must be this
            number; `None`: such images are an error.
        skip_broken: leave out images that cannot be read; otherwise an error names all of them.

    Returns:
        an `ImageStream`.

    Raises:
        InputError: the source cannot be read, or its images are not of `image_shape`
            (`ImageSizeError` if resizing would help).

    Example:

    >>> stream = stream_images("digits", (8, 8, 1), batch_size=500, shard=(0, 2))
    >>> len(stream), stream.names[:3], [batch.shape[0] for batch in stream]
    (899, ['0', '2', '4'], [500, 399])
    """
    index, count = shard
    if batch_size < 1:
        raise InputError(f"The batch size must be at least 1. Received: {batch_size}")
    if not 0 <= index < count:
        raise InputError(f"shard must be (i, n) with 0 <= i < n. Received: shard={shard}")
    height, width, depth = (int(size) for size in image_shape)
    image_shape = height, width, depth
    if channels is not None and channels != image_shape[2]:
        raise InputError(
            f"channels must be those of the model's input, {image_shape[2]}. Received: channels={channels}"
        )
    opened = open_images(
        source,
        image_shape[:2] if resize else None,
        image_shape,
        scale=scale or array_scale,
        channels=channels,
        skip_broken=skip_broken,
    )
    opened.check_scale(scale)
    _check_shape(opened, image_shape, skip_broken)
    parts, names, before = [], [], 0
    for part, store in opened.parts.items():
        rows = np.arange((index - before) % count, len(store), count)
        parts.append((store, rows))
        prefix = f"{part}/" if len(opened.parts) > 1 else ""
        known = opened.names.get(part)
        names += [f"{prefix}{row}" if known is None else known[row] for row in rows.tolist()]
        before += len(store)
    return ImageStream(
        parts,
        names,
        image_shape,
        batch_size,
        opened.origin,
        opened.left_out,
        skip_broken,
        inputs=() if source is None else (source,),
    )


def _check_shape(opened, image_shape, skip_broken):
    for store in opened.parts.values():
        if isinstance(store, EncodedStore) and not skip_broken:
            store.check([0])  # the others are checked when they are decoded
    if opened.image_shape != image_shape:
        same_channels = opened.image_shape[2] == image_shape[2]
        raise (ImageSizeError if same_channels else InputError)(
            f"{opened.origin} must contain images of shape {image_shape} (height, width, channels), "
            f"as in the model's input. Received: {opened.image_shape}."
        )
