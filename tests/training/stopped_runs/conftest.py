import shutil

import pytest
import tensorflow as tf

from keras_ae.training import run as run_module
from keras_ae.training.callbacks.figure_callback import FigureCallback
from keras_ae.training.cli import main


@pytest.fixture(autouse=True, scope="module")
def quick(trained_run):
    """Trainings of one step: graphs, pictures and pages would take most of the time."""
    tf.config.run_functions_eagerly(True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "write_report", lambda directory: None)
        patch.setattr(FigureCallback, "_write", lambda *_: None)
        yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def run(trained_run, tmp_path):
    """A copy of a finished run of one epoch."""
    return shutil.copytree(trained_run, tmp_path / "run")


@pytest.fixture
def resume(run, capsys):
    """Resumes the run; `(exit code, output, error line)`."""

    def call(*options, recipe="vqvae"):
        capsys.readouterr()
        code = main(["train", recipe, "--resume", str(run), *map(str, options)])
        return code, *capsys.readouterr()

    return call
