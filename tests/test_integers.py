"""Codes and labels out of their range: refused eagerly, clamped in a graph, never another code silently."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.errors import InputError, embedding_rows, integers_in
from keras_ae.layers import (
    BinaryBottleneck,
    FiniteScalarQuantizer,
    GumbelOneHot,
    LookupFreeQuantizer,
    ResidualVectorQuantizer,
    VectorQuantizer,
    WordSoftmax,
)
from keras_ae.metrics import CodebookUsage
from keras_ae.models import (
    AdaINVoiceConverter,
    AdversarialVoiceConverter,
    Adversary,
    CodePrior,
    QuickThought,
    SkipThought,
)
from keras_ae.models._data_checks import check_values
from keras_ae.models.speech.adversarial_voice_converter import discriminator_terms, generator_terms
from keras_ae.networks import bag_of_words_encoder

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


LOGITS, STATES = (np.random.default_rng(0).normal(size=(3, n)).astype("float32") for n in (4, 2))


def adversary_of(term):
    made = Adversary(keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)]), loss="gradient_reversal")
    made.build((None, 2))
    return lambda labels: term(made, labels)


def word_softmax(num_sampled):
    layer = WordSoftmax(4, num_sampled=num_sampled, seed=0)
    layer.build((None, 2))

    def nats(targets):
        layer.seed_generator.state.assign([0, 0])  # the same draws in every call
        return layer.cross_entropy(tf.constant(STATES), targets, training=True)

    return nats


def judge(frames):
    """Scores and speakers; the score depends on the frames, whose gradient is taken."""
    return tf.reduce_sum(frames, axis=[1, 2]), tf.constant(LOGITS)


def speakers_of_generated_frames():
    return lambda labels: generator_terms(judge, tf.zeros((3, 2, 2)), labels)["loss"]


def speakers_of_real_frames():
    frames, mix = tf.ones((3, 2, 2)), tf.fill((3,), 0.5)
    return lambda labels: discriminator_terms(judge, frames, frames, labels, mix, 1.0)["loss"]


def prior_of(**options):
    keras.utils.set_random_seed(0)
    return CodePrior(4, (1,), dim=4, depth=1, num_attention_heads=1, **options)


def labels_of_a_prior():
    made, codes = prior_of(num_labels=4), tf.zeros((3, 1), tf.int32)
    return lambda labels: made.log_prob(codes, labels=labels)


def conditions_of_a_prior():
    made, codes = prior_of(condition_values=4, condition_shape=(1,)), tf.zeros((3, 1), tf.int32)
    return lambda values: made.log_prob(codes, condition=values[:, None])


def codes_of_a_prior():
    made = prior_of()
    return lambda codes: made.log_prob(codes[:, None])


def loss_of_a_prior():
    made = prior_of()
    return lambda codes: made.compute_terms(codes[:, None], None, None, False, "model")["loss"]


CROSS_ENTROPIES = {
    "adversary": lambda: adversary_of(lambda made, labels: made.classifier_loss(STATES, labels)[0]),
    "encoder against it": lambda: adversary_of(lambda made, labels: made.encoder_loss(STATES, labels)),
    "speaker of generated frames": speakers_of_generated_frames,
    "speaker of real frames": speakers_of_real_frames,
    "codes of a prior": codes_of_a_prior,
    "training of a prior": loss_of_a_prior,
    "labels of a prior": labels_of_a_prior,
    "condition of a prior": conditions_of_a_prior,
    "words": lambda: word_softmax(None),
    "sampled words": lambda: word_softmax(3),
}


@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_the_cross_entropy_of_a_label_out_of_range_is_that_of_the_nearest_one_in_a_graph(name):
    function = CROSS_ENTROPIES[name]()
    found = tf.function(function, autograph=False)(tf.constant([-1, 2, 9]))
    np.testing.assert_allclose(found, function(tf.constant([0, 2, 3])), rtol=1e-5)
    with pytest.raises(InputError, match="must be from 0 to 3. Received: .* from -1 to 9"):
        function(tf.constant([-1, 2, 9]))


@pytest.mark.parametrize("vocabulary", [None, ["how", "much"]])
def test_numbers_of_words_out_of_range_are_refused_and_clamped_in_a_graph(vocabulary):
    model = QuickThought(*(bag_of_words_encoder(4, 3, name=name) for name in "ab"), vocabulary=vocabulary)
    ids, inside = np.array([[9, 2, 0], [1, -3, 0]]), np.array([[3, 2, 0], [1, 0, 0]])
    found = tf.function(lambda ids: model({"ids": ids}), autograph=False)(tf.constant(ids))
    np.testing.assert_allclose(found, model({"ids": inside}), rtol=1e-6)
    with pytest.raises(InputError, match="ids must be from 0 to 3. Received: ids from -3 to 9"):
        model({"ids": ids})
    model({"ids": ids, "lengths": np.array([0, 1])})  # what lies behind the end is not read


def test_a_word_to_write_that_is_out_of_range_is_clamped_in_a_graph():
    model = SkipThought(bag_of_words_encoder(4, 3), decoders=("next",), batch_normalization=False)
    x = {"ids": tf.constant([[1, 2]]), "next": tf.constant([[9, 2]])}
    terms = tf.function(lambda x: model.compute_terms(x, None, None, False, "model")["loss"], autograph=False)
    expected = model.compute_terms({**x, "next": tf.constant([[3, 2]])}, None, None, False, "model")["loss"]
    np.testing.assert_allclose(terms(x), expected, rtol=1e-5)
    with pytest.raises(InputError, match="next must be from 0 to 3"):
        model.compute_terms(x, None, None, False, "model")


def test_speakers_that_are_only_compared_are_any_whole_numbers():
    frames = keras.Input((None, 6))
    pooled = keras.layers.GlobalAveragePooling1D()(frames)
    content, voice = keras.Input((None, 4)), keras.Input((3,))
    joined = keras.layers.Concatenate()([keras.layers.GlobalAveragePooling1D()(content), voice])
    joined = keras.layers.Reshape((1, 6))(keras.layers.Dense(6)(joined))
    told = keras.layers.Add()(
        [keras.layers.Dense(6)(content), keras.layers.Reshape((1, 6))(keras.layers.Dense(6)(joined))]
    )
    model = AdaINVoiceConverter(
        keras.Model(frames, keras.layers.Dense(8)(frames)),
        keras.Model(frames, keras.layers.Dense(3)(pooled)),
        keras.Model([content, voice], told),
        voice_of="speaker",
    )
    rules, x = model.input_rules(), np.zeros((2, 5, 6), "float32")
    check_values(rules, {"x": x, "speaker": np.array([-7, 1000])})
    with pytest.raises(InputError, match="speaker must be integers"):
        check_values(rules, {"x": x, "speaker": np.array([0.3, 0.7])})
