import numpy as np
import pytest
import tensorflow as tf

from keras_ae.losses import bit_balance_loss, bit_decorrelation_loss

P = np.random.default_rng(0).random((9, 4)).astype("float32")
WEIGHTS = np.array([1, 0, 2, 1, 0.5, 1, 0, 1, 1], "float32")


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["all", "weighted"])
def test_statistics_are_those_of_numpy(weights):
    mean = np.average(2 * P - 1, axis=0, weights=weights)
    assert float(bit_balance_loss(P, weights)) == pytest.approx(np.mean(mean**2), rel=1e-5)
    # NumPy's weighted covariance of the whole population
    covariance = np.cov((2 * P - 1).T, aweights=weights, ddof=0)
    expected = np.mean(covariance[~np.eye(4, dtype=bool)] ** 2)
    assert float(bit_decorrelation_loss(P, weights)) == pytest.approx(expected, rel=1e-4)


def test_extremes():
    fair = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "float32")
    assert float(bit_balance_loss(fair)) == float(bit_decorrelation_loss(fair)) == 0
    constant = np.ones((4, 2), "float32")
    assert float(bit_balance_loss(constant)) == 1
    assert float(bit_decorrelation_loss(constant)) == 0
    opposite = np.array([[0, 1], [1, 0]], "float32")
    assert float(bit_decorrelation_loss(opposite)) == 1
    assert float(bit_decorrelation_loss(fair[:, :1])) == 0


@pytest.mark.parametrize("loss", [bit_balance_loss, bit_decorrelation_loss])
def test_nothing_real_costs_nothing(loss):
    p = tf.constant(P)
    with tf.GradientTape() as tape:
        tape.watch(p)
        value = loss(p, np.zeros(9, "float32"))
    assert float(value) == 0
    np.testing.assert_array_equal(tape.gradient(value, p), np.zeros_like(P))
