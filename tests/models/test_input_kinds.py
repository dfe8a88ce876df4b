"""Kinds of inputs: what is no array is refused in one line, and what Keras takes is taken."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.models import AutoEncoder
from small_models import (
    IMAGES,
    LABELS,
    SHAPE,
    auto_encoder,
    compiled,
    deep_info_max,
    message,
    quick_thought,
    vae,
)


class Table:
    """As a pandas DataFrame: iterating over it gives the names of its columns."""

    def __init__(self, **columns):
        self.values, self.columns = np.stack(list(columns.values()), axis=1), list(columns)

    def __iter__(self):
        return iter(self.columns)

    def to_numpy(self):
        return self.values


@pytest.mark.parametrize("make", [auto_encoder, deep_info_max, vae])
@pytest.mark.parametrize("x", [None, b"abc", "abc", ["a", None], {"x": ["a", "b"]}, [[1.0], [1.0, 2.0]]])
def test_what_is_no_array_of_numbers_is_refused_in_one_line(make, x):
    text = message(make().encode, x)
    assert "x must be an array of the shape (batch, 4, 4, 1)" in text and "Received" in text


def test_a_dataset_is_not_one_batch():
    stream = tf.data.Dataset.from_tensor_slices(IMAGES).batch(3)
    assert "encode_batches(model, data)" in message(auto_encoder().encode, stream)
    assert "encode_batches(model, data)" in message(auto_encoder().encode, iter([IMAGES]))


def test_a_table_of_numbers_is_an_array():
    both = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]) for _ in range(2)]
    model = compiled(AutoEncoder(*both))
    table = Table(height=np.ones(3, "float32"), width=np.zeros(3, "float32"))
    np.testing.assert_array_equal(model.encode(table), model.encode(table.to_numpy()))
    expected = model.evaluate(table.to_numpy(), verbose=0, return_dict=True)["loss"]
    assert model.fit(table, verbose=0).history["loss"] == pytest.approx([expected])
    named = Table(height=np.ones(3, object), name=np.array(["a", "b", "c"], object))
    assert "['height', 'name']" in message(model.encode, named)


@pytest.mark.parametrize(
    "sentences, received",
    [
        (None, "sentences=None"),
        (b"how much", "bytes"),
        (["a", None], "None in row 1"),
        (["a", 3], "the int 3 in row 1"),
        (Table(text=np.array(["a"], object)), r"the columns ['text']"),
        ({"ids": ["how", "much"]}, "ids must be"),
        ({"text": ["how"]}, 'unknown "text"'),
        (7, "int"),
    ],
)
def test_what_is_no_sentence_is_refused_in_one_line(sentences, received):
    assert received in message(quick_thought().encode, sentences)


# what Keras takes


@pytest.mark.parametrize("wrap", [lambda x: [x], lambda x: (x,), lambda x: {"x": x}, ops.convert_to_tensor])
def test_lists_of_one_array_are_that_array(wrap):
    expected = compiled(auto_encoder())
    model = compiled(auto_encoder())
    model.set_weights(expected.get_weights())
    target = IMAGES if isinstance(wrap(IMAGES), dict) else wrap(IMAGES)
    arrays = {"validation_data": (wrap(IMAGES), target), "shuffle": False, "verbose": 0}
    ours = model.fit(wrap(IMAGES), **arrays).history
    theirs = expected.fit(IMAGES, validation_data=(IMAGES, IMAGES), shuffle=False, verbose=0).history
    assert ours == theirs
    np.testing.assert_array_equal(model.encode(wrap(IMAGES)), model.encode(IMAGES))
    np.testing.assert_array_equal(model.predict(wrap(IMAGES), verbose=0), model(IMAGES))


def test_a_list_of_images_is_a_batch():
    model = auto_encoder()
    np.testing.assert_array_equal(model.encode(list(IMAGES)), model.encode(IMAGES))
    np.testing.assert_array_equal(model.encode(IMAGES.tolist()), model.encode(IMAGES))


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        return (IMAGES[index : index + 2],)


def generator():
    yield from ((IMAGES[i : i + 2],) for i in range(4))


STREAMS = {
    "tf.data": lambda: tf.data.Dataset.from_generator(
        generator, output_signature=(tf.TensorSpec((None, *SHAPE), "float32"),)
    ),
    "PyDataset": Batches,
    "generator": generator,
}


def by_hand():
    """The weights after a step of gradient descent on each batch, in order."""
    keras.utils.set_random_seed(0)
    model = auto_encoder()
    for (x,) in generator():
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(model(x) - x))
        gradients = tape.gradient(loss, model.trainable_variables)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.01 * gradient)
    return model.get_weights()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # meant to
@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("steps_per_execution", [1, 3])
def test_every_batch_of_a_stream_is_trained_on_once_and_in_order(name, steps_per_execution):
    keras.utils.set_random_seed(0)
    model = auto_encoder()
    model.compile("sgd", steps_per_execution=steps_per_execution, jit_compile=False)
    model.fit(STREAMS[name](), epochs=1, shuffle=False, verbose=0)
    for ours, expected in zip(model.get_weights(), by_hand(), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)  # float32 in another order


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")  # meant to
def test_the_step_is_traced_once_for_a_stream():
    model, traces = auto_encoder(), []
    terms = model.compute_terms
    model.compute_terms = lambda *args, **kwargs: traces.append(1) or terms(*args, **kwargs)
    model.compile("sgd", jit_compile=False)
    model.fit(STREAMS["tf.data"](), epochs=2, verbose=0)
    assert len(traces) == 1


def test_loaders_of_torch_are_taken_batch_by_batch():
    torch = pytest.importorskip("torch")
    model = compiled(vae())
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.tensor(IMAGES)), batch_size=3)
    history = model.fit(loader, validation_data=loader, verbose=0).history
    assert np.isfinite(history["val_loss"]).all()
    labelled = torch.utils.data.TensorDataset(torch.tensor(IMAGES), torch.tensor(LABELS))
    labelled = torch.utils.data.DataLoader(labelled, batch_size=3)
    assert "Labels are not a target" in message(model.fit, labelled, verbose=0)
    large = torch.utils.data.TensorDataset(255 * torch.tensor(IMAGES))
    assert "[0, 1]" in message(model.fit, torch.utils.data.DataLoader(large, batch_size=3), verbose=0)


def test_datasets_of_grain_are_taken_batch_by_batch():
    grain = pytest.importorskip("grain")
    model = compiled(vae())
    history = model.fit(grain.MapDataset.source(IMAGES).batch(3), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    labelled = grain.MapDataset.source(list(zip(IMAGES, LABELS, strict=True))).batch(3)
    assert "Labels are not a target" in message(model.fit, labelled, verbose=0)
    large = grain.MapDataset.source(255 * IMAGES).batch(3)
    assert "[0, 1]" in message(model.fit, large, verbose=0)
