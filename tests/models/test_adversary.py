"""The two sides of the adversary against numpy, and who moves in whose step."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.models import Adversary

rng = np.random.default_rng(0)
Z = rng.normal(size=(6, 3)).astype("float32")
FRAMES = rng.normal(size=(6, 4, 3)).astype("float32")
LABELS = np.array([0, 1, 2, 3, 0, 1], "int32")
KERNEL = rng.normal(size=(3, 4)).astype("float32")
WEIGHT = np.array([1, 2, 0, 1, 0.5, 1], "float32")


def adversary(loss="entropy", shape=(3,)):
    classifier = keras.Sequential([keras.Input(shape), keras.layers.Dense(4, use_bias=False)])
    classifier.layers[0].kernel.assign(KERNEL)
    made = Adversary(classifier, loss=loss)
    made.build((None, *shape))
    return made


def probabilities(z):
    scores = np.exp(z.astype("float64") @ KERNEL)
    return scores / scores.sum(axis=-1, keepdims=True)


def cross_entropies(z, labels):
    return -np.log(np.take_along_axis(probabilities(z), labels[..., None], axis=-1)[..., 0])


def divergences(z):
    p = probabilities(z)
    return math.log(4) + (p * np.log(p)).sum(axis=-1)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["unweighted", "weighted"])
def test_every_term_is_that_of_numpy(weight):
    def mean(values):
        return np.average(values, weights=weight)

    loss, accuracy = adversary().classifier_loss(Z, LABELS, sample_weight=weight)
    assert float(loss) == pytest.approx(mean(cross_entropies(Z, LABELS)), rel=1e-5)
    assert float(accuracy) == pytest.approx(mean(probabilities(Z).argmax(axis=1) == LABELS), rel=1e-5)
    for name, expected in (
        ("confusion", mean(-np.log(probabilities(Z)).mean(axis=1) - math.log(4))),
        ("entropy", mean(divergences(Z))),
        ("negative_cross_entropy", -mean(cross_entropies(Z, LABELS))),
        ("gradient_reversal", mean(cross_entropies(Z, LABELS))),
    ):
        term = adversary(name).encoder_loss(Z, LABELS, sample_weight=weight)
        assert float(term) == pytest.approx(expected, rel=1e-5), name


def test_a_verdict_at_each_position_counts_the_real_ones_only():
    lengths = np.array([4, 1, 2, 3, 4, 2])
    real = np.arange(4) < lengths[:, None]
    garbage = np.where(real[..., None], FRAMES, 1e3).astype("float32")
    labels = np.repeat(LABELS[:, None], 4, axis=1)
    made = adversary(shape=(None, 3))
    loss, _ = made.classifier_loss(garbage, LABELS, ops.convert_to_tensor(real), WEIGHT)
    weights = real * WEIGHT[:, None]
    expected = np.average(cross_entropies(FRAMES, labels), weights=weights)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    term = made.encoder_loss(garbage, LABELS, ops.convert_to_tensor(real), WEIGHT)
    assert float(term) == pytest.approx(np.average(divergences(FRAMES), weights=weights), rel=1e-5)


def gradient_of_encoder_loss(loss, z):
    made, z = adversary(loss), tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        term = made.encoder_loss(z, LABELS)
    return tape.gradient(term, z).numpy()


def test_the_confusion_pushes_to_equal_chances_hardest_where_the_classifier_is_sure():
    expected = (probabilities(Z) - 0.25) @ KERNEL.T / len(Z)
    np.testing.assert_allclose(gradient_of_encoder_loss("confusion", Z), expected, rtol=1e-4, atol=1e-6)
    sure = (30.0 * np.linalg.pinv(KERNEL.astype("float64"))[LABELS]).astype("float32")
    sizes = [np.abs(gradient_of_encoder_loss(loss, sure)).max() for loss in ("confusion", "entropy")]
    assert sizes[0] > 0.01 and sizes[1] < 1e-3, sizes


@pytest.mark.parametrize("loss", ["negative_cross_entropy", "gradient_reversal"])
def test_the_encoder_climbs_the_cross_entropy(loss):
    one_hot = np.eye(4)[LABELS]
    expected = -(probabilities(Z) - one_hot) @ KERNEL.T / len(Z)
    np.testing.assert_allclose(gradient_of_encoder_loss(loss, Z), expected, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_the_entropy_by_finite_differences():
    expected = np.zeros(Z.shape)
    for place in np.ndindex(*Z.shape):
        step = np.zeros(Z.shape)
        step[place] = 1e-5
        expected[place] = (divergences(Z + step).mean() - divergences(Z - step).mean()) / 2e-5
    np.testing.assert_allclose(gradient_of_encoder_loss("entropy", Z), expected, rtol=1e-3, atol=1e-6)


def test_a_classifier_that_is_confidently_wrong_wins_only_where_the_label_counts():
    """Codes that all point to the wrong class still tell the label: terms without the label say so."""
    wrong = np.linalg.pinv(KERNEL.astype("float64"))[(LABELS + 1) % 4]
    mild, extreme = (size * wrong.astype("float32") for size in (1.0, 30.0))
    for loss, won in (("negative_cross_entropy", True), ("entropy", False), ("confusion", False)):
        made = adversary(loss)
        better = float(made.encoder_loss(extreme, LABELS)) < float(made.encoder_loss(mild, LABELS))
        assert better is won, loss
    assert 0.0 <= float(adversary().encoder_loss(extreme, LABELS)) <= math.log(4) + 1e-6


def test_no_gradient_of_the_classifier_reaches_the_embedding():
    made, z = adversary(), tf.constant(Z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        loss, _ = made.classifier_loss(z, LABELS)
    assert tape.gradient(loss, z) is None


def test_the_encoder_meets_the_classifier_as_it_is_in_inference():
    classifier = keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.5), keras.layers.Dense(4)])
    made = Adversary(classifier)
    made.build((None, 3))
    terms = {float(made.encoder_loss(Z, LABELS)) for _ in range(3)}
    losses = {float(made.classifier_loss(Z, LABELS)[0]) for _ in range(3)}
    assert (len(terms), len(losses)) == (1, 3)


def test_wrong_settings_are_named():
    classifier = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="adversarial_loss must be one of .*'nonsense'"):
        Adversary(classifier, loss="nonsense")
    with pytest.raises(ValueError, match="adversarial_weight must be at least 0"):
        Adversary(classifier, weight=-1.0)
    with pytest.raises(InputError, match="at least two classes"):
        Adversary(classifier).build((None, 3))
