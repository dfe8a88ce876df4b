"""A killed training that is resumed ends with the weights of an uninterrupted one, bit for bit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.training.checkpoint import Checkpoint

# a checkpoint at every step, and a process that kills itself in the middle of the second epoch
CHILD = """
import os, signal, sys
import keras
from keras_ae.training import run as runs
from keras_ae.training.callbacks import RunState
from keras_ae.training.recipes import RECIPES

mode, policy, recipe, folder = sys.argv[1:5]
runs.RunState = type("EveryStep", (RunState,), {
    "__init__": lambda self, *args, **kwargs: RunState.__init__(self, *args, **kwargs, seconds=0.0),
    "on_train_batch_end": lambda self, batch, logs=None: (
        RunState.on_train_batch_end(self, batch, logs),
        os.kill(os.getpid(), signal.SIGKILL) if mode == "kill" and self.epoch == 1 and batch == 1 else None,
    ),
})
settings = {"data": sys.argv[5], "epochs": 3, "batch_size": 16, "filters": 8, "dtype_policy": policy}
settings = {**settings, "baselines": False, "probe": False, "learning_rate": 1e-2}
made = RECIPES[recipe](**settings)
where = {"resume": sys.argv[6]} if mode == "resume" else {"runs": folder}
run = runs.train(made, verbose=False, **where)
print(run.directory)
"""


def child(*arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=environment, **pipes)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "images.npz"
    rng = np.random.default_rng(0)
    np.savez(path, x_train=rng.random((80, 8, 8), "float32"), x_test=rng.random((20, 8, 8), "float32"))
    return path


@pytest.fixture(scope="module")
def finished(images, tmp_path_factory):
    """`{case: (uninterrupted run, resumed run)}`; the trainings of all cases side by side."""
    cases = {("vqvae", "float32"): None, ("gumbel", "mixed_float16"): None}
    folder = tmp_path_factory.mktemp("runs")
    straight, killed = {}, {}
    for recipe, policy in cases:
        straight[recipe] = child("straight", policy, recipe, folder / "straight", images)
        killed[recipe] = child("kill", policy, recipe, folder / "killed", images)
        for process in (straight[recipe], killed[recipe]):
            process.out = process.communicate()
        assert straight[recipe].returncode == 0, straight[recipe].out[1][-3000:]
        assert killed[recipe].returncode == -signal.SIGKILL
    for recipe, policy in cases:
        directory = next((folder / "killed" / recipe).iterdir())
        process = child("resume", policy, recipe, folder, images, directory)
        out, errors = process.communicate()
        assert process.returncode == 0, errors[-3000:]
        cases[recipe, policy] = (straight[recipe].out[0].split()[-1], str(directory))
    return cases


@pytest.mark.parametrize("case", [("vqvae", "float32"), ("gumbel", "mixed_float16")], ids="-".join)
def test_resumed_training_equals_an_uninterrupted_one(case, finished):
    straight, resumed = (Checkpoint(f"{directory}/checkpoint.npz") for directory in finished[case])
    assert resumed.state["epoch"] == 3
    assert resumed.state["history"] == straight.state["history"]
    assert set(resumed.arrays) == set(straight.arrays)
    for name, value in straight.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], value, err_msg=name)
    csv = [Path(f"{directory}/history.csv").read_text() for directory in finished[case]]
    assert csv[0] == csv[1]


@pytest.mark.parametrize("case", [("vqvae", "float32")], ids="-".join)
def test_resumed_run_measures_the_same(case, finished):
    metrics = [json.loads(Path(f"{directory}/metrics.json").read_text()) for directory in finished[case]]
    assert metrics[0] == metrics[1]


def test_missing_and_damaged_checkpoints_are_named(tmp_path):
    with pytest.raises(InputError, match="before its first checkpoint"):
        Checkpoint(tmp_path / "checkpoint.npz")
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        Checkpoint(tmp_path / "checkpoint.npz")
