"""The loader of TensorFlow Serving is C++: this is as near to it as a test without a server comes."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

COMPILER = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
LIBRARIES = Path(tf.sysconfig.get_lib())


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if COMPILER is None:
        pytest.skip("no C compiler")
    if not (LIBRARIES / "libtensorflow_cc.so.2").exists():
        pytest.skip("this TensorFlow wheel has no C library")
    path = tmp_path_factory.mktemp("program") / "serve"
    command = [COMPILER, "-std=c11", "-Wall", "-Werror", "-o", path, Path(__file__).with_name("serve.c")]
    command += [f"-I{tf.sysconfig.get_include()}", f"-L{LIBRARIES}", f"-Wl,-rpath,{LIBRARIES}"]
    command += ["-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    if shutil.which("ld.gold"):  # reads the gigabyte of symbols in a second instead of ten
        command.append("-fuse-ld=gold")
    subprocess.run([str(part) for part in command], check=True)
    return path


def signature(directory, name):
    parsed = saved_model_pb2.SavedModel.FromString((directory / "saved_model.pb").read_bytes())
    return parsed.meta_graphs[0].signature_def[name]


def test_a_saved_model_runs_without_python(program, saved, picture_model):
    definition = signature(saved, "serving_default")
    source, target = definition.inputs["image"].name, definition.outputs["output"].name
    image = np.random.default_rng(0).random((2, 8, 8, 1), "float32")
    operation, index = target.split(":")
    arguments = [saved, source.split(":")[0], operation, index, image.ndim, *image.shape]
    done = subprocess.run(
        [program, *map(str, arguments)],
        input=" ".join(f"{value:.9g}" for value in image.ravel()),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    values = np.array(done.stdout.split(), "float32").reshape(image.shape)
    np.testing.assert_allclose(values, picture_model(image), atol=1e-6)  # float32 rounding
