"""Checkpoints of a training, and what a resumed one reports."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder
from keras_ae.training.callbacks import RunState
from keras_ae.training.run_directory.checkpoint import Checkpoint

X = np.random.default_rng(0).normal(size=(10, 4)).astype("float32")


class Interrupted(keras.callbacks.Callback):
    """Ends the training at a step, by an exception as a kill would."""

    def __init__(self, epoch, step):
        super().__init__()
        self.at = (epoch, step)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.stop(-1)

    def on_train_batch_end(self, batch, logs=None):
        self.stop(batch)

    def stop(self, batch):
        if (self.epoch, batch) == self.at:
            raise KeyboardInterrupt


def train(path, stop=None, restored=None):
    """The rows of the history of three epochs of three steps each, each one validated."""
    keras.utils.set_random_seed(0)
    networks = [keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)]) for _ in range(2)]
    model = AutoEncoder(*networks, VectorQuantizer(8, kmeans_samples=0, seed=0))
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    stream = SimpleNamespace(steps_per_epoch=3)
    state = RunState(path, stream, restored=restored, seconds=0.0)
    first = restored.state["epoch"] if restored else 0
    skipped = restored.state["step"] if restored else 0
    others = [] if stop is None else [Interrupted(*stop)]
    try:
        for epoch in range(first, 3):
            rows = slice(4 * skipped if epoch == first else 0, None)
            model.fit(
                X[rows],
                validation_data=(10.0 * X,),
                **{"epochs": epoch + 1, "initial_epoch": epoch, "batch_size": 4},
                **{"shuffle": False, "verbose": 0, "callbacks": [state, *others]},
            )
    except KeyboardInterrupt:
        return None
    return state.rows


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # the rest of an epoch
@pytest.mark.parametrize("stop", [(1, -1), (1, 0)], ids=["at_the_end_of_an_epoch", "inside_of_an_epoch"])
def test_the_epoch_after_a_resume_reports_its_own_training(tmp_path, stop):
    straight = train(tmp_path / "straight.npz")
    path = tmp_path / "killed.npz"
    assert train(path, stop=stop) is None
    resumed = train(path, restored=Checkpoint(path))
    assert [row["epoch"] for row in resumed] == [1, 2, 3]
    for ours, expected in zip(resumed, straight, strict=True):
        assert ours == pytest.approx(expected, rel=1e-6)
