"""How much vectors tell of their labels, against loops over pairs."""

import keras
import numpy as np
import pytest

from keras_ae.losses import kernel_dependence


def expected(z, labels, weight):
    z = z[weight > 0]
    labels = labels[weight > 0]
    z = (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5)
    pairs = [(i, j) for i in range(len(z)) for j in range(len(z)) if i != j]
    distances = {(i, j): np.sum((z[i] - z[j]) ** 2) for i, j in pairs}
    scale = np.mean(list(distances.values()))
    kernel = {pair: np.exp(-distance / scale) for pair, distance in distances.items()}
    same = [kernel[i, j] for i, j in pairs if labels[i] == labels[j]]
    return np.mean(same) - np.mean([kernel[i, j] for i, j in pairs if labels[i] != labels[j]])


def test_it_is_the_equation_and_what_weighs_nothing_is_not_there():
    rng = np.random.default_rng(0)
    z, labels = rng.standard_normal((9, 4)).astype("float32"), rng.integers(0, 3, 9)
    for weight in (np.ones(9), np.array([1, 1, 0, 1, 1, 1, 0, 1, 1.0])):
        found = kernel_dependence(z, labels, weight.astype("float32"))
        np.testing.assert_allclose(found, expected(z, labels, weight), atol=1e-6)
    np.testing.assert_allclose(
        kernel_dependence(z, labels), kernel_dependence(7.0 * z + 3.0, labels), atol=1e-4
    )


def test_it_is_zero_on_average_where_nothing_is_told_and_above_where_something_is():
    rng = np.random.default_rng(0)
    labels, means = np.arange(32) % 4, []
    for told in (0.0, 0.7):
        draws = [rng.standard_normal((32, 8)) + told * np.eye(8)[labels] for _ in range(60)]
        means.append(np.mean([float(kernel_dependence(z.astype("float32"), labels)) for z in draws]))
    # the deviation of one batch is about 0.01, that of the mean of 60 about 0.0013
    assert abs(means[0]) < 0.005 < 0.01 < means[1]


@pytest.mark.parametrize("labels", [[0, 1, 2, 3], [1, 1, 1, 1]])
def test_a_batch_without_pairs_to_compare_says_nothing(labels):
    z = np.random.default_rng(0).standard_normal((4, 3)).astype("float32")
    assert float(kernel_dependence(z, np.array(labels))) == 0.0


def test_its_gradient_takes_the_labels_out():
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    z = keras.Variable((rng.standard_normal((24, 4)) + 2.0 * np.eye(4)[labels]).astype("float32"))
    import tensorflow as tf

    optimizer, values = keras.optimizers.Adam(0.05), []
    for _ in range(60):
        with tf.GradientTape() as tape:
            value = kernel_dependence(z, labels)
        optimizer.apply([tape.gradient(value, z.value)], [z])
        values.append(float(value))
    assert values[0] > 0.1 and values[-1] < 0.02
