import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers.masked.instance_normalization import InstanceNormalization
from keras_ae.layers.masked.masked_conv1d import MaskedConv1D
from keras_ae.layers.masked.masked_conv1d_transpose import MaskedConv1DTranspose
from keras_ae.ops.sequences import zero_padding


class Chain:
    """Layers one after the other, each with the mask that the one before hands on."""

    def __init__(self):
        self.layers = [
            MaskedConv1D(4, 5, strides=2, activation="relu"),
            InstanceNormalization(),
            MaskedConv1D(4, 3, dilation_rate=2),
            InstanceNormalization(),
            MaskedConv1DTranspose(3, 4, strides=2),
        ]

    def __call__(self, x, mask=None):
        x = self.layers[0](x, mask=mask)
        for layer in self.layers[1:]:
            x = layer(x)
        return x

    @property
    def trainable_variables(self):
        return [variable for layer in self.layers for variable in layer.trainable_variables]


def test_padded_positions_become_zero_whatever_they_hold():
    x = np.array([[[1.0, 2.0], [np.nan, np.inf]]], "float32")
    for mask in ([[True, False]], [[1.0, 0.0]], [[1, 0]]):
        np.testing.assert_array_equal(zero_padding(x, np.array(mask)), [[[1, 2], [0, 0]]])


def test_without_a_mask_nothing_changes():
    x = np.ones((1, 2, 3))
    assert zero_padding(x) is x


def test_no_gradient_reaches_padding_not_even_nan():
    x = tf.constant([[[1.0], [np.nan]]])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(zero_padding(x, tf.constant([[1, 0]])) ** 2)
    np.testing.assert_array_equal(tape.gradient(y, x), [[[2], [0]]])


def test_a_mask_of_another_rank_is_refused():
    with pytest.raises(
        ValueError, match=r"without the last axis, here \(2, 5\). Received: mask of .*\(2, 5, 1\)"
    ):
        zero_padding(np.ones((2, 5, 3)), np.ones((2, 5, 1)))


@pytest.mark.parametrize("extra", [1, 2, 3, 7])
def test_a_stack_of_layers_ignores_padding(check_padding, extra):
    x = np.random.default_rng(0).normal(size=(9, 3))
    keras.utils.set_random_seed(0)
    check_padding(Chain(), x, real=10, extra=extra)  # 9 -> 5 -> 10


def test_masks_reach_the_loss_of_a_stock_fit():
    keras.utils.set_random_seed(0)
    ids = np.array([[3, 1, 2, 0, 0, 0], [1, 1, 2, 3, 2, 1]])
    target = np.zeros((2, 6, 3), "float32")
    target[0, 4:] = 1e6  # padded: 3 -> 2 -> 4 frames are real
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, Chain()(keras.layers.Embedding(4, 3, mask_zero=True)(inputs)))
    model.compile("sgd", "mse")
    assert model.fit(ids, target, verbose=0).history["loss"][0] < 100
