import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.bottlenecks.vector_quantizer import VectorQuantizer
from keras_ae.models.auto_encoder import AutoEncoder
from keras_ae.training.callbacks import ReconstructionGrid
from keras_ae.training.report.plots import image_grid

IMAGES = np.random.default_rng(0).uniform(size=(6, 4, 4, 1)).astype("float32")


def identity():
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Rescaling(1.0)])
    model.compile("sgd", "mse")
    return model


def quantized():
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(3, 2, 2)])
    decoder = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Conv2DTranspose(1, 2, 2)])
    model = AutoEncoder(encoder, decoder, VectorQuantizer(4))
    model.compile("adam")
    return model


def summaries(folder):
    """`(tag, step)` of all image summaries below a folder."""
    found = []
    for path in sorted(folder.rglob("events.*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            found += [(value.tag, event.step) for value in event.summary.value]
    return found


def test_inputs_stand_above_outputs(tmp_path):
    identity().fit(
        IMAGES, IMAGES, epochs=2, callbacks=[ReconstructionGrid(IMAGES, tmp_path, columns=5)], verbose=0
    )
    rows = [IMAGES[:3], IMAGES[:3], IMAGES[3:], IMAGES[3:]]
    expected = image_grid(rows, row_labels=["input", "output"] * 2, title="epoch 2")
    assert (tmp_path / "reconstructions.png").read_bytes() == expected


def test_tensorboard_keeps_every_drawing_and_the_last_epoch_is_always_drawn(tmp_path):
    callback = ReconstructionGrid(IMAGES, tmp_path / "figures", every=2, log_dir=tmp_path / "logs")
    identity().fit(IMAGES, IMAGES, epochs=5, callbacks=[callback], verbose=0)
    assert summaries(tmp_path / "logs") == [("reconstructions", step) for step in (1, 3, 4)]


def test_drawing_changes_neither_history_nor_weights(tmp_path):
    plain, drawn = quantized(), quantized()
    expected = plain.fit(IMAGES, epochs=3, batch_size=3, shuffle=False, verbose=0).history
    callback = ReconstructionGrid(IMAGES, tmp_path)
    found = drawn.fit(IMAGES, epochs=3, batch_size=3, shuffle=False, verbose=0, callbacks=[callback]).history
    assert found == expected
    for left, right in zip(plain.get_weights(), drawn.get_weights(), strict=True):
        np.testing.assert_array_equal(left, right)


def test_half_precision_is_drawn(tmp_path):
    inputs = keras.Input((4, 4, 1))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, dtype="mixed_float16")(inputs))
    callback = ReconstructionGrid(IMAGES, tmp_path)
    callback.set_model(model)
    callback.on_epoch_end(0)
    assert (tmp_path / "reconstructions.png").is_file()


def test_a_model_that_returns_something_else_is_named(tmp_path, caplog):
    callback = ReconstructionGrid(IMAGES, tmp_path)
    callback.set_model(keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()]))
    callback.on_epoch_end(0)
    assert "shape (6, 4, 4, 1). Received: (6, 16)" in caplog.text and not list(tmp_path.iterdir())


def test_no_images_and_no_epochs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must contain at least one image"):
        ReconstructionGrid(IMAGES[:0], tmp_path)
    with pytest.raises(ValueError, match="every must be at least 1 epoch. Received: every=0"):
        ReconstructionGrid(IMAGES, tmp_path, every=0)
