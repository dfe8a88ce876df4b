"""Checkpoints of a training, and what a resumed one reports."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.layers import VectorQuantizer
from keras_ae.models import AutoEncoder
from keras_ae.training.callbacks import BestModel, InterpolationGrid, RunState, SampleGrid, TrainingFacts
from keras_ae.training.run_directory.checkpoint import Checkpoint, plain_state, save_checkpoint

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


def callbacks_of(folder, *, newer):
    """The callbacks of a recipe; those of a newer version include two more."""
    facts = [TrainingFacts(folder / "facts.json")] if newer else []
    points = [InterpolationGrid(np.zeros((4, 2, 2, 1)), folder)] if newer else []
    return [BestModel(folder / "model.keras"), *facts, *points, SampleGrid(folder)]


@pytest.mark.parametrize("named", [True, False], ids=["", "before_the_checkpoint_contained_classes"])
def test_a_run_of_a_version_with_fewer_callbacks_is_resumed(tmp_path, named):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4)])
    model.compile("sgd", "mse")
    older = callbacks_of(tmp_path, newer=False)
    given = [plain_state(callback) for callback in older]
    older[0].best, older[0].best_epoch, older[0].best_weights = 0.5, 7, [np.ones(2), np.zeros(3)]
    older[1].epoch = 8
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, model, {"epoch": 9}, zip(older, given, strict=True))
    restored = Checkpoint(path)
    if not named:
        del restored.state["callback_names"]
    for newer in (True, False):
        best, *others = callbacks_of(tmp_path, newer=newer)
        restored.restore_callbacks([best, *others])
        assert (best.best, best.best_epoch) == (0.5, 7)
        np.testing.assert_array_equal(np.concatenate(best.best_weights), [1, 1, 0, 0, 0])
        assert 8 in [getattr(callback, "epoch", None) for callback in others]
    with pytest.raises(
        InputError, match=r"best, best_epoch, best_weights of .*: was the run made by another"
    ):
        restored.restore_callbacks(others)
