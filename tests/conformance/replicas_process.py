"""Trains every model on one device and on two replicas: `python replicas_process.py ONE.npz TWO.npz`."""

import importlib.util
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

RATE = 0.01
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
spec = importlib.util.spec_from_file_location("conformance_models", Path(__file__).parent / "models.py")
models = sys.modules["conformance_models"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models)
from keras_ae.losses import (  # noqa: E402
    free_bits_kl,
    gaussian_kl,
    kl_decomposition,
    maximum_mean_discrepancy,
)


def trained(case, strategy, validate=False, **options):
    """`{"case/start0": a weight before the training, "case/weight0": after it, ...}`.

    Each training of the model but the first one comes after a validation if `validate`; `case` is then
    `case_validated`.
    """
    name = f"{case.name}_validated" if validate else case.name
    with strategy.scope():
        # Adam would not tell a gradient from twice it
        model = case.compiled(keras.optimizers.SGD(RATE), **options)
    start = {f"{name}/start{i}": weight for i, weight in enumerate(model.get_weights())}
    # the last batch of 3 is split unevenly, which Keras' own losses do not allow for; one of 1 leaves a
    # replica without an example, which TensorFlow's convolutions do not allow for on CPUs
    without_convolution = case.words or case.num_codes
    for examples in (12, 12) if case.functional else (11, 11, 9) if without_convolution else (11, 11):
        data = case.fit_arguments(case.data(examples))
        if validate:
            data["validation_data"] = (data["x"],)
        history = model.fit(**data, batch_size=8, epochs=1, verbose=0, shuffle=False)
    weights = {f"{name}/weight{i}": weight for i, weight in enumerate(model.get_weights())}
    return start | weights | {f"{name}/history": np.array([history.history["loss"][-1]])}


def total_correlation(z, mean, log_variance):
    """A weighted sum of the terms."""
    terms = tf.stack(kl_decomposition(z, mean, log_variance, 50, sampling="stratified"))
    return tf.reduce_sum(terms * [1.0, 3.0, 0.5])


def discrepancy(z, mean, log_variance):
    return maximum_mean_discrepancy(z, tf.exp(mean[:, 0]))


def free_bits(z, mean, log_variance):
    """One of the two dimensions is above the floor."""
    return free_bits_kl(gaussian_kl(z, log_variance) + [0.0, 2.0], 2.0, tf.exp(mean[:, 0]))


def term_of_a_batch(strategy, term):
    """A term of the whole batch and its gradient: seven posteriors, four of them on replica 0."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 7, 2)).astype("float32")
    count = strategy.num_replicas_in_sync
    share = {1: [slice(0, 7)], 2: [slice(0, 4), slice(4, 7)]}[count]

    def replica(context):
        return tf.constant(rows[:, share[context.replica_id_in_sync_group if count > 1 else 0]])

    with strategy.scope():
        scale = tf.Variable(tf.ones((3, 1, 2)), aggregation=tf.VariableAggregation.MEAN)
    parts = strategy.experimental_distribute_values_from_function(replica)

    @tf.function
    def step(part):
        with tf.GradientTape() as tape:
            loss = term(*tf.unstack(scale * part)) / count
        return loss, tape.gradient(loss, scale)

    values = strategy.run(step, args=(parts,))
    return [strategy.reduce("SUM", value, axis=None).numpy() for value in values]


mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
# one device takes eager steps, sooner made than traced: they must give the weights of the traced ones, too
ways = ((tf.distribute.get_strategy(), {"run_eagerly": True}), (mirrored, {}))
for out, (strategy, options) in zip(sys.argv[1:], ways, strict=True):
    results = {}
    for case in (case for case in models.CASES if case.replicated):
        results |= trained(case, strategy, **options)
        if case.name == "vae":  # it draws in validation, too
            results |= trained(case, strategy, validate=True, **options)
    for term in (total_correlation, discrepancy, free_bits):
        name = term.__name__
        results[f"{name}/term"], results[f"{name}/gradient"] = term_of_a_batch(strategy, term)
    np.savez(out, **results)
