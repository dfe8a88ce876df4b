"""Trains every model on so many replicas: `python replicas_process.py COUNT OUT.npz`."""

import importlib.util
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

RATE = 0.01
count, out = int(sys.argv[1]), sys.argv[2]
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * count)
spec = importlib.util.spec_from_file_location("conformance_models", Path(__file__).parent / "models.py")
models = sys.modules["conformance_models"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models)
from keras_ae.losses import kl_decomposition  # noqa: E402

if count == 1:
    strategy = tf.distribute.get_strategy()
else:
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)])
results = {}
for case in models.CASES:
    with strategy.scope():
        model = case.compiled(keras.optimizers.SGD(RATE))  # Adam would not tell a gradient from twice it
    results.update({f"{case.name}/start{i}": w for i, w in enumerate(model.get_weights())})
    # 11 examples: the last batch of 3 is split unevenly, which Keras' own losses do not allow for
    arguments = case.fit_arguments(case.data(12 if case.functional else 11))
    history = model.fit(**arguments, batch_size=8, epochs=2, verbose=0, shuffle=False)
    results.update({f"{case.name}/weight{i}": w for i, w in enumerate(model.get_weights())})
    results[f"{case.name}/history"] = np.array([history.history["loss"][-1]])


def terms_of_a_batch():
    """Terms of the total correlation and their gradient: seven posteriors, four of them on replica 0."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(3, 7, 2)).astype("float32")
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


results["kl_decomposition/terms"], results["kl_decomposition/gradient"] = terms_of_a_batch()
np.savez(out, **results)
