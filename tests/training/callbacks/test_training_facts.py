"""What a training took: parameters by hand, added durations, rates of a schedule by its formula."""

import json

import keras
import numpy as np
import pytest

from keras_ae.training.callbacks import TrainingFacts
from keras_ae.training.callbacks.training_facts import learning_rates, parameters_of

X = np.zeros((8, 3), "float32")


def model(rate=0.1):
    layers = [keras.layers.Dense(2, name="encoder"), keras.layers.Dense(3, name="decoder", trainable=False)]
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), *layers])
    model.compile(keras.optimizers.SGD(rate), "mse", run_eagerly=True)
    return model


def test_parameters_of_each_part():
    # (3 + 1) * 2 weights and biases, and (2 + 1) * 3
    assert parameters_of(model()) == {"total": 17, "trainable": 8, "encoder": 8, "decoder": 9}


def test_the_logs_have_the_rate_at_the_end_of_each_epoch(tmp_path):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 8, 0.0)
    logs = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(logs["learning_rate"])
    )
    rates = []
    facts = TrainingFacts(tmp_path / "training.json")
    model(schedule).fit(X, X, batch_size=4, epochs=3, verbose=0, callbacks=[facts, logs])
    assert rates == pytest.approx([0.1 * (1 - step / 8) for step in (2, 4, 6)])


def test_a_continued_training_adds_its_duration(tmp_path):
    path = tmp_path / "training.json"
    path.write_text(json.dumps({"seconds": 1000.0}))
    model().fit(X, X, verbose=0, callbacks=[TrainingFacts(path)])
    facts = json.loads(path.read_text())
    assert 1000.0 <= facts["seconds"] < 1600.0
    assert facts["parameters"]["total"] == 17
    assert facts["machine"]["cores"] >= 1 and facts["machine"]["system"]


def test_a_damaged_file_is_replaced(tmp_path):
    path = tmp_path / "training.json"
    path.write_text("{")
    model().fit(X, X, verbose=0, callbacks=[TrainingFacts(path)])
    assert json.loads(path.read_text())["seconds"] < 600.0


def test_each_player_has_its_rate():
    class Player:
        def __init__(self, name):
            self.name = name

    two = model()
    two.players = lambda: [Player("auto_encoder"), Player("adversary")]
    two.adversary_optimizer = keras.optimizers.SGD(0.5)
    assert learning_rates(two) == pytest.approx({"learning_rate": 0.1, "adversary_learning_rate": 0.5})
