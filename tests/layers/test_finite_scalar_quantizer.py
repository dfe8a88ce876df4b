import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import FiniteScalarQuantizer

LEVELS = [8, 5, 5, 5]


def paper_quantizer(levels, **kwargs):
    """Without the start from the first batch, which is not the paper's."""
    return FiniteScalarQuantizer(levels, standardize_start=False, **kwargs)


def normal(shape, seed=0, size=1.0):
    return (size * np.random.default_rng(seed).normal(size=shape)).astype("float32")


def paper(x, levels, eps=1e-3):
    """Bound and round of the paper's appendix, in float64: digits, embedding, bounded."""
    levels = np.array(levels)
    half = (levels - 1) * (1 - eps) / 2
    offset = np.where(levels % 2 == 1, 0.0, 0.5)
    bounded = np.tanh(x.astype("float64") + np.tan(offset / half)) * half - offset
    return np.round(bounded) + levels // 2, np.round(bounded) / (levels // 2), bounded / (levels // 2)


def gradient(layer, x, weight):
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        loss = tf.reduce_sum(weight * layer(inputs, training=True))
    return tape.gradient(loss, inputs).numpy()


def measured(layer):
    return {metric.name: float(metric.result()) for metric in layer.metrics}


@pytest.mark.parametrize("levels", [LEVELS, [3, 2, 9], [2], [7, 5, 5, 5, 5], [4, 6]], ids=str)
def test_digits_and_embedding_are_those_of_the_paper(levels):
    layer, x = paper_quantizer(levels), normal((200, len(levels)), size=2.0)
    digits, embedding, _ = paper(x, levels)
    codes = sum(digits[:, i] * np.prod(levels[:i]) for i in range(len(levels)))
    np.testing.assert_array_equal(layer.encode(x), codes)
    np.testing.assert_allclose(layer(x), embedding, atol=1e-6)
    np.testing.assert_allclose(layer(x, training=True), embedding, atol=1e-6)
    assert np.abs(embedding).max() == 1


@pytest.mark.parametrize("levels", [[5, 4], [2, 3, 2], [8, 5, 5]], ids=str)
@pytest.mark.parametrize("symmetric", [False, True])
def test_every_code_comes_back(levels, symmetric):
    layer = paper_quantizer(levels, symmetric=symmetric)
    layer.build((None, len(levels)))
    codes = np.arange(np.prod(levels))
    embedding = layer.decode(codes).numpy()
    assert len(np.unique(embedding, axis=0)) == len(codes)
    assert np.abs(embedding).max() <= 1
    # what the embedding is made from: any x that bounds to it
    inside = np.array([(i - layer._half) / layer._reach for i in _digits(levels)])
    x = np.arctanh(np.clip(inside, -1 + 1e-7, 1 - 1e-7)) - layer._shift
    np.testing.assert_array_equal(layer.encode(x.astype("float32")), codes)
    np.testing.assert_array_equal(layer(x.astype("float32")), embedding)


def _digits(levels):
    """All digit vectors in the order of their codes: the first digit runs fastest."""
    return np.array(list(itertools.product(*map(range, levels[::-1]))))[:, ::-1]


def test_symmetric_levels_are_evenly_spread_over_the_whole_range():
    layer = paper_quantizer([4, 5, 2], symmetric=True)
    layer.build((None, 3))
    embedding = layer.decode(np.arange(40)).numpy()
    for channel, levels in enumerate((4, 5, 2)):
        expected = np.linspace(-1, 1, levels)
        np.testing.assert_allclose(np.unique(embedding[:, channel].round(6)), expected, atol=1e-6)
    x = normal((100, 3))
    np.testing.assert_array_equal(layer(x)[:, 2] > 0, x[:, 2] > 0)
    # tanh of an evenly spread grid
    expected = np.round((np.tanh(x.astype("float64")) * (1 - 1e-3) + 1) * 1.5)
    np.testing.assert_array_equal(np.asarray(layer.encode(x)) % 4, expected[:, 0])


@pytest.mark.parametrize("size", [1e3, 1e30])
def test_saturated_channels_stay_at_the_outermost_levels(size):
    for levels, symmetric in itertools.product(([8, 5, 2], [1000, 3, 4]), (False, True)):
        layer = paper_quantizer(levels, symmetric=symmetric)
        ends = np.array([[-size] * 3, [size] * 3], "float32")
        np.testing.assert_array_equal(layer.encode(ends), [0, np.prod(levels) - 1])


