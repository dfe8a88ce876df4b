"""Random numbers that differ from replica to replica."""

import tensorflow as tf

_APART = 1_000_003  # seeds from replica to replica: other layers of a model have seeds near by


def replica_number():
    """Number of the current replica of `tf.distribute`; 0 outside of its `run`."""
    if tf.distribute.in_cross_replica_context():
        return 0
    return tf.distribute.get_replica_context().replica_id_in_sync_group


def uniform_noise(shape, seed_generator):
    """Float32, uniform in [0, 1): new numbers at every call, others in every replica.

    A `keras.random.SeedGenerator` counts in step on all replicas, so that `keras.random.uniform` would give
    each of them the same numbers.

    Compiled by XLA the numbers are others than without.

    Args:
        shape: of the numbers.
        seed_generator: `keras.random.SeedGenerator`, whose counter goes up by one.
    """
    seed = tf.cast(seed_generator.next(), "int32")
    return tf.random.stateless_uniform(shape, seed + tf.stack([_APART * replica_number(), 0]))
