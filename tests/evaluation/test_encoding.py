"""The embedding of a data set does not depend on how it comes in batches."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.evaluation import encode_batches
from keras_ae.layers import BinaryBottleneck, MaskedConv1D
from keras_ae.models import AutoEncoder

X = np.random.default_rng(0).normal(size=(7, 6)).astype("float32")


@pytest.fixture(scope="module")
def encoder():
    return keras.Sequential([keras.Input((6,)), keras.layers.Dense(3), keras.layers.Dropout(0.5)])


class Batches(keras.utils.PyDataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[3 * index : 3 * index + 3], np.zeros(len(X[3 * index : 3 * index + 3]))


@pytest.mark.parametrize(
    "data",
    [
        X,
        X.tolist(),
        tf.constant(X),
        tf.data.Dataset.from_tensor_slices((X, np.arange(7))).batch(4),
        Batches(),
        (batch for batch in (X[:5], X[5:])),
    ],
    ids=["array", "list", "tensor", "tf.data with labels", "PyDataset", "generator"],
)
def test_data_of_every_kind_give_the_embedding_of_the_whole(encoder, data):
    expected = encoder(X, training=False)
    np.testing.assert_allclose(encode_batches(encoder, data, batch_size=3), expected, rtol=1e-6)


def test_a_model_of_ours_gives_its_float_embedding():
    parts = [keras.Sequential([keras.Input((n,)), keras.layers.Dense(m)]) for n, m in ((6, 4), (4, 6))]
    model = AutoEncoder(*parts, BinaryBottleneck())
    z = encode_batches(model, X, batch_size=4)
    np.testing.assert_array_equal(z, model.embed(X))
    assert z.dtype == np.float32


def test_text_and_functions_that_are_no_keras():
    words = ["a", "bcd", "ef"]
    lengths = encode_batches(lambda batch: tf.strings.length(batch)[:, None], words, batch_size=2)
    assert lengths[:, 0].tolist() == [1, 3, 2]
    calls = []
    encode_batches(lambda x: calls.append(type(x)) or x[:, :2], X, batch_size=4)
    assert calls == [np.ndarray, np.ndarray]


def test_padded_sequences_do_not_depend_on_their_batch():
    encoder = keras.Sequential([keras.Input((None, 2)), MaskedConv1D(3, 3)])
    decoder = keras.Sequential([keras.Input((None, 3)), MaskedConv1D(2, 3)])
    model, x = AutoEncoder(encoder, decoder), np.ones((3, 5, 2), "float32")
    batches = [{"x": x[:2, :3], "lengths": np.array([3, 2])}, {"x": x[2:], "lengths": np.array([5])}]
    z = encode_batches(model, iter(batches))
    assert z.shape == (3, 5, 3)
    np.testing.assert_array_equal(z[0, 3:], 0)
    whole = {
        "x": np.where(np.arange(5)[None, :, None] < [[[3]], [[2]], [[5]]], x, 9.0),
        "lengths": np.array([3, 2, 5]),
    }
    # float32 sums of six terms of size 1
    np.testing.assert_allclose(encode_batches(model, whole, batch_size=2)[0, :3], z[0, :3], atol=1e-6)


def test_several_outputs_are_joined():
    two = encode_batches(lambda x: {"top": x[:, :2], "bottom": x.reshape(-1, 3, 2)}, X)
    assert two.shape == (7, 8)


@pytest.mark.parametrize(
    "encoder_of, data, message",
    [
        (lambda e: e, X[:0], "at least one example"),
        (lambda e: e, 5, "data must be an array"),
        (lambda e: e, [[1.0], [1.0, 2.0]], "Pad sequences"),
        (lambda e: e, {"x": X, "lengths": [1]}, "one entry per example"),
        (lambda e: e, tf.data.Dataset.from_tensors(X).repeat(), "take"),
        (lambda e: "encoder.keras", X, "encoder must be a model"),
        (lambda e: lambda x: x, iter([X, X[:, :3]]), "embeddings must have the same shape"),
    ],
)
def test_what_cannot_be_encoded_is_said(encoder, encoder_of, data, message):
    with pytest.raises(InputError, match=message):
        encode_batches(encoder_of(encoder), data)
