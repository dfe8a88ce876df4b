"""Large batches in bounded memory: gradients of parts, encoded a second time."""

import keras
import tensorflow as tf  # gradients of one's own, and an order of operations, are not in keras.ops

from keras_ae.ops.core import assign_finite


def encode_in_parts(encoder, ids, parts: int):
    """`encoder(ids, training=True)`, `parts` sub-batches one after the other, each forgotten at once.

    Only the vectors are kept. For the gradients, each part is encoded again, with the same random numbers,
    and its gradients are added to those of the parts before. The gradients are those of the whole batch;
    intermediate values are held of one part at a time. An encoder whose examples depend on each
    other, by batch normalisation, sees the statistics of a part.

    Args:
        encoder: any built model or layer.
        ids: `(batch, ...)`.
        parts: how many.

    Returns:
        the vectors `(batch, dim)`; the sum of the losses that the encoder adds, mean over parts.

    Reference:
        Gao et al., 2021, https://arxiv.org/abs/2101.06983.
    """
    weights = [tf.convert_to_tensor(v.value) for v in encoder.trainable_variables]
    state = [tf.convert_to_tensor(v.value) for v in encoder.non_trainable_variables]
    rows = tf.shape(ids)[0]
    bounds = [rows * part // parts for part in range(parts + 1)]

    def encoded(part, weights, state):
        inputs = ids[bounds[part] : bounds[part + 1]]
        vectors, state, losses = encoder.stateless_call(
            weights, state, inputs, training=True, return_losses=True
        )
        return vectors, tf.add_n([0.0, *losses]) / parts, state

    @tf.custom_gradient
    def run(*weights):
        states, vectors, added = [state], [], []
        for part in range(parts):
            with tf.control_dependencies(vectors[-1:]):
                own, losses, after = encoded(part, weights, states[-1])
            vectors.append(own)
            added.append(losses)
            states.append(after)

        def gradient(of_vectors, of_added, *_):
            total = [tf.zeros_like(weight) for weight in weights]
            for part in range(parts):
                # after the part before, and not before the loss is known: else all are held at once
                with tf.control_dependencies([of_vectors, *total]), tf.GradientTape() as tape:
                    tape.watch(weights)
                    own, losses, _ = encoded(part, weights, states[part])
                from_here = of_vectors[bounds[part] : bounds[part + 1]]
                gradients = tape.gradient([own, losses], weights, [from_here, of_added])
                total = [t if g is None else t + g for t, g in zip(total, gradients, strict=True)]
            return total

        return (tf.concat(vectors, 0), tf.add_n(added), *states[-1]), gradient

    vectors, added, *after = run(*weights)
    _keep(encoder.non_trainable_variables, after)
    return vectors, added


def _keep(variables, values):
    """Assign the state: seeds always, statistics if all are finite."""
    pairs = list(zip(variables, values, strict=True))
    statistics = [pair for pair in pairs if keras.backend.is_float_dtype(pair[0].dtype)]
    for variable, value in pairs:
        if not keras.backend.is_float_dtype(variable.dtype):
            variable.assign(tf.stop_gradient(value))
    if statistics:
        assign_finite(*statistics)
