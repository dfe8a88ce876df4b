"""Stages of a training: which players move when, also with several steps at once, reloaded, and resumed."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.models import BaseModel, Player, Stage
from keras_ae.models.stages import stage_at

STAGES = (
    Stage("first", {"left": 1}, 2),
    Stage("second", {"right": 2}, 3),
    Stage("both", {"right": 1, "left": 1}),
)


@keras.saving.register_keras_serializable(package="tests")
class TwoNumbers(BaseModel):
    """Two numbers; each falls by 1 in each of its updates (SGD with rate 1 on the number itself)."""

    def __init__(self, stages=STAGES, **kwargs):
        super().__init__(**kwargs)
        self.left = self.add_weight(shape=(), initializer="zeros", name="left")
        self.right = self.add_weight(shape=(), initializer="zeros", name="right")
        self.track_terms("left_loss", "right_loss")
        self.track_stages(*stages)
        self.built = True

    def players(self):
        return [
            Player(name, lambda name=name: [getattr(self, name)] if self.trainable else [])
            for name in ("left", "right")
        ]

    def compute_terms(self, x, y, sample_weight, training, player):
        value = getattr(self, player) * ops.mean(ops.ones_like(x))
        return {"loss": value, f"{player}_loss": value}

    def get_config(self):
        return {}


def compiled(model=None, **options):
    model = TwoNumbers() if model is None else model
    model.compile(keras.optimizers.SGD(1.0), jit_compile=False, **options)
    return model


def number(variable):
    return int(tf.convert_to_tensor(variable.value))  # also of a mirrored variable


def falls(model):
    return -number(model.left), -number(model.right)


def fit(model, steps, **options):
    model.fit(np.zeros((steps, 1), "float32"), batch_size=1, verbose=0, **options)
    return falls(model)


def expected(steps):
    """Updates of `left` and `right` after so many steps of STAGES."""
    return min(steps, 2) + max(0, steps - 5), 2 * min(max(0, steps - 2), 3) + max(0, steps - 5)


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 6, 8])
def test_the_players_of_each_stage_move_for_its_steps(steps):
    model = compiled()
    assert fit(model, steps) == expected(steps)
    assert number(model.training_step) == steps


def test_several_fits_go_on_in_the_stage_where_the_last_one_ended():
    model = compiled()
    for done, more in ((1, 1), (4, 3), (7, 3)):
        assert fit(model, more) == expected(done)
    assert model.stage == "both"


def test_train_on_batch_goes_through_the_stages_too():
    model = compiled()
    for step in range(7):
        model.train_on_batch(np.zeros((1, 1), "float32"))
        assert falls(model) == expected(step + 1)


def test_a_reload_goes_on_in_its_stage(tmp_path):
    model = compiled()
    fit(model, 3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert number(loaded.training_step) == 3
    assert fit(loaded, 4) == expected(7)


def test_with_several_steps_per_execution_a_stage_ends_with_the_execution():
    model = compiled(steps_per_execution=3)
    # executions of three steps: the first stage takes 3 steps in place of 2, the second 3, then both
    assert fit(model, 9) == (3 + 3, 2 * 3 + 3)


def test_stages_of_whole_executions_are_exact():
    stages = (Stage("first", {"left": 1}, 4), Stage("second", {"right": 1}))
    model = compiled(TwoNumbers(stages), steps_per_execution=2)
    assert fit(model, 8) == (4, 4)


def test_run_eagerly_goes_through_the_same_stages():
    assert fit(compiled(run_eagerly=True), 7) == expected(7)


def test_evaluation_computes_the_terms_of_all_players_and_counts_nothing():
    model = compiled()
    fit(model, 3)
    logs = model.evaluate(np.zeros((2, 1), "float32"), verbose=0, return_dict=True)
    assert (logs["loss"], logs["left_loss"], logs["right_loss"]) == (-2.0, -2.0, -2.0)
    assert number(model.training_step) == 3


def test_terms_of_a_player_that_stands_still_are_zero():
    model = compiled()
    history = model.fit(np.ones((2, 1), "float32"), batch_size=1, epochs=2, verbose=0).history
    assert history["left_loss"] == [-0.5, 0.0]  # mean of 0 and -1; then the second stage
    assert history["right_loss"] == [0.0, pytest.approx(-1.5)]  # 0, -1, -2, -3


@pytest.mark.slow
def test_the_users_callbacks_are_called_too_however_they_are_given():
    class Seen(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.stages = []

        def on_train_batch_end(self, batch, logs=None):
            self.stages.append(self.model.stage)

    x, names = np.zeros((6, 1), "float32"), ["first"] * 2 + ["second"] * 3 + ["both"]
    given = Seen(), Seen(), Seen()
    compiled().fit(x, None, 1, 1, 0, [given[0]])  # by position
    compiled().fit(x, batch_size=1, verbose=0, callbacks=given[1])
    model = compiled()
    model.fit(x, batch_size=1, verbose=0, callbacks=keras.callbacks.CallbackList([given[2]], model=model))
    assert [one.stages for one in given] == [names] * 3


def test_an_untrainable_model_counts_no_steps():
    model = TwoNumbers()
    model.trainable = False
    assert fit(compiled(model), 4) == (0, 0)
    assert number(model.training_step) == 0


def test_replicas_count_a_step_once():
    cpus = tf.config.list_logical_devices("CPU")
    strategy = tf.distribute.MirroredStrategy([cpus[0].name])
    with strategy.scope():
        model = compiled()
    assert fit(model, 7) == expected(7)
    assert number(model.training_step) == 7


def test_a_model_without_stages_has_no_counter():
    model = BaseModel()
    assert model.stages == () and model.stage is None and not model.weights


def test_stages_of_no_steps_are_left_out():
    stages = (Stage("none", {"left": 1}, 0), Stage("all", {"right": 1}))
    assert stage_at(stages, 0).name == "all"
    assert fit(compiled(TwoNumbers(stages)), 2) == (0, 2)


@pytest.mark.parametrize(
    "stages, message",
    [
        ((Stage("a", {"left": 1}, 3),), "the last must have None"),
        ((Stage("a", {"left": 1}), Stage("b", {"left": 1})), "the last must have None"),
        ((Stage("a", {"left": 1}, -1), Stage("b", {"left": 1})), "at least 0"),
        ((Stage("a", {"middle": 1}),), "players of stages must be among .'left', 'right'.*middle"),
    ],
)
def test_stages_that_cannot_be_are_named(stages, message):
    with pytest.raises(ValueError, match=message):
        TwoNumbers(stages)
