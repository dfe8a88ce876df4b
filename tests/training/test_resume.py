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
from keras_ae.training.run_directory.checkpoint import Checkpoint

# a checkpoint at every step, and a process that kills itself in the middle of the second epoch
CHILD = """
import json, os, signal, sys
from keras.src.utils.naming import reset_uids
from keras_ae.training import run as runs
from keras_ae.training.callbacks import RunState
from keras_ae.training.recipes import RECIPES

mode, folder, *jobs = sys.argv[1:]
runs.RunState = type("EveryStep", (RunState,), {
    "__init__": lambda self, *args, **kwargs: RunState.__init__(self, *args, **kwargs, seconds=0.0),
    "on_train_batch_end": lambda self, batch, logs=None: (
        RunState.on_train_batch_end(self, batch, logs),
        os.kill(os.getpid(), signal.SIGKILL) if mode == "kill" and self.epoch == 1 and batch == 1 else None,
    ),
})
for recipe, settings, killed in map(json.loads, jobs):
    reset_uids()  # layers are numbered as in a process of their own: the order of sums goes by names
    made = RECIPES[recipe](epochs=3, batch_size=16, learning_rate=1e-2, **settings)
    where = {"resume": killed} if mode == "resume" else {"runs": folder}
    runs.train(made, verbose=False, **where)
"""


def child(mode, folder, jobs):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))}
    command = [sys.executable, "-c", CHILD, mode, str(folder), *map(json.dumps, jobs)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def finish(process, returncode):
    errors = process.communicate()[1]
    assert process.returncode == returncode, errors[-3000:]


IMAGES = {"filters": 8, "baselines": False, "probe": False}
TEXT = {"sentence_per_line": True, "word_vectors": "none", "encoder": "gru", "dim": 8, "embedding_dim": 8}
CASES = {
    "vqvae": ("images.npz", IMAGES | {"dtype_policy": "mixed_float16"}),
    "quick-thought": ("lines.txt", TEXT | {"word_dropout": 0.3, "sub_batches": 2}),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    images = {name: rng.random((count, 8, 8), "float32") for name, count in (("x_train", 80), ("x_test", 20))}
    np.savez(folder / "images.npz", **images)
    lines = [" ".join(rng.choice(list("abcdefgh"), 1 + row % 5)) for row in range(100)]
    (folder / "lines.txt").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """`{recipe: (uninterrupted run, resumed run)}`."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {name: {**own, "data": str(data / file)} for name, (file, own) in CASES.items()}
    jobs = [(name, settings[name], None) for name in CASES]
    straight = child("straight", folder / "straight", jobs)
    for job in jobs:  # each of them ends its process
        finish(child("kill", folder / "kill", [job]), -signal.SIGKILL)
    finish(straight, 0)
    found = {
        name: [str(next((folder / mode / name).iterdir())) for mode in ("straight", "kill")] for name in CASES
    }
    finish(child("resume", folder, [(name, settings[name], found[name][1]) for name in CASES]), 0)
    return found


@pytest.mark.parametrize("recipe", CASES)
def test_resumed_training_equals_an_uninterrupted_one(recipe, finished):
    straight, resumed = (Checkpoint(f"{directory}/checkpoint.npz") for directory in finished[recipe])
    assert resumed.state["epoch"] == 3
    assert resumed.state["history"] == straight.state["history"]
    assert set(resumed.arrays) == set(straight.arrays)
    for name, value in straight.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[name], value, err_msg=name)
    csv = [Path(f"{directory}/history.csv").read_text() for directory in finished[recipe]]
    assert csv[0] == csv[1]


@pytest.mark.parametrize("recipe", ["vqvae", "quick-thought"])
def test_resumed_run_measures_the_same(recipe, finished):
    metrics = [json.loads(Path(f"{directory}/metrics.json").read_text()) for directory in finished[recipe]]
    assert metrics[0] == metrics[1]


def test_missing_and_damaged_checkpoints_are_named(tmp_path):
    with pytest.raises(InputError, match="before its first checkpoint"):
        Checkpoint(tmp_path / "checkpoint.npz")
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match="not a readable checkpoint"):
        Checkpoint(tmp_path / "checkpoint.npz")
