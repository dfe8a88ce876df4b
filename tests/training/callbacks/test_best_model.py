"""The weights a training ends with."""

import keras
import numpy as np
import pytest

from keras_ae.training.callbacks import BestModel


@pytest.mark.parametrize(
    ("monitor", "losses", "epoch"),
    [
        ("val_loss", [3.0, 1.0, 2.0, float("nan")], 2),
        (None, [1.0, 3.0, 2.0], 3),
        (None, [1.0, 3.0, float("nan")], 2),
    ],
)
def test_the_lowest_or_the_last_epoch_is_kept(tmp_path, monitor, losses, epoch):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    callback = BestModel(tmp_path / "model.keras", monitor=monitor)
    callback.set_model(model)
    for number, loss in enumerate(losses, start=1):
        model.set_weights([np.full((1, 1), number), np.zeros(1)])
        callback.on_epoch_end(number - 1, {monitor or "loss": loss})
    callback.on_train_end()
    assert callback.best_epoch == epoch
    for kept in (model, keras.saving.load_model(tmp_path / "model.keras")):
        assert kept.get_weights()[0] == epoch
