"""The scores of pairs and the inputs they read, without training."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae import InputError
from keras_ae.evaluation.pairs._inputs import InputFeatures, as_inputs, input_statistics, seeded
from keras_ae.evaluation.pairs._scores import DecoderScore, MLPScore, best_offset, pair_discrimination_loss

RNG = np.random.default_rng(0)
LENGTHS = np.array([3, 4, 1, 2])


def tensors(inputs):
    return {name: tf.constant(values) for name, values in inputs.items()}


@pytest.mark.parametrize(
    "x",
    [
        RNG.normal(size=(4, 5)),
        RNG.normal(size=4),
        RNG.integers(0, 255, (4, 9, 7, 3)).astype("uint8"),
        RNG.normal(size=(4, 6, 2)),
        RNG.normal(size=(4, 4, 4, 4, 1)),
        {"x": RNG.normal(size=(4, 4, 2)), "lengths": LENGTHS},
        {"x": RNG.integers(0, 9, (4, 4)), "lengths": LENGTHS},
    ],
    ids=["vectors", "numbers", "images", "sequences", "volumes", "padded sequences", "tokens"],
)
def test_inputs_of_every_modality_become_vectors(x):
    inputs = as_inputs(x)
    features = InputFeatures(inputs)(tensors(inputs))
    assert features.shape[0] == 4 and len(features.shape) == 2 and np.isfinite(features).all()
    assert np.ptp(features.numpy(), axis=0).max() > 0


@pytest.mark.parametrize("tokens", [False, True])
def test_padding_does_not_change_the_features(tokens):
    x = RNG.integers(0, 9, (4, 4)) if tokens else RNG.normal(size=(4, 4, 2))
    filler = np.full((4, 5, *x.shape[2:]), 8 if tokens else np.inf)
    longer = np.concatenate([x, filler], axis=1).astype(x.dtype)
    short, long = (as_inputs({"x": values, "lengths": LENGTHS}) for values in (x, longer))
    features = InputFeatures(short)
    # float32 sums of some tens of terms of size 1
    np.testing.assert_allclose(features(tensors(long)), features(tensors(short)), atol=1e-5)


def test_tokens_that_training_has_not_seen_are_one_more_token():
    seen = as_inputs({"x": RNG.integers(0, 9, (4, 4)), "lengths": LENGTHS})
    features = InputFeatures(seen)
    new = [features(tensors({"x": np.full((1, 4), token), "lengths": LENGTHS[1:2]})) for token in (9, 77)]
    np.testing.assert_array_equal(*new)


def test_features_of_one_scale_share_it_and_others_do_not():
    x = RNG.normal(size=(1000, 3)) * [1.0, 2.0, 0.5]
    deviations = input_statistics(as_inputs(x))[1]
    assert np.ptp(deviations) == 0 and deviations[0] == pytest.approx(np.sqrt((1 + 4 + 0.25) / 3), rel=0.05)
    deviations = input_statistics(as_inputs(x * [1.0, 1.0, 1e4]))[1]
    np.testing.assert_allclose(deviations, [1.0, 2.0, 5000.0], rtol=0.1)


def test_statistics_of_sequences_leave_out_padding():
    x = RNG.normal(size=(4, 4, 2)) + 5
    real = np.concatenate([frames[:length] for frames, length in zip(x, LENGTHS, strict=True)])
    mean, deviation = input_statistics(as_inputs({"x": x, "lengths": LENGTHS}))
    np.testing.assert_allclose(mean, real.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(deviation, real.std(axis=0), rtol=1e-5)


def test_perceptron_is_that_of_the_joined_vector():
    inputs, embeddings = as_inputs(RNG.normal(size=(6, 3))), RNG.normal(size=(6, 2)).astype("float32")
    score = MLPScore(inputs, embeddings, keras.layers.Identity(), hidden_units=(5, 4))
    score.last.kernel.assign(RNG.normal(size=(4, 1)))
    a, b, (hidden,), last = score.of_input, score.of_embedding, score.hidden, score.last
    joined = np.concatenate([inputs["x"], embeddings], axis=1)
    first = joined @ np.concatenate([a.kernel, b.kernel]) + a.bias
    second = np.maximum(np.maximum(first, 0) @ hidden.kernel.numpy() + hidden.bias, 0)
    expected = (second @ last.kernel.numpy() + last.bias)[:, 0]
    # float32 sums of ten terms of size 1
    x, z = score.input_features(tensors(inputs)), score.embedding_features(tf.constant(embeddings))
    np.testing.assert_allclose(score.pairs(x, z), expected, atol=1e-5)
    np.testing.assert_allclose(np.diagonal(score.matrix(x, z)), expected, atol=1e-5)


def test_loss_is_the_sum_of_two_cross_entropies():
    matched, mismatched = RNG.normal(size=5), RNG.normal(size=(3, 5))
    expected = -np.log(1 / (1 + np.exp(-matched))).mean() - np.log(1 - 1 / (1 + np.exp(-mismatched))).mean()
    assert float(pair_discrimination_loss(matched, mismatched)) == pytest.approx(expected)


def test_best_offset_is_the_minimum():
    matched, mismatched = RNG.normal(size=200) + 3, RNG.normal(size=200) - 1
    grid = np.linspace(-6, 6, 2401)
    losses = [float(pair_discrimination_loss(matched + b, mismatched + b)) for b in grid]
    assert best_offset(matched, mismatched) == pytest.approx(grid[np.argmin(losses)], abs=0.005)  # its step


def test_a_decoder_that_knows_nothing_tells_nothing_apart():
    inputs, embeddings = as_inputs(RNG.normal(size=(300, 4))), RNG.normal(size=(300, 2)).astype("float32")
    mean = tf.constant(inputs["x"].mean(axis=0), tf.float32)
    score = DecoderScore(inputs, embeddings, lambda z: tf.zeros((tf.shape(z)[0], 4)) + mean)
    x, z = score.input_features(tensors(inputs)), score.embedding_features(tf.constant(embeddings))
    loss = float(score.loss(score.pairs(x, z), score.pairs(x, tf.roll(z, 1, axis=0))))
    assert loss == pytest.approx(2 * math.log(2), abs=1e-3)


def test_error_of_a_decoder_is_over_real_frames():
    inputs = as_inputs({"x": RNG.normal(size=(4, 4, 2)), "lengths": LENGTHS})
    embeddings = RNG.normal(size=(4, 8)).astype("float32")
    score = DecoderScore(inputs, embeddings, lambda z: z)
    x, z = score.input_features(tensors(inputs)), score.embedding_features(tf.constant(embeddings))
    real = (np.arange(4) < LENGTHS[:, None]).repeat(2, axis=1)
    errors = np.square(inputs["x"].reshape(4, 8)[:, None] - embeddings[None]) * real[:, None]
    assert score.squared_error(x, z) == pytest.approx(errors[range(4), range(4)].sum() / real.sum(), rel=1e-5)
    matrix, scale = score.matrix(x, z).numpy(), float(score._twice_variance())
    expected = -(errors.sum(axis=-1) - errors.sum(axis=-1)[:, :1]) / scale
    np.testing.assert_allclose(matrix - matrix[:, :1], expected, atol=1e-4 / scale)  # float32 sums near 10
    np.testing.assert_allclose(np.diagonal(matrix), score.pairs(x, z), atol=1e-4 / scale)


def test_weights_follow_the_seed_and_leave_pythons_generator_alone():
    import random

    inputs = as_inputs(RNG.normal(size=(4, 3)))
    embeddings = np.zeros((4, 2), "float32")
    random.seed(5)
    kernels = []
    for seed in (0, 0, 1):
        with seeded(seed):
            kernels.append(MLPScore(inputs, embeddings).of_input.kernel.numpy())
    assert (kernels[0] == kernels[1]).all() and (kernels[0] != kernels[2]).any()
    expected = random.Random(5).random()
    assert random.random() == expected


@pytest.mark.parametrize(
    "x, message",
    [
        ({"audio": [1.0]}, "audio"),
        ({"x": np.zeros((2, 3)), "lengths": [1, 4]}, "from 1 to"),
        ({"x": np.zeros((2, 3)), "lengths": [1]}, "lengths with 1"),
        (np.array(["a", "b"]), "array of numbers"),
        (np.full((2, 3), np.nan), "x must be finite"),
    ],
)
def test_inputs_that_are_none_are_said(x, message):
    with pytest.raises(InputError, match=message):
        as_inputs(x)


def test_networks_that_do_not_fit_are_said():
    with pytest.raises(InputError, match="network="):
        InputFeatures(as_inputs(np.zeros((4, 1, 1, 1, 1, 1))))
    with pytest.raises(InputError, match="from_config"):
        InputFeatures(as_inputs(np.zeros((4, 1))), network=lambda x: x)
    assert as_inputs({"x": np.array([[[1.0], [np.inf]]]), "lengths": [1]})["x"].ravel().tolist() == [1.0, 0.0]
