"""What keeps a critic 1-Lipschitz."""

import tensorflow as tf  # keras.ops has no gradient inside of a loss
from keras import ops


def gradient_penalty(critic, real, fake, mix):
    """`(|grad_u critic(u)| - 1)^2` at `u = mix * real + (1 - mix) * fake`, `(batch,)` float32.

    The gradient is that of each example's own score; its norm is over all other axes. A critic that
    does not look at padding has no gradient there.

    Args:
        critic: a function from `(batch, ...)` to scores `(batch,)`, of which each looks at its own example.
        real, fake: `(batch, ...)`.
        mix: `(batch,)`, in [0, 1].

    Example:

    >>> x = ops.ones((2, 3))
    >>> gradient_penalty(lambda u: ops.sum(4.0 * u[:, :1], axis=1), x, 0.0 * x, ops.ones(2)).numpy().tolist()
    [9.0, 9.0]

    Reference:
        Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028.
    """
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    mix = ops.reshape(ops.cast(mix, "float32"), (-1, *[1] * (len(real.shape) - 1)))
    between = mix * real + (1.0 - mix) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        score = ops.sum(ops.cast(critic(between), "float32"))
    gradient = tape.gradient(score, between)
    squares = ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))
    # the root of 0 has no gradient
    return ops.square(ops.sqrt(ops.maximum(squares, 1e-12)) - 1.0)
