"""Two replicas train what one device trains on the same global batch."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def replicas(tmp_path_factory):
    """`(one, two)`: what one device and two replicas trained, in a process of their own.

    `{"case/start0": a weight before the training, "case/weight0": after it, ...}`.
    """
    folder = tmp_path_factory.mktemp("replicas")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    results = [folder / "one.npz", folder / "two.npz"]
    command = [sys.executable, HERE / "replicas_process.py", *results]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [dict(np.load(path)) for path in results]


@pytest.mark.only(replicated=True)
def test_two_replicas_give_the_weights_of_one_device(case, replicas):
    one, two = replicas
    names = [name for name in one if name.startswith(f"{case.name}/weight")]
    assert names
    if case.noisy:
        return  # replicas draw their own noise: their losses are compared, below
    floats = [name for name in names if one[name].dtype.kind == "f"]  # no counters, no random state
    moved = [np.abs(one[name] - one[name.replace("/weight", "/start")]).max() for name in floats]
    assert max(moved) > 5e-4  # far more than what is tolerated below
    for name in names:
        # float32 sums over half batches in another order
        np.testing.assert_allclose(two[name], one[name], atol=1e-6, err_msg=name)


@pytest.mark.only(replicated=True)
def test_two_replicas_report_the_losses_of_one_device(case, replicas):
    one, two = (values[f"{case.name}/history"] for values in replicas)
    assert np.isfinite(two).all()
    # a user's own stock model counts a replica's added losses twice in its log (Keras shares the layer)
    tolerance = 0.5 if case.noisy or case.functional else 1e-3
    np.testing.assert_allclose(two, one, rtol=tolerance)


@pytest.mark.parametrize("count", [1, 2])
def test_validation_does_not_change_the_training(count, replicas):
    values = replicas[count - 1]
    names = [name for name in values if name.startswith("vae_validated/weight")]
    assert names
    for name in names:
        np.testing.assert_array_equal(values[name], values[name.replace("_validated", "")], err_msg=name)


@pytest.mark.parametrize("value", ["term", "gradient"])
@pytest.mark.parametrize("term", ["total_correlation", "discrepancy", "free_bits"])
def test_a_term_of_the_whole_batch_is_that_of_the_global_batch(term, value, replicas):
    one, two = (values[f"{term}/{value}"] for values in replicas)
    assert np.abs(one).max() > 1e-3
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-6)  # float32 sums in another order
