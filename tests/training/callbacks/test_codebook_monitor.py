import csv

import keras
import numpy as np
import pytest

from keras_ae.layers.bottlenecks.binary_bottleneck import BinaryBottleneck
from keras_ae.layers.bottlenecks.gumbel_one_hot import GumbelOneHot
from keras_ae.training import callbacks as callbacks_module
from keras_ae.training.callbacks import CodebookMonitor, ReconstructionGrid, codebook_monitor

LOGITS = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")


def model_with(layer, features):
    """A user's own functional model whose bottleneck gets the inputs as they are."""
    inputs = keras.Input((features,))
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    return model


def fit(model, x, callbacks, **kwargs):
    return model.fit(x, x, batch_size=8, verbose=0, callbacks=callbacks, **kwargs).history


@pytest.fixture
def drawn(monkeypatch):
    """The counts of every histogram that is drawn."""
    counts, original = [], codebook_monitor.code_histogram

    def record(values, **kwargs):
        counts.append(np.array(values))
        return original(values, **kwargs)

    monkeypatch.setattr(codebook_monitor, "code_histogram", record)
    return counts


def bit_counts(x):
    return np.stack([(x <= 0).sum(axis=0), (x > 0).sum(axis=0)], axis=1)


def test_counts_are_those_of_the_training_epoch(tmp_path, drawn):
    fit(model_with(BinaryBottleneck(), 3), LOGITS, [CodebookMonitor(directory=tmp_path)], epochs=2)
    for counts in drawn:
        np.testing.assert_array_equal(counts, bit_counts(LOGITS))
    assert len(drawn) == 2
    assert (tmp_path / "codebook_usage.png").is_file()


def test_validation_and_other_callbacks_leave_the_counts_alone(tmp_path, drawn):
    class Evaluate(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.predict(LOGITS[:2], verbose=0)

    callbacks = [Evaluate(), CodebookMonitor(directory=tmp_path)]
    fit(model_with(BinaryBottleneck(), 3), LOGITS, callbacks, validation_data=(LOGITS[:4], LOGITS[:4]))
    np.testing.assert_array_equal(drawn[0], bit_counts(LOGITS))


def test_pictures_drawn_before_add_no_counts(tmp_path, drawn):
    inputs = keras.Input((4, 4, 1))
    bits = BinaryBottleneck()(keras.layers.Reshape((16,))(inputs))
    model = keras.Model(inputs, keras.layers.Reshape((4, 4, 1))(bits))
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.random.default_rng(0).normal(size=(8, 4, 4, 1)).astype("float32")
    fit(model, x, [ReconstructionGrid(x, tmp_path), CodebookMonitor(directory=tmp_path)])
    np.testing.assert_array_equal(drawn[0], bit_counts(x.reshape(8, 16)))


def test_used_and_dead_codes_reach_history_and_csv(tmp_path):
    logger = keras.callbacks.CSVLogger(str(tmp_path / "history.csv"))
    always_on = np.abs(LOGITS) * [1, 1, -1]
    callbacks = [CodebookMonitor(directory=tmp_path), logger]
    history = fit(model_with(BinaryBottleneck(), 3), always_on.astype("float32"), callbacks)
    assert (history["used_codes"], history["dead_codes"]) == ([3.0], [3.0])
    with open(tmp_path / "history.csv", newline="") as file:
        assert [row["dead_codes"] for row in csv.DictReader(file)] == ["3.0"]


def test_a_named_layer_prefixes_logs_and_files(tmp_path):
    history = fit(
        model_with(BinaryBottleneck(name="top"), 3), LOGITS, [CodebookMonitor("top", directory=tmp_path)]
    )
    assert history["top_used_codes"] == [6.0]
    assert (tmp_path / "top_codebook_usage.png").is_file()


def one_class(classes=32):
    return np.eye(classes, dtype="float32")[[7] * 16]


def test_collapse_prints_one_line_when_it_begins(tmp_path, capsys):
    callback = CodebookMonitor(directory=tmp_path)
    fit(model_with(GumbelOneHot(name="sign"), 32), one_class(), [callback], epochs=3)
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert len(lines) == 1
    assert "`sign` uses 1 of 32 codes" in lines[0]
    assert callback.collapsed == ["sign"]


def test_codes_in_use_print_nothing_and_end_a_collapse(tmp_path, capsys):
    callback = CodebookMonitor(directory=tmp_path)
    callback.collapsed = ["sign"]
    fit(model_with(GumbelOneHot(name="sign"), 16), np.eye(16, dtype="float32"), [callback])
    assert capsys.readouterr().out == ""
    assert callback.collapsed == []


def test_bits_that_never_change_are_a_collapse(tmp_path, capsys):
    constant = np.ones((8, 3), "float32")
    fit(model_with(BinaryBottleneck(), 3), constant, [CodebookMonitor(directory=tmp_path)])
    assert "uses 3 of 6 codes" in capsys.readouterr().out


def test_a_model_without_the_bottleneck_is_refused_before_training(tmp_path):
    model = model_with(BinaryBottleneck(name="bits"), 3)
    with pytest.raises(ValueError, match=r"must contain one named 'other'. Received: .*\['bits'\]"):
        fit(model, LOGITS, [CodebookMonitor("other", tmp_path)])
    with pytest.raises(ValueError, match="must contain a discrete bottleneck"):
        fit(model_with(keras.layers.Dense(3), 3), LOGITS, [CodebookMonitor(directory=tmp_path)])


def test_the_former_name_still_works():
    with pytest.warns(DeprecationWarning, match="is now CodebookMonitor"):
        assert callbacks_module.CodebookUsage is CodebookMonitor
