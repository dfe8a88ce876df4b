"""Samples, interpolations and traversals of every kind of model, and the messages where they mean nothing."""

import keras
import numpy as np
import pytest

from keras_ae.layers import (
    BinaryBottleneck,
    GaussianBottleneck,
    MaskedConv1D,
    MaskedConv1DTranspose,
    VectorQuantizer,
)
from keras_ae.models import (
    AutoEncoder,
    GaussianMixtureSampler,
    GenerativeAutoEncoder,
    VariationalAutoEncoder,
)
from keras_ae.models.exploration import path_points
from small_models import (
    IMAGES,
    auto_encoder,
    contrastive_predictive_coding,
    deep_info_max,
    discrete_vae,
    disentangler,
    flat_parts,
    message,
    prior,
    quick_thought,
    skip_thought,
    speech_auto_encoder,
    two_level,
    vae,
)


def vector_auto_encoder():
    return AutoEncoder(*flat_parts(2, 2))


def plain():
    """The embedding is the input, and the output is the embedding."""
    parts = [keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)]) for _ in range(2)]
    for part in parts:
        part.layers[0].set_weights([np.eye(2), np.zeros(2)])
    return parts


def decoded(model, rows):
    return np.asarray(model.decode(np.asarray(rows, "float32")))


# Interpolation


def test_interpolation_decodes_the_points_of_the_line_and_ends_at_the_reconstructions():
    model, first, second = vector_auto_encoder(), IMAGES[:2], IMAGES[2:4]
    found = np.asarray(model.interpolate(first, second, 5))
    assert found.shape == (2, 5, 4, 4, 1)
    a, b = np.asarray(model.encode(first)), np.asarray(model.encode(second))
    for step in range(5):
        np.testing.assert_allclose(found[:, step], decoded(model, a + step / 4 * (b - a)), atol=1e-6)
    np.testing.assert_allclose(found[:, 0], model.reconstruct(first), atol=1e-6)
    np.testing.assert_allclose(found[:, -1], model.reconstruct(second), atol=1e-6)


def test_codes_are_interpolated_between_their_embeddings():
    for model, size in ((auto_encoder(VectorQuantizer(4, seed=0)), 4), (two_level(), 8)):
        x = np.random.default_rng(0).random((4, size, size, 1), "float32")
        found = np.asarray(model.interpolate(x[:2], x[2:], 3))
        np.testing.assert_allclose(found[:, 0], model.reconstruct(x[:2]), atol=1e-6)
        np.testing.assert_allclose(found[:, 2], model.reconstruct(x[2:]), atol=1e-6)
        a, b = model.embed(x[:2]), model.embed(x[2:])
        middle = keras.tree.map_structure(lambda one, other: (one + other) / 2, a, b)
        np.testing.assert_allclose(found[:, 1], model.decode(middle), atol=1e-6)


def test_the_spherical_path_turns_by_equal_angles_and_keeps_the_length():
    angles = np.linspace(0.3, 2.0, 6)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype("float32")
    points = np.asarray(path_points(5 * circle[:1], 5 * circle[-1:], 6, "spherical"))
    np.testing.assert_allclose(points[0], 5 * circle, atol=1e-5)


