"""Codes and labels out of their range: refused eagerly, clamped in a graph, never another code silently."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError
from keras_ae.integers import embedding_rows, integers_in
from keras_ae.layers import (
    BinaryBottleneck,
    FiniteScalarQuantizer,
    GumbelOneHot,
    LookupFreeQuantizer,
    ResidualVectorQuantizer,
    VectorQuantizer,
)
from keras_ae.metrics import CodebookUsage
from keras_ae.models import AdversarialVoiceConverter, CodePrior

LAYERS = {
    "vq": (lambda: VectorQuantizer(5), 4, (), 5),
    "vq with heads": (lambda: VectorQuantizer(5, num_heads=2), 4, (2,), 5),
    "residual": (lambda: ResidualVectorQuantizer(5, 2), 4, (2,), 5),
    "fsq": (lambda: FiniteScalarQuantizer([3, 3, 2, 2]), 4, (), 36),
    "lfq": (lambda: LookupFreeQuantizer(4), 4, (), 16),
    "gumbel": (lambda: GumbelOneHot(), 4, (), 4),
    "gumbel groups": (lambda: GumbelOneHot(num_groups=2), 6, (2,), 3),
    "binary": (lambda: BinaryBottleneck(), 4, (4,), 2),
}


@pytest.fixture(params=LAYERS)
def case(request):
    make, dim, shape, values = LAYERS[request.param]
    layer = make()
    layer.build((None, dim))
    return layer, shape, values


def test_decode_refuses_codes_out_of_range_with_the_range_and_what_came(case):
    layer, shape, values = case
    codes = np.zeros((3, *shape), "int64")
    least = -1 if isinstance(layer, ResidualVectorQuantizer) else 0
    for wrong in (least - 1, values, 2**40):
        bad = codes.copy()
        bad.flat[-1] = wrong
        with pytest.raises(InputError, match=rf"from {least} to {values - 1}\. Received: .*{wrong}"):
            layer.decode(bad)


def test_decode_in_a_graph_clamps_codes_out_of_range(case):
    layer, shape, values = case
    codes = np.zeros((2, *shape), "int32")
    codes[0], codes[1] = -9, values + 9
    inside = np.clip(codes, -1 if isinstance(layer, ResidualVectorQuantizer) else 0, values - 1)
    np.testing.assert_array_equal(tf.function(layer.decode)(codes), layer.decode(inside))


def test_decode_refuses_fractions_and_another_number_of_heads(case):
    layer, shape, _ = case
    with pytest.raises(InputError, match="must be integers"):
        layer.decode(np.full((3, *shape), 0.5))
    np.testing.assert_array_equal(
        layer.decode(np.zeros((3, *shape))), layer.decode(np.zeros((3, *shape), int))
    )
    if shape and not isinstance(layer, ResidualVectorQuantizer):
        with pytest.raises(InputError, match="entries on their last axis"):
            layer.decode(np.zeros((4, shape[0] + 1), int))


@pytest.mark.parametrize("name", ["gumbel", "gumbel groups", "binary"])
def test_the_probability_of_a_code_out_of_range_is_refused(name):
    make, dim, shape, values = LAYERS[name]
    layer, codes = make(), np.full((3, *shape), values)
    layer.build((None, dim))
    with pytest.raises(InputError, match=f"from 0 to {values - 1}"):
        layer.log_prob(np.zeros((3, dim), "float32"), codes)
    with pytest.raises(InputError, match=f"from 0 to {values - 1}"):
        layer.prior_log_prob(codes)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_clamping_in_a_graph_is_right_in_every_dtype(dtype):
    values = np.array([0, 5, 100], dtype)
    clamped = tf.function(lambda x: integers_in("codes", x, 1000, least=-1))(values)
    np.testing.assert_array_equal(clamped, values)
    np.testing.assert_array_equal(tf.function(lambda x: integers_in("codes", x, 4))(values), [0, 3, 3])


def test_usage_does_not_count_codes_out_of_range_for_another_head():
    metric = CodebookUsage(4, num_heads=2)
    metric.update_state([[0, 1], [-1, 4], [4, -1]])
    np.testing.assert_array_equal(metric.counts, [[1, 0, 0, 0], [0, 1, 0, 0]])


@pytest.fixture(scope="module")
def prior():
    prior = CodePrior(6, (2,), dim=4, depth=1, num_attention_heads=1, num_labels=3)
    prior.compile("adam", run_eagerly=True)
    return prior


@pytest.mark.parametrize(
    "codes, labels, message",
    [
        ([[0, 6]], [0], r"(codes|x) must be from 0 to 5\. Received: (codes|x) from 0 to 6"),
        ([[-1, 0]], [0], "(codes|x) must be from 0 to 5"),
        ([[0, 1]], [-1], "labels must be from 0 to 2. Received: labels from -1 to -1"),
        ([[0, 1]], [3], "labels must be from 0 to 2"),
    ],
)
def test_a_prior_over_codes_refuses_codes_and_labels_out_of_range(prior, codes, labels, message):
    codes, labels = np.array(codes), np.array(labels)
    with pytest.raises(InputError, match=message):
        prior.log_prob(codes, labels=labels)
    for method in (prior.fit, prior.evaluate):
        with pytest.raises(InputError, match=message):
            method({"x": codes, "labels": labels}, verbose=0)


@pytest.mark.parametrize("label", [-1, 3])
def test_a_prior_over_codes_draws_of_no_label_that_does_not_exist(prior, label):
    with pytest.raises(InputError, match="labels must be from 0 to 2"):
        prior.sample(2, labels=label)


def test_a_symbolic_tensor_of_codes_is_no_eager_one():
    inputs = keras.Input((2,), dtype="int32")
    assert integers_in("codes", inputs, 4).shape == (None, 2)


def decoder(rows=3):
    codes, speaker = keras.Input((None, 4)), keras.Input((), dtype="int32")
    voice = keras.layers.Embedding(rows, 4)(speaker)
    positions = keras.layers.Embedding(2, 4)(keras.ops.zeros_like(speaker))  # no table of the input
    x = keras.layers.Add()([codes, keras.layers.Reshape((1, 4))(voice + positions)])
    return keras.Model([codes, speaker], keras.layers.Dense(6)(x))


def test_the_values_of_an_input_are_the_rows_of_its_table():
    assert embedding_rows(decoder()) == 3
    assert embedding_rows(keras.Sequential([keras.layers.Dense(2)])) is None


@pytest.mark.parametrize("speaker", [-1, 3])
def test_speakers_that_the_model_does_not_know_are_refused(speaker):
    frames = keras.Input((None, 6))
    model = AdversarialVoiceConverter(
        keras.Model(frames, keras.layers.Dense(4)(frames)),
        decoder(),
        keras.Sequential(
            [keras.Input((None, 4)), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(3)]
        ),
    )
    x = np.zeros((2, 5, 6), "float32")
    model.compile("adam", run_eagerly=True)
    with pytest.raises(InputError, match="speaker must be from 0 to 2"):
        model.fit({"x": x, "speaker": np.array([0, speaker])}, verbose=0)
    with pytest.raises(InputError, match="speaker must be from 0 to 2"):
        model.decode(np.zeros((1, 5, 4), "float32"), speaker=[speaker])
    with pytest.raises(InputError, match="target must be from 0 to 2"):
        model.convert({"x": x}, np.array([0, speaker]))
