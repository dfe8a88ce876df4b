"""A vector added to every position."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_ae.layers import AddCondition, MaskedConv1D


def test_equals_numpy():
    rng = np.random.default_rng(0)
    x, condition = rng.standard_normal((2, 5, 4)), rng.standard_normal((2, 3))
    layer = AddCondition()
    y = layer(x.astype("float32"), condition.astype("float32"))
    kernel, bias = (np.asarray(weight) for weight in layer.weights)
    # float32 products of 3 terms
    np.testing.assert_allclose(y, x + (condition @ kernel + bias)[:, None], atol=1e-6)


def test_inside_is_the_same_as_further_channels_of_a_convolution():
    rng = np.random.default_rng(1)
    x, condition = (
        rng.standard_normal((1, 9, 2)).astype("float32"),
        rng.standard_normal((1, 3)).astype("float32"),
    )
    wide = MaskedConv1D(4, 3)
    every = np.concatenate([x, np.repeat(condition[:, None], 9, axis=1)], axis=2)
    expected = np.asarray(wide(every))
    kernel, bias = (np.asarray(weight) for weight in wide.weights)
    narrow, added = MaskedConv1D(4, 3), AddCondition()
    narrow.build(x.shape)
    added.build((1, 9, 4), condition.shape)
    narrow.set_weights([kernel[:, :2], bias])
    added.set_weights([kernel[:, 2:].sum(axis=0), np.zeros(4)])
    y = np.asarray(added(narrow(x), condition))
    # the first and the last frame see zeros beyond the edge instead of the condition
    np.testing.assert_allclose(y[:, 1:-1], expected[:, 1:-1], atol=1e-5)


def test_the_mask_of_the_frames_is_handed_on():
    ids, condition = keras.Input((None,), dtype="int32"), keras.Input((3,))
    frames = keras.layers.Embedding(5, 4, mask_zero=True)(ids)
    model = keras.Model([ids, condition], AddCondition()(frames, condition))
    y = model([np.array([[2, 3, 0]]), np.ones((1, 3))])
    assert np.asarray(y._keras_mask).tolist() == [[True, True, False]]


@pytest.mark.parametrize("shapes", [((2, 5, 4), (2, 5, 3)), ((2, 5, None), (2, 3))])
def test_refuses_what_is_not_a_vector_of_each_example(shapes):
    with pytest.raises(ValueError, match="AddCondition"):
        AddCondition().build(*shapes)


def test_reloads():
    layer = AddCondition(name="voice")
    assert AddCondition.from_config(layer.get_config()).name == "voice"
    assert ops.shape(layer(ops.ones((2, 3, 1, 4)), ops.ones((2, 2)))) == (2, 3, 1, 4)
