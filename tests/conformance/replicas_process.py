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
from keras_ae.losses import kl_decomposition  # noqa: E402


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


def terms_of_a_batch(strategy):
    """Terms of the total correlation and their gradient: seven posteriors, four of them on replica 0."""
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
            terms = tf.stack(kl_decomposition(*tf.unstack(scale * part), 50, sampling="stratified")) / count
            loss = tf.reduce_sum(terms * [1.0, 3.0, 0.5])
        return terms, tape.gradient(loss, scale)

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
    results["kl_decomposition/terms"], results["kl_decomposition/gradient"] = terms_of_a_batch(strategy)
    np.savez(out, **results)
