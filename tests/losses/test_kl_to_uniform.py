import numpy as np
import pytest

from keras_ae.losses import bernoulli_entropy, bernoulli_kl_to_uniform, categorical_kl_to_uniform

LOGITS = np.random.default_rng(0).normal(size=(40, 5)).astype("float32") * 4
TOLERANCE = 1e-5  # float32 sums of five terms of size 1


def test_categorical_divergence_equals_that_of_tensorflow_probability(tfd):
    uniform = tfd.OneHotCategorical(logits=np.zeros(5, "float32"))
    expected = tfd.kl_divergence(tfd.OneHotCategorical(logits=LOGITS), uniform)
    np.testing.assert_allclose(categorical_kl_to_uniform(LOGITS), expected, atol=TOLERANCE)
    plain = tfd.kl_divergence(
        tfd.Categorical(logits=LOGITS), tfd.Categorical(probs=np.full(5, 0.2, "float32"))
    )
    np.testing.assert_allclose(categorical_kl_to_uniform(LOGITS), plain, atol=TOLERANCE)


def test_bernoulli_entropy_and_divergence_equal_those_of_tensorflow_probability(tfd):
    bits = tfd.Bernoulli(logits=LOGITS)
    np.testing.assert_allclose(bernoulli_entropy(LOGITS), bits.entropy(), atol=TOLERANCE)
    expected = tfd.kl_divergence(bits, tfd.Bernoulli(probs=0.5)).numpy().sum(axis=-1)
    np.testing.assert_allclose(bernoulli_kl_to_uniform(LOGITS), expected, atol=TOLERANCE)


@pytest.mark.parametrize("size", [100.0, 1e6])
def test_saturated_logits_give_finite_extremes(size):
    one_hot = np.array([[size, -size, -size]], "float32")
    np.testing.assert_allclose(categorical_kl_to_uniform(one_hot), [np.log(3)], rtol=1e-6)
    np.testing.assert_allclose(bernoulli_entropy(one_hot), np.zeros((1, 3)), atol=1e-6)
    np.testing.assert_allclose(bernoulli_kl_to_uniform(one_hot), [3 * np.log(2)], rtol=1e-6)


def test_logits_of_zero_are_uniform():
    zeros = np.zeros((2, 6), "float32")
    np.testing.assert_allclose(categorical_kl_to_uniform(zeros), [0, 0], atol=1e-6)
    np.testing.assert_allclose(bernoulli_kl_to_uniform(zeros), [0, 0], atol=1e-6)
