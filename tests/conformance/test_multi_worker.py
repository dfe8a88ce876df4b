"""Two workers of `MultiWorkerMirroredStrategy`, real processes, train what one device trains."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(index, ports, out):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, sys.path)),
        "TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}}),
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    program = Path(__file__).with_name("multi_worker_process.py")
    return subprocess.Popen(
        [sys.executable, program, out], stderr=subprocess.PIPE, text=True, env=environment
    )


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    """What each worker ended with."""
    folder = tmp_path_factory.mktemp("workers")
    ports = free_ports(2)
    children = [start(index, ports, folder / f"{index}.npz") for index in range(2)]
    try:
        errors = [child.communicate(timeout=240)[1] for child in children]
    finally:
        for child in children:  # where one worker fails, the other would wait for it
            child.kill()
    assert [child.returncode for child in children] == [0, 0], "\n".join(text[-2000:] for text in errors)
    return [dict(np.load(folder / f"{index}.npz")) for index in range(2)]


def test_both_workers_end_with_equal_weights_and_logs(workers):
    first, second = workers
    assert first["replicas"] == 2 and first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def test_two_workers_train_the_weights_of_one_device(workers):
    from conformance_models import CASES

    case = next(case for case in CASES if case.name == "vq")
    model = case.compiled()
    history = model.fit(
        tf.data.Dataset.from_tensor_slices(case.data(16)).batch(8), epochs=2, verbose=0, shuffle=False
    )
    np.testing.assert_allclose(workers[0]["loss"], history.history["loss"], rtol=1e-3)
    for i, weight in enumerate(model.get_weights()):
        # sums over half batches in another order, 1e-7, through four Adam steps at 1e-2
        np.testing.assert_allclose(workers[0][f"weight{i}"], weight, atol=1e-4, err_msg=f"weight {i}")
