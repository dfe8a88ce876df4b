"""Reconstruction losses, and whether a reconstruction has the shape of its input."""

from functools import partial

import keras
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError


def reconstruction_losses(loss, target, reconstruction):
    """A reconstruction loss before its mean over examples: `(batch, ...)`, float32.

    Args:
        loss: name of a Keras loss, a `keras.losses.Loss`, or a function `f(x, x_hat)`.
        target, reconstruction: of equal shape.
    """
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    function = loss.call if isinstance(loss, keras.losses.Loss) else loss
    return function(ops.cast(target, "float32"), ops.cast(reconstruction, "float32"))


def check_loss(loss, sample_shape):
    """Raise `InputError` unless a reconstruction loss returns one value for each example or element.

    Args:
        loss: as in `reconstruction_losses`.
        sample_shape: of target and reconstruction of one example.
    """
    # tf.function: the user's loss may use TensorFlow's operations, which cannot take a KerasTensor
    example = tf.TensorSpec((None, *sample_shape), tf.float32)
    trace = tf.function(partial(reconstruction_losses, loss), autograph=False)
    losses = trace.get_concrete_function(example, example).structured_outputs
    if losses.shape.rank is None:
        return
    shape = tuple(losses.shape)
    if not shape or shape[0] is not None:
        raise InputError(
            "reconstruction_loss must return a loss for each example or element, of the shape (batch,) or "
            f"(batch, ...). Received: shape {shape}. Leave the mean over the batch to the model."
        )


def check_reconstruction(shape, sample_shape):
    """Raise `InputError` unless a decoder's output `shape` fits inputs of `sample_shape`."""
    expected, got = (None, *sample_shape), tuple(shape)
    same = len(expected) == len(got) and all(
        a in (b, None) or b is None for a, b in zip(expected, got, strict=True)
    )
    if not same:
        raise InputError(
            f"The decoder's output {got} does not have the shape of the input {expected}: change the "
            "decoder, or crop or pad the input so that both agree."
        )
