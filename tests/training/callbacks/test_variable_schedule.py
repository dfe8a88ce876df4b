import keras
import numpy as np
import pytest

from keras_ae.layers.bottlenecks.gumbel_one_hot import GumbelOneHot
from keras_ae.training.callbacks import VariableSchedule

LOGITS = np.zeros((12, 4), "float32")


class Watch(keras.callbacks.Callback):
    """Notes the temperature at every step."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_train_batch_begin(self, batch, logs=None):
        self.seen.append(round(float(self.model.get_layer("gumbel").temperature), 6))


def model(**compile_arguments):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, GumbelOneHot(name="gumbel")(inputs))
    model.compile("sgd", "mse", **compile_arguments)
    return model


def watch(schedule, epochs=2, **compile_arguments):
    watcher = Watch()
    history = model(**compile_arguments).fit(
        LOGITS, LOGITS, batch_size=2, epochs=epochs, verbose=0, callbacks=[schedule, watcher]
    )
    return watcher.seen, history.history


def test_a_function_of_the_epoch_holds_for_the_whole_epoch_and_is_logged():
    seen, history = watch(VariableSchedule("gumbel.temperature", lambda epoch: 1 / (1 + epoch)))
    assert seen == [1.0] * 6 + [0.5] * 6
    assert history["temperature"] == [1.0, 0.5]


def test_a_keras_schedule_counts_steps_over_epochs():
    # float32 from the schedule's own arithmetic: compared after rounding to 6 places
    decay = keras.optimizers.schedules.PolynomialDecay(1.0, 10, end_temperature := 0.5)
    seen, _ = watch(VariableSchedule("gumbel.temperature", decay))
    assert seen == [round(max(1.0 - 0.05 * step, end_temperature), 6) for step in range(12)]


def test_several_steps_per_execution_count_as_several():
    decay = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.5)
    schedule = VariableSchedule("gumbel.temperature", decay)
    # 6 steps an epoch, 4 at once: the second execution holds 2
    seen, _ = watch(schedule, steps_per_execution=4)
    assert seen == [1.0, 0.8, 0.7, 0.5]
    assert schedule.step == 12


def test_a_restored_step_goes_on():
    decay = keras.optimizers.schedules.PolynomialDecay(1.0, 10, 0.5)
    schedule = VariableSchedule("gumbel.temperature", decay)
    schedule.step = 4
    seen, _ = watch(schedule, epochs=1)
    assert seen[0] == 0.8


def test_a_function_of_the_model_finds_the_variable():
    schedule = VariableSchedule(
        lambda model: model.get_layer("gumbel").temperature, lambda epoch: 0.25, name="tau"
    )
    seen, history = watch(schedule, epochs=1)
    assert seen == [0.25] * 6
    assert history["tau"] == [0.25]


def test_a_plain_number_is_refused_with_the_reason():
    with pytest.raises(ValueError, match="'gumbel.kl_weight', must be a variable. Received: 0.0. A plain"):
        watch(VariableSchedule("gumbel.kl_weight", lambda epoch: 1.0))


@pytest.mark.parametrize("path", ["nowhere.temperature", "gumbel.heat"])
def test_a_path_that_leads_nowhere_is_named(path):
    with pytest.raises(ValueError, match=f"Received: '{path}'"):
        watch(VariableSchedule(path, lambda epoch: 1.0))