@pytest.mark.parametrize("second", [[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
def test_the_spherical_path_is_the_line_where_no_angle_is_defined(second):
    first, second = np.array([[1.0, 0.0]], "float32"), np.array([second], "float32")
    line, curve = (np.asarray(path_points(first, second, 4, path)) for path in ("linear", "spherical"))
    np.testing.assert_allclose(curve, line, atol=1e-6)


def test_sequences_of_equal_lengths_are_interpolated_without_their_padding():
    encoder = keras.Sequential([keras.Input((None, 3)), MaskedConv1D(2, 1, strides=2)])
    decoder = keras.Sequential([keras.Input((None, 2)), MaskedConv1DTranspose(3, 4, strides=2)])
    model, rng = AutoEncoder(encoder, decoder), np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1, 5, 3)).astype("float32")
    lengths = np.array([3])
    found = np.asarray(model.interpolate({"x": a, "lengths": lengths}, {"x": b, "lengths": lengths}, 2))
    assert found.shape == (1, 2, 5, 3)  # cut to the length of the input
    np.testing.assert_allclose(found[:, 0], model.reconstruct({"x": a, "lengths": lengths}), atol=1e-6)
    other = {"x": b, "lengths": np.array([1])}
    text = message(model.interpolate, {"x": a, "lengths": lengths}, other, 2)
    assert text.startswith("first and second must have the same lengths") and "2 and 1 codes" in text


# Traversal


def test_a_coordinate_of_a_vae_takes_the_values_of_the_span():
    model = vae(likelihood="gaussian")
    z = np.asarray(model.encode(IMAGES[:2]))
    found = np.asarray(model.traverse(IMAGES[:2], [1], steps=3, span=2.0))
    assert found.shape == (2, 1, 3, 4, 4, 1)
    for step, value in enumerate((-2.0, 0.0, 2.0)):
        moved = np.stack([z[:, 0], np.full(2, value)], axis=1)
        np.testing.assert_allclose(found[:, 0, step], decoded(model, moved), atol=1e-6)


def test_without_a_prior_the_unit_is_the_deviation_over_the_reference():
    model = vector_auto_encoder()
    z, known = np.asarray(model.encode(IMAGES[:1])), np.asarray(model.encode(IMAGES))
    found = np.asarray(model.traverse(IMAGES[:1], steps=3, span=1.0, reference=IMAGES))
    assert found.shape == (1, 2, 3, 4, 4, 1)
    for dim in range(2):
        for step, offset in enumerate((-1, 0, 1)):
            moved = z.copy()
            moved[0, dim] = known[:, dim].mean() + offset * known[:, dim].std()
            np.testing.assert_allclose(found[0, dim, step], decoded(model, moved)[0], atol=1e-6)
    assert "at least two examples" in message(model.traverse, IMAGES[:1])


def test_a_code_takes_its_values_in_order():
    model = AutoEncoder(*flat_parts(3, 3), BinaryBottleneck())
    bits = np.asarray(model.encode(IMAGES[:2]))
    found = np.asarray(model.traverse(IMAGES[:2], [2, 0]))  # 7 steps, but a bit has 2 values
    assert found.shape == (2, 2, 2, 4, 4, 1)
    for row, position in enumerate((2, 0)):
        for value in (0, 1):
            changed = bits.copy()
            changed[:, position] = value
            np.testing.assert_allclose(found[:, row, value], model.decode(changed), atol=1e-6)


def test_positions_of_two_levels_begin_with_the_top():
    model = two_level()
    x = np.random.default_rng(0).random((1, 8, 8, 1), "float32")
    codes = {level: np.array(values) for level, values in model.encode(x).items()}
    top = codes["top"].size
    found = np.asarray(model.traverse(x, [0, top + 1], steps=2))
    for row, (level, place) in enumerate((("top", 0), ("bottom", 1))):
        for step, value in enumerate((0, 3)):
            changed = {name: values.copy() for name, values in codes.items()}
            changed[level].reshape(-1)[place] = value
            np.testing.assert_allclose(found[:, row, step], model.decode(changed), atol=1e-6)


def test_the_codes_of_each_level_take_its_own_values():
    model = two_level(top=3, bottom=101)
    x = np.random.default_rng(0).random((1, 8, 8, 1), "float32")
    top = np.array(model.encode(x)["top"]).size
    seen = []
    model.decode = lambda codes, **_: seen.append(codes) or codes["top"]
    model.traverse(x, [0, top], steps=3)
    codes = {level: np.asarray(values).reshape(2, 3, -1) for level, values in seen[0].items()}
    np.testing.assert_array_equal(codes["top"][0, :, 0], [0, 1, 2])
    np.testing.assert_array_equal(codes["bottom"][1, :, 0], [0, 50, 100])


def test_a_reference_replaces_the_prior():
    encoder, decoder = plain()
    narrow = keras.Sequential([encoder, keras.layers.Dense(4, kernel_initializer="glorot_normal")])
    model = VariationalAutoEncoder(narrow, decoder, 2, likelihood="gaussian", seed=0)
    x = np.random.default_rng(0).normal(3.0, 0.5, (20, 2)).astype("float32")
    mixture = GaussianMixtureSampler(model, 1)
    mixture.adapt(5 * x)
    z, known = np.asarray(model.encode(x[:1])), np.asarray(model.encode(x))
    for explored in (model, mixture):
        found = np.asarray(explored.traverse(x[:1], [0], steps=3, span=1.0, reference=x))[0, 0]
        moved = np.repeat(z, 3, axis=0)
        moved[:, 0] = known[:, 0].mean() + known[:, 0].std() * np.array([-1, 0, 1])
        np.testing.assert_allclose(found, decoded(model, moved), rtol=1e-4, atol=1e-5)


# Samples


def test_samples_of_a_vae_are_standard_normal_times_the_temperature():
    encoder, decoder = plain()
    model = VariationalAutoEncoder(encoder, decoder, 2, likelihood="gaussian")
    drawn = np.asarray(model.sample(4000, seed=0, temperature=0.5))
    np.testing.assert_allclose(drawn.mean(axis=0), 0, atol=0.03)  # 4 standard errors
    np.testing.assert_allclose(np.cov(drawn.T), 0.25 * np.eye(2), atol=0.03)
    np.testing.assert_array_equal(model.sample(3, seed=1), model.sample(3, seed=1))
    assert (np.asarray(model.sample(3)) != np.asarray(model.sample(3))).all()


def test_drawing_does_not_advance_the_generator_of_the_training():
    model = AutoEncoder(*flat_parts(3, 2), GaussianBottleneck(2, seed=0))
    before = np.array(model.bottleneck.seed_generator.state)
    model.sample(2)
    np.testing.assert_array_equal(model.bottleneck.seed_generator.state, before)


def test_samples_of_codes_are_those_of_the_prior():
    model = GenerativeAutoEncoder.from_auto_encoder(
        two_level(), dim=8, depth=1, num_attention_heads=2, num_labels=3
    )
    assert [p.settings["condition_values"] for p in model.priors] == [None, 4]
    codes = model.sample_codes(3, seed=0, labels=[0, 1, 2])
    np.testing.assert_array_equal(model.sample(3, seed=0, labels=[0, 1, 2]), model.decode(codes))
    x = {"x": np.random.default_rng(0).random((2, 8, 8, 1), "float32"), "labels": np.array([0, 2])}
    count = sum(p.num_codes for p in model.priors)
    expected = -np.asarray(model.log_prob(model.encode(x), labels=x["labels"])) / count
    np.testing.assert_allclose(model.score(x), expected, rtol=1e-6)
    assert np.asarray(model.interpolate(x, x, 2)).shape == (2, 2, 8, 8, 1)
    assert np.asarray(model.traverse(x, [0], steps=3)).shape == (2, 1, 3, 8, 8, 1)


def test_a_conditioned_decoder_is_given_the_condition_of_the_inputs_or_another_one():
    model = disentangler()
    x = {"x": IMAGES[:2], "label": np.array([0, 2])}
    found = np.asarray(model.interpolate(x, x, 2))
    np.testing.assert_allclose(found[:, 1], model.reconstruct(x), atol=1e-6)
    other = np.asarray(model.interpolate(x, x, 2, label=1))
    expected = model.decode(model.encode(IMAGES[:2]), label=np.array([1, 1]))
    np.testing.assert_allclose(other[:, 0], expected, atol=1e-6)
    assert np.asarray(model.traverse(x, [1], steps=3)).shape == (2, 1, 3, 4, 4, 1)
    assert message(model.interpolate, IMAGES[:2], IMAGES[:2]).startswith("label must be given")
    assert "2 examples" in message(model.interpolate, x, x, label=[0, 1, 2])


def test_speech_of_any_length_is_drawn_in_the_given_voice():
    model = speech_auto_encoder(GaussianBottleneck(4, beta=0.01, seed=0))
    drawn = np.asarray(model.sample(2, length=3, seed=0, speaker=1))
    expected = model.decode(model.sample_codes(2, 3, seed=0), speaker=np.array([1, 1]))
    np.testing.assert_array_equal(drawn, expected)
    assert message(model.sample, 2, length=3).startswith("speaker must be given")
    assert message(model.sample, 2, speaker=1).startswith("length must be")


# Where they mean nothing


def unbuilt_vae():
    parts = (keras.Sequential([keras.layers.Dense(size)]) for size in (4, 3))
    return VariationalAutoEncoder(*parts, 2)


@pytest.mark.parametrize(
    "make",
    [deep_info_max, contrastive_predictive_coding, quick_thought, prior],
    ids=lambda make: make.__name__,
)
def test_models_without_a_decoder_are_refused(make):
    model = make()
    x = IMAGES[:2]
    for name, given in (("interpolate", (x, x)), ("traverse", (x,)), ("sample", (2,))):
        if name == "sample" and make is prior:
            continue
        text = message(getattr(model, name), *given)
        assert text.startswith(f"{name} must be called on a model with an encoder and a decoder")
        assert type(model).__name__ in text
    assert model.generative is (make is prior)


def test_scores_of_a_whole_batch_are_refused():
    for model in (contrastive_predictive_coding(), quick_thought()):
        text = message(model.score, ["a", "b"])
        assert text.startswith("score must be called on a model whose loss is a mean over examples")


@pytest.mark.parametrize(
    "make, advice",
    [
        (vector_auto_encoder, "GaussianMixtureSampler(model)"),
        (lambda: auto_encoder(VectorQuantizer(4, seed=0)), "GenerativeAutoEncoder.from_auto_encoder(model)"),
        (two_level, "GenerativeAutoEncoder.from_auto_encoder(model)"),
        (speech_auto_encoder, "GaussianBottleneck"),
        (skip_thought, "decode(encode(sentences))"),
    ],
)
def test_samples_without_a_prior_name_the_model_that_adds_one(make, advice):
    text = message(make().sample, 3)
    assert text.startswith("sample must be called on a model with a prior") and advice in text


@pytest.mark.parametrize(
    "call, start",
    [
        (lambda: vae().interpolate(IMAGES[:2], IMAGES[2:4], 1), "steps must be at least 2"),
        (lambda: vae().interpolate(IMAGES[:2], IMAGES[2:4], path="round"), "path must be one of"),
        (lambda: vae().interpolate(IMAGES[:2], IMAGES[2:5]), "first and second must have the same number"),
        (lambda: vae().traverse(IMAGES[:2], 3), "dims must be a list"),
        (lambda: vae().traverse(IMAGES[:2], [2]), "dims must be from 0 to 1"),
        (lambda: vae().traverse(IMAGES[:2], [0], span=0.0), "steps must be at least 2 and span positive"),
        (lambda: two_level().traverse(np.zeros((1, 8, 8, 1)), span=2.0), "span must be None for a discrete"),
        (
            lambda: auto_encoder(VectorQuantizer(4)).traverse(IMAGES, reference=IMAGES),
            "reference must be None for a discrete",
        ),
        (lambda: auto_encoder().traverse(IMAGES[:2]), "traverse must be called on a model whose embedding"),
        (lambda: unbuilt_vae().sample(2), "VariationalAutoEncoder must be built before sample"),
        (lambda: vae().sample(0), "num must be at least 1"),
        (lambda: vae().sample(2, temperature=0.0), "num must be at least 1 and temperature positive"),
        (lambda: vae().sample(2, 5), "length must be None"),
    ],
)
def test_arguments_that_are_not_valid(call, start):
    assert message(call).startswith(start)


def test_generative_models():
    expected = {
        vae: True,
        discrete_vae: True,
        vector_auto_encoder: False,
        two_level: False,
        skip_thought: False,
    }
    assert {make: make().generative for make in expected} == expected
    assert GaussianMixtureSampler(vector_auto_encoder(), 2).generative


# Sentences


def test_vectors_of_sentences_are_moved_and_triples_are_scored():
    model = skip_thought()
    texts = model.interpolate(["how much", "is"], ["this", "this"], 3)
    assert [len(one) for one in texts] == [3, 3]
    assert texts[0] == model.interpolate("how much", "this", 3)
    found = model.traverse(["how much", "is"], [0], steps=3, decoder="previous")
    assert found.shape == (2, 1, 3) and isinstance(found[0, 0, 0], str)
    ids = np.array([[3, 4], [5, 0], [4, 6]], "int32")
    x = {"ids": ids, "previous": np.roll(ids, 1, 0), "next": np.roll(ids, -1, 0)}
    each = [
        float(
            model.compute_terms({k: v[i : i + 1] for k, v in x.items()}, None, None, False, "model")["loss"]
        )
        for i in range(3)
    ]
    np.testing.assert_allclose(model.score(x), each, rtol=1e-5)
