"""One of several workers that train the VQ model together: `python multi_worker_process.py OUT.npz`.

`TF_CONFIG` in the environment says which one this is.
"""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

strategy = tf.distribute.MultiWorkerMirroredStrategy()  # before anything else touches the runtime
spec = importlib.util.spec_from_file_location("conformance_models", Path(__file__).parent / "models.py")
models = sys.modules["conformance_models"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models)

case = next(case for case in models.CASES if case.name == "vq")
with strategy.scope():
    model = case.compiled()
options = tf.data.Options()
options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
data = tf.data.Dataset.from_tensor_slices(case.data(16)).batch(8, drop_remainder=True)
history = model.fit(data.with_options(options), epochs=2, verbose=0, shuffle=False)
np.savez(
    sys.argv[1],
    replicas=strategy.num_replicas_in_sync,
    loss=history.history["loss"],
    **{f"weight{i}": weight for i, weight in enumerate(model.get_weights())},
)
