"""A model saved by `.keras` reloads in a fresh process: compiled, with all optimiser state."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

CHILD = """
import json, sys, warnings
import numpy as np
warnings.simplefilter("error", UserWarning)  # "Skipping variable loading for optimizer" and its like
import keras
import keras_ae

results = {}
for path in sys.argv[1:]:
    with np.load(path + ".npz") as file:
        inputs = {name: file[name] for name in file.files}
    model = keras.saving.load_model(path + ".keras")
    x = inputs if len(inputs) > 1 else inputs["x"]
    np.savez(
        path + ".out.npz",
        prediction=np.asarray(model(x, training=False)),
        **{f"optimizer{i}": np.asarray(v) for i, v in enumerate(model.optimizer.variables)},
        **{f"weight{i}": w for i, w in enumerate(model.get_weights())},
    )
    target = {"y": x} if path.endswith("users_functional") else {}
    model.run_eagerly = True  # a single step: it is sooner made than traced
    model.fit(x=x, **target, verbose=0)
    results[path] = bool(model.compiled)
print(json.dumps(results))
"""


@pytest.fixture(scope="session")
def reloaded(trained, tmp_path_factory):
    """`{name: arrays}` made by one fresh process from the files of all models."""
    from conformance_models import CASES

    folder, paths = tmp_path_factory.mktemp("saved"), []
    for case in CASES:
        path = str(folder / case.name)
        trained[case.name].save(path + ".keras")
        x = case.data()
        np.savez(path + ".npz", **(x if isinstance(x, dict) else {"x": x}))
        paths.append(path)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *paths], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert all(json.loads(done.stdout.splitlines()[-1]).values())
    return {case.name: dict(np.load(f"{folder / case.name}.out.npz")) for case in CASES}


def test_predictions_are_equal(case, trained, reloaded):
    prediction = np.asarray(trained[case.name](case.data(), training=False))
    # the same float32 graph on the same machine; 1e-6 allows for another thread order
    np.testing.assert_allclose(reloaded[case.name]["prediction"], prediction, atol=1e-6)


def test_weights_and_layer_state_are_equal(case, trained, reloaded):
    from keras_ae.layers.bottlenecks._codebook_start import SampleBuffer

    layers = trained[case.name]._flatten_layers()
    # a full buffer is no longer needed, and empty after loading
    full = [layer for layer in layers if isinstance(layer, SampleBuffer) and layer.count == layer.capacity]
    emptied = {id(variable) for layer in full for variable in layer.variables}
    for i, weight in enumerate(trained[case.name].weights):
        expected = np.zeros(weight.shape) if id(weight) in emptied else np.asarray(weight)
        np.testing.assert_array_equal(reloaded[case.name][f"weight{i}"], expected)


def test_optimizer_state_is_equal(case, trained, reloaded):
    variables = trained[case.name].optimizer.variables
    assert len(variables) > 3
    for i, variable in enumerate(variables):
        np.testing.assert_array_equal(reloaded[case.name][f"optimizer{i}"], np.asarray(variable))
