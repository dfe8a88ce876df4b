"""The common shape of many encoded images, found by decoding them once."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.training.datasets.encoded_store import decode, decoded_shape, encoded_items
from keras_ae.training.datasets.progress import progress_of

BLOCK = 256


def common_image_shape(
    items: Sequence[str | bytes], origins: Sequence[str], image_size: tuple[int, int] | None
) -> tuple[int, int, int]:
    """`(height, width, channels)` of images that all have it, or have `image_size`.

    Every image is decoded once, in parallel. That is less work than one epoch of
    training, which decodes them all again, and finds before the first step what a look
    at the headers would miss: files that are cut short or damaged.

    Args:
        items: paths, or encoded bytes.
        origins: what each is called in errors.
        image_size: height and width to which all will be resized; `None`: they must be
            of one size.

    Raises:
        InputError: an image is broken; sizes or channels differ. Names the images.
    """
    shapes = _decoded_shapes(items, origins)
    other = _first_different(shapes[:, 2])
    if other:
        raise InputError(
            "Expected images with the same number of channels. "
            f"Received: {origins[0]} with {shapes[0, 2]} and {origins[other]} with {shapes[other, 2]}; "
            "make all of them grey or all of them colour."
        )
    other = _first_different(shapes[:, :2])
    if other and image_size is None:
        raise InputError(
            f"Expected images of one size. Received: {origins[0]} with {shapes[0, 0]}x{shapes[0, 1]} and "
            f"{origins[other]} with {shapes[other, 0]}x{shapes[other, 1]} (height x width); "
            "give the size to use: --image-size HEIGHT WIDTH."
        )
    height, width = image_size or shapes[0, :2]
    return int(height), int(width), int(shapes[0, 2])


def _decoded_shapes(items, origins):
    encoded, from_files = encoded_items(items), isinstance(items[0], str)
    dataset = tf.data.Dataset.from_generator(
        lambda: (encoded[start : start + BLOCK] for start in range(0, len(encoded), BLOCK)),
        output_signature=tf.TensorSpec((None,), tf.string),
    )
    dataset = dataset.unbatch().map(lambda item: tf.shape(decode(item, from_files)), tf.data.AUTOTUNE)
    blocks, shapes = dataset.batch(BLOCK).prefetch(1).as_numpy_iterator(), []
    show = progress_of(len(encoded), "images", "image")
    for start in range(0, len(encoded), BLOCK):
        try:
            shapes.append(next(blocks))
        except tf.errors.OpError:
            for row in range(start, min(start + BLOCK, len(encoded))):
                decoded_shape(encoded[row], origins[row], from_files)
            raise
        show(min(start + BLOCK, len(encoded)))
    return np.concatenate(shapes)


def _first_different(rows):
    """Index of the first row that differs from row 0; 0 where none does."""
    different = (rows != rows[0]).reshape(len(rows), -1).any(axis=1)
    return int(np.argmax(different))
