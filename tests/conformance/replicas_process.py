"""Trains every model on so many replicas: `python replicas_process.py COUNT OUT.npz`."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

count, out = int(sys.argv[1]), sys.argv[2]
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * count)
spec = importlib.util.spec_from_file_location("conformance_models", Path(__file__).parent / "models.py")
models = sys.modules["conformance_models"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models)

if count == 1:
    strategy = tf.distribute.get_strategy()
else:
    strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(count)])
results = {}
for case in models.CASES:
    with strategy.scope():
        model = case.compiled()
    # 11 examples: the last batch of 3 is split unevenly, which Keras' own losses do not allow for
    arguments = case.fit_arguments(case.data(12 if case.functional else 11))
    history = model.fit(**arguments, batch_size=8, epochs=2, verbose=0, shuffle=False)
    results.update({f"{case.name}/weight{i}": w for i, w in enumerate(model.get_weights())})
    results[f"{case.name}/history"] = np.array([history.history["loss"][-1]])
np.savez(out, **results)