@pytest.mark.parametrize("symmetric", [False, True])
def test_gradient_is_that_of_the_bounded_value(symmetric):
    layer, x, weight = paper_quantizer(LEVELS, symmetric=symmetric), normal((6, 4)), normal((6, 4), 1)
    step = 1e-5

    def bounded(x):
        levels = np.array(LEVELS)
        if symmetric:
            return np.tanh(x) * (1 - 1e-3)
        return paper(x, levels)[2]

    x64 = x.astype("float64")
    expected = weight * (bounded(x64 + step) - bounded(x64 - step)) / (2 * step)
    np.testing.assert_allclose(gradient(layer, x, weight), expected, rtol=1e-3, atol=1e-5)


def test_heads_are_codes_of_their_own():
    layer, single = paper_quantizer([5, 4], num_heads=3), paper_quantizer([5, 4])
    x = normal((2, 7, 6))
    codes = layer.encode(x)
    assert codes.shape == (2, 7, 3)
    for head in range(3):
        part = x[..., 2 * head : 2 * head + 2]
        np.testing.assert_array_equal(codes[..., head], single.encode(part))
        np.testing.assert_array_equal(layer(x)[..., 2 * head : 2 * head + 2], single(part))


def test_another_last_axis_is_mapped_in_and_out_by_learned_weights():
    layer, plain = paper_quantizer([5, 4], num_heads=2), paper_quantizer([5, 4], num_heads=2)
    x = normal((3, 5, 7))
    layer.build(x.shape)
    for variable in (layer.bias_in, layer.bias_out):
        variable.assign(normal(variable.shape, seed=2))
    assert {tuple(weight.shape) for weight in layer.weights} == {(7, 4), (4,), (4, 7), (7,)}
    assert {weight.dtype for weight in layer.trainable_variables} == {"float32"}
    inner = x @ np.asarray(layer.kernel_in) + np.asarray(layer.bias_in)
    codes = layer.encode(x)
    np.testing.assert_array_equal(codes, plain.encode(inner))
    embedding = np.asarray(plain.decode(codes)) @ np.asarray(layer.kernel_out) + np.asarray(layer.bias_out)
    np.testing.assert_allclose(layer.decode(codes), embedding, atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, training=True) ** 2)
    gradients = tape.gradient(loss, layer.trainable_variables)
    assert all(np.abs(gradient).max() > 0 for gradient in gradients)


def test_without_need_there_is_no_projection():
    layer = paper_quantizer(LEVELS)
    layer.build((None, 4))
    assert layer.trainable_variables == []


def test_metrics_are_of_the_codes():
    layer, x = paper_quantizer([3, 4]), normal((50, 2))
    layer(x)
    share = np.bincount(layer.encode(x), minlength=12) / 50
    used = share[share > 0]
    assert measured(layer)["usage"] == pytest.approx(len(used) / 12)
    assert measured(layer)["perplexity"] == pytest.approx(np.exp(-np.sum(used * np.log(used))), rel=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_the_loss_is_of_what_the_tanh_gets_beyond_2(training):
    x, weights = normal((9, 2), size=3.0), np.linspace(0, 1, 9).astype("float32")
    layer, paper_only = paper_quantizer([3, 4]), paper_quantizer([3, 4], saturation_cost=0.0)
    for each in (layer, paper_only):
        each(x, sample_weight=weights, training=training)
    argument = x + [0, np.tan(0.5 / (1.5 * (1 - 1e-3)))]
    expected = np.average((np.maximum(np.abs(argument) - 2, 0) ** 2).mean(axis=1), weights=weights)
    assert measured(layer)["saturation_loss"] == pytest.approx(expected, rel=1e-5)
    assert measured(paper_only)["saturation_loss"] == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(layer.losses, [0.25 * expected], rtol=1e-5)
    assert paper_only.losses == []


@pytest.mark.slow
def test_data_whose_mean_drives_the_tanh_into_saturation_do_not_collapse():
    """Vectors around 5: the decoder first asks for the mean, and all channels drift the same way."""
    targets = 5 + normal((256, 6))

    def trained(saturation_cost):
        keras.utils.set_random_seed(0)
        layer = paper_quantizer([5, 5, 5], saturation_cost=saturation_cost)
        model = keras.Sequential([keras.layers.Dense(16), layer, keras.layers.Dense(6)])
        model.build((256, 6))
        optimizer = keras.optimizers.Adam(0.05)
        optimizer.build(model.trainable_variables)

        @tf.function
        def step():
            with tf.GradientTape() as tape:
                error = tf.reduce_mean((model(targets, training=True) - targets) ** 2)
                gradients = tape.gradient(error + sum(model.losses), model.trainable_variables)
            optimizer.apply(gradients)
            return error

        errors = [step() for _ in range(150)]
        return len(np.unique(layer.encode(model.layers[0](targets)))), errors[-1]

    (plain, plain_error), (kept, kept_error) = trained(0.0), trained(0.25)
    assert plain == 1
    assert kept > 25
    assert kept_error < 0.7 * plain_error


def test_more_codes_than_a_table_should_have_are_counted_by_digit():
    levels = [8, 8, 8, 8, 8, 3, 5]  # 491,520 codes
    layer, x = paper_quantizer(levels), normal((60, 7))
    layer(x)
    digits = paper(x, levels)[0].astype(int)
    counts = [np.bincount(digits[:, i], minlength=n) / 60 for i, n in enumerate(levels)]
    entropies = [-sum(p * np.log(p) for p in row if p) for row in counts]
    assert layer.usage.counts.shape == (7, 8)
    layer.usage.update_state(layer.counted_codes(layer.encode(x)))  # the same again, from outside
    np.testing.assert_array_equal(layer.usage.counts, 2 * layer.perplexity.counts)
    assert measured(layer)["usage"] == pytest.approx(sum((row > 0).sum() for row in counts) / sum(levels))
    assert measured(layer)["perplexity"] == pytest.approx(np.mean(np.exp(entropies)), rel=1e-5)
    assert layer.num_values == np.prod(levels)


def test_31_bits_are_the_most():
    layer = paper_quantizer([2**16, 2**15])  # float32 tells the levels apart
    largest = np.full((1, 2), 1e6, "float32")
    assert int(layer.encode(largest)[0]) == 2**31 - 1
    np.testing.assert_allclose(layer.decode(layer.encode(largest)), layer(largest))
    with pytest.raises(ValueError, match="at most 31 bits.*Received.*31.0 bits.*num_heads"):
        paper_quantizer([2**16, 2**15 + 1])


@pytest.mark.parametrize(
    "levels, heads", [([], 1), ([5, 1], 1), ([0], 1), ([2.5], 1), ([2**16 + 1], 1), ([5], 0)], ids=str
)
def test_what_is_no_grid_is_refused(levels, heads):
    with pytest.raises(ValueError, match="each digit must have from 2 to 65536 levels.*Received"):
        paper_quantizer(levels, num_heads=heads)


def test_an_unknown_last_axis_is_refused():
    with pytest.raises(ValueError, match="last axis of known size.*Received"):
        paper_quantizer([5]).build((None, None))


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_margin_is_the_distance_from_the_nearest_threshold(symmetric):
    levels = np.array([4, 5])
    layer, x = paper_quantizer(levels, symmetric=symmetric), normal((300, 2))
    layer.build(x.shape)
    half = (levels - 1) / 2
    shift = np.zeros(2) if symmetric else np.where(levels % 2, 0, np.tan(0.5 / (half * (1 - 1e-3))))
    digit = half + half * (1 - 1e-3) * np.tanh(x.astype("float64") + shift)
    distance = np.min([np.abs(digit - threshold) for threshold in np.arange(-1, 6) + 0.5], axis=0)
    np.testing.assert_allclose(layer.margin(x), (distance / half).min(axis=-1), rtol=1e-3, atol=1e-6)
    # a nudge of less than the margin changes no code
    moved = (digit + 0.9 * np.asarray(layer.margin(x))[:, None] * half - half) / (half * 0.999)
    inside = (moved < 1).all(axis=-1)
    nudged = np.arctanh(np.minimum(moved, 1 - 1e-9))
    assert inside.mean() > 0.5
    np.testing.assert_array_equal(
        layer.encode((nudged - shift)[inside].astype("float32")), layer.encode(x[inside])
    )
