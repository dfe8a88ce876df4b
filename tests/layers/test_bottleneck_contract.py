"""What every discrete bottleneck promises."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import (
    BinaryBottleneck,
    FiniteScalarQuantizer,
    GumbelOneHot,
    LookupFreeQuantizer,
    ResidualVectorQuantizer,
    VectorQuantizer,
)

DIM = 6
SCHEDULE = keras.optimizers.schedules.ExponentialDecay(1.0, 4, 0.5)
CASES = {
    "vq": lambda **kw: VectorQuantizer(8, kmeans_samples=32, seed=1, **kw),
    "vq_two_heads": lambda **kw: VectorQuantizer(8, kmeans_samples=32, num_heads=2, seed=1, **kw),
    "vq_cosine_by_gradient": lambda **kw: VectorQuantizer(8, distance="cosine", ema_decay=None, seed=1, **kw),
    "vq_projected_shared_rotated": lambda **kw: VectorQuantizer(
        8, codebook_dim=2, num_heads=2, share_codebook=True, gradient="rotation", seed=1, **kw
    ),
    "vq_linear_with_terms": lambda **kw: VectorQuantizer(
        8, linear_codebook=True, ema_decay=None, orthogonality_weight=0.1, diversity_weight=0.1, seed=1, **kw
    ),
    "vq_sampled": lambda **kw: VectorQuantizer(8, sampling_temperature=SCHEDULE, seed=1, **kw),
    "residual": lambda **kw: ResidualVectorQuantizer(8, 2, kmeans_samples=0, seed=1, **kw),
    "residual_projected_by_gradient": lambda **kw: ResidualVectorQuantizer(
        8, 3, codebook_dim=4, ema_decay=None, kmeans_samples=0, seed=1, **kw
    ),
    "fsq": lambda **kw: FiniteScalarQuantizer([3, 2, 4, 2, 3, 2], **kw),
    "fsq_projected_heads": lambda **kw: FiniteScalarQuantizer([5, 4], num_heads=2, symmetric=True, **kw),
    "fsq_digits_counted": lambda **kw: FiniteScalarQuantizer([64, 64, 65], num_heads=2, **kw),
    "lfq": lambda **kw: LookupFreeQuantizer(6, inverse_temperature=0.2, **kw),
    "lfq_projected_heads": lambda **kw: LookupFreeQuantizer(5, num_heads=2, entropy_group_bits=3, **kw),
    "bsq": lambda **kw: LookupFreeQuantizer(3, num_heads=2, spherical=True, **kw),
    "gumbel": lambda **kw: GumbelOneHot(kl_weight=0.3, temperature=SCHEDULE, seed=1, **kw),
    "gumbel_soft": lambda **kw: GumbelOneHot(straight_through=False, temperature=0.5, seed=1, **kw),
    "gumbel_groups": lambda **kw: GumbelOneHot(
        num_groups=2, estimator="reinmax", prior="learned", kl_weight=0.3, free_bits=0.1, seed=1, **kw
    ),
    "binary": lambda **kw: BinaryBottleneck(kl_weight=0.3, entropy_weight=0.1, seed=1, **kw),
    "binary_stochastic": lambda **kw: BinaryBottleneck(stochastic=True, kl_weight=0.3, seed=1, **kw),
    "binary_relaxed": lambda **kw: BinaryBottleneck(
        estimator="gumbel", temperature=SCHEDULE, balance_weight=0.1, decorrelation_weight=0.2, seed=1, **kw
    ),
    "binary_hashing": lambda **kw: BinaryBottleneck(
        estimator="semantic_hashing", prior="learned", kl_weight=0.3, free_bits=0.5, seed=1, **kw
    ),
}


@pytest.fixture(params=CASES)
def make(request):
    return CASES[request.param]


@pytest.fixture(params=[name for name in CASES if name != "vq_sampled"])
def make_exact(request):
    """Those whose losses and state do not depend on noise, which falls on rows by their place."""
    return CASES[request.param]


def pair(make, **options):
    """Two layers with the same weights."""
    one, other = make(), make()
    if options and isinstance(one, (VectorQuantizer, ResidualVectorQuantizer)):
        one, other = (type(each).from_config({**each.get_config(), **options}) for each in (one, other))
    for each in (one, other):
        each.build((None, None, DIM))
    other.set_weights(one.get_weights())
    return one, other


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def trained(layer, steps=3):
    for step in range(steps):
        layer(normal((4, 5, DIM), seed=step), training=True)
    return layer


def state(layer):
    return {weight.path.split("/", 1)[1]: np.asarray(weight) for weight in layer.weights}


def measured(layer):
    return {metric.name: float(metric.result()) for metric in layer.metrics}


def added(layer):
    return sum(float(loss) for loss in layer.losses)


def assert_same(one, other, **tolerance):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_allclose(other[name], one[name], err_msg=name, **tolerance)


@pytest.mark.parametrize("dtype", ["float32", "float16", "mixed_bfloat16"])
def test_inference_is_decode_of_encode_bit_for_bit(make, dtype):
    layer = trained(make(dtype=dtype))
    x = tf.cast(normal((3, 7, DIM), seed=9), layer.compute_dtype)
    for training in (False, None):
        embedding, codes = layer(x, training=training, return_codes=True)
        assert embedding.dtype == layer.compute_dtype
        assert codes.dtype == tf.int32
        np.testing.assert_array_equal(codes, layer.encode(x))
        np.testing.assert_array_equal(embedding, layer.decode(layer.encode(x)))
        np.testing.assert_array_equal(embedding, layer(x, training=training))
    # NumPy in, and codes of another integer type
    np.testing.assert_array_equal(layer.encode(np.asarray(x)), codes)
    np.testing.assert_array_equal(layer.decode(np.asarray(codes).astype("int64")), embedding)


def test_return_codes_works_symbolically(make):
    inputs = keras.Input((None, DIM))
    layer = make()
    model = keras.Model(inputs, layer(inputs, return_codes=True))
    x = normal((2, 3, DIM))
    embedding, codes = model(x)
    assert codes.dtype == "int32"
    for symbolic, value in zip(model.outputs, (embedding, codes), strict=True):
        assert symbolic.shape == (None, None, *value.shape[2:])
        assert symbolic.dtype == keras.backend.standardize_dtype(value.dtype)
    np.testing.assert_array_equal(codes, layer.encode(x))
    np.testing.assert_array_equal(embedding, layer(x))


def test_training_returns_the_codes_of_its_embedding(make):
    layer = trained(make())
    layer.trainable = False  # the codebook of the call is the one that decodes
    embedding, codes = layer(normal((3, 7, DIM)), training=True, return_codes=True)
    if layer.get_config().get("straight_through") is False:
        np.testing.assert_array_equal(codes, np.argmax(embedding, axis=-1))
    elif layer.get_config().get("estimator") == "semantic_hashing":
        np.testing.assert_array_equal(codes, np.asarray(embedding) > 0.5)
    else:
        np.testing.assert_allclose(
            embedding, layer.decode(codes), atol=1e-6
        )  # the straight-through sum rounds


def test_encode_builds_the_layer_and_decode_says_when_it_cannot(make):
    layer, x = make(), normal((2, 3, DIM))
    codes = layer.encode(x)
    assert layer.built
    np.testing.assert_array_equal(codes, layer.encode(x))
    if isinstance(layer, BinaryBottleneck):
        np.testing.assert_array_equal(make().decode(codes), codes)
    else:
        with pytest.raises(ValueError, match="decode must be called on a built layer.*encode"):
            make().decode(codes)


@pytest.mark.slow
def test_encode_builds_the_layer_inside_of_a_traced_function(make):
    layer, x = make(), normal((2, 3, DIM))
    codes = tf.function(layer.encode)(tf.constant(x))
    np.testing.assert_array_equal(codes, layer.encode(x))


@pytest.mark.parametrize("method", ["encode", "decode"])
def test_a_symbolic_tensor_is_refused_with_the_way_out(make, method):
    with pytest.raises(ValueError, match="return_codes=True"):
        getattr(make(), method)(keras.Input((3, DIM)))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "mixed_float16", "mixed_bfloat16"])
def test_half_precision_keeps_state_and_arithmetic_in_float32(make, dtype):
    layer, plain = make(dtype=dtype), make()
    # exact in both half precisions; squares and exponentials of these overflow float16
    x = np.round(normal((4, 5, DIM)) * 4) * 64
    for each in (layer, plain):
        each.build(x.shape)
    plain.set_weights(layer.get_weights())
    for training in (True, False):
        embedding = layer(tf.cast(x, layer.compute_dtype), training=training)
        plain(x, training=training)
        assert embedding.dtype == layer.compute_dtype
        assert np.isfinite(np.asarray(embedding, "float32")).all()
        assert_same(measured(plain), measured(layer), rtol=1e-6)
        np.testing.assert_array_equal(layer.losses, plain.losses)
        assert np.isfinite(layer.losses).all()
    assert {weight.dtype for weight in layer.weights} <= {"float32", "int32"}
    assert_same(state(plain), state(layer), rtol=1e-6)


def numbers_of_a_vector(layer, term):
    """How many numbers of one vector a term averages."""
    if term == "saturation_loss":
        return layer.num_heads * len(layer.levels)
    of_each_head = term in ("commitment_loss", "codebook_loss", "entropy_loss")
    return getattr(layer, "num_heads", 1) if of_each_head else 1


def test_metrics_count_on_where_half_precision_has_no_more_whole_numbers(make):
    layer = make(dtype="mixed_float16")
    layer.build((None, DIM))
    layer.usage.counts.assign(np.full(layer.usage.counts.shape, 4096.0))  # the next float16 is 4100
    for mean in layer._terms.values():
        mean.weights.assign(np.full(mean.weights.shape, 4096.0))
    layer(tf.ones((1, DIM), layer.compute_dtype), training=True)
    counts = layer.usage.counts.numpy() - 4096
    codes = layer.encode(np.ones((1, DIM), "float32"))
    per_head = np.size(layer.counted_codes(codes)) // layer.usage.num_heads  # 2 in a shared codebook
    np.testing.assert_array_equal(counts.sum(axis=-1), np.full(layer.usage.num_heads, per_head))
    for name, mean in layer._terms.items():
        assert float(mean.weights[1]) == 4096 + numbers_of_a_vector(layer, name), name


@pytest.mark.slow
@pytest.mark.parametrize("training", [True, False])
def test_masked_positions_change_nothing(make_exact, training):
    """With a mask over garbage a layer becomes what it becomes of the real positions alone."""
    masked, packed = pair(make_exact)
    for step in range(4):
        x, mask = normal((3, 8, DIM), seed=step), np.random.default_rng(step).random((3, 8)) < 0.6
        filled = np.where(mask[..., None], x, 1e3 * normal(x.shape, seed=100 + step))
        masked(filled, mask=mask, training=training)
        packed(x[mask][None], training=training)
        # sums of the same 15 rows in another order
        np.testing.assert_allclose(added(masked), added(packed), rtol=1e-5)
    assert_same(measured(packed), measured(masked), rtol=1e-5)
    assert_same(state(packed), state(masked), rtol=1e-5, atol=1e-6)


def test_a_mask_from_upstream_arrives_and_is_handed_on(make):
    ids = np.array([[2, 1, 3, 0, 0], [1, 2, 3, 1, 2]])
    spread = keras.initializers.RandomNormal(stddev=1.0, seed=0)
    embedding = keras.layers.Embedding(4, DIM, mask_zero=True, embeddings_initializer=spread)
    layer, explicit = pair(make)
    x = embedding(ids)
    np.testing.assert_array_equal(layer(x, training=False)._keras_mask, ids != 0)
    explicit(np.asarray(x), mask=ids != 0, training=False)
    assert_same(measured(explicit), measured(layer), rtol=1e-6)
    explicit(np.asarray(x), training=False)
    assert measured(explicit) != measured(layer)


def test_a_weight_of_two_is_the_example_twice_and_zero_is_none(make_exact):
    # the k-means start and the revival draw rows, of which the weighted batch has fewer
    weighted, repeated = pair(make_exact, kmeans_samples=0, revival_threshold=0.0)
    times = np.array([2, 0, 1, 3])
    for step in range(3):
        x = normal((4, 5, DIM), seed=step)
        weighted(x, sample_weight=times.astype("float32"), training=True)
        repeated(np.repeat(x, times, axis=0), training=True)
        np.testing.assert_allclose(added(weighted), added(repeated), rtol=1e-5)
    assert_same(measured(repeated), measured(weighted), rtol=1e-5)
    assert_same(state(repeated), state(weighted), rtol=1e-5, atol=1e-6)


def test_a_frozen_layer_stands_still(make):
    layer = trained(make(), steps=2)
    layer.trainable = False
    before = state(layer)
    trained(layer, steps=2)
    assert_same(before, state(layer), rtol=0)
    assert layer.trainable_variables == []
    layer.trainable = True
    trained(layer, steps=2)
    stateful = isinstance(layer, VectorQuantizer) or layer.get_config().get("temperature") == SCHEDULE
    assert not stateful or any((before[name] != value).any() for name, value in state(layer).items())


def test_config_round_trip(make):
    layer = make(name="bottom")
    config = json.loads(json.dumps(layer.get_config()))
    copy = type(layer).from_config(config)
    assert copy.get_config() == layer.get_config()
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


@pytest.fixture(scope="module")
def fitted():
    """One stock `fit` of a user's own model with four bottlenecks."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((DIM,))
    layers = {
        "": VectorQuantizer(8, kmeans_samples=0, seed=0),
        "top_": VectorQuantizer(4, kmeans_samples=0, seed=1, name="top"),
        "kind_": GumbelOneHot(kl_weight=0.1, seed=2, name="kind"),
        "bits_": BinaryBottleneck(entropy_weight=0.1, seed=3, name="bits"),
    }
    maps = {name: keras.layers.Dense(DIM) for name in layers}
    embeddings = [layers[name](maps[name](inputs)) for name in layers]
    outputs = keras.layers.Dense(DIM)(keras.layers.Concatenate()(embeddings))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(1e-2), "mse", jit_compile=False)
    x, held_out = normal((40, DIM)), normal((24, DIM), seed=1)
    history = model.fit(x, x, validation_data=(held_out, held_out), batch_size=8, epochs=2, verbose=0)
    features = {name: np.asarray(maps[name](held_out)) for name in layers}
    return model, layers, features, held_out, {name: values[-1] for name, values in history.history.items()}


@pytest.mark.slow
def test_history_of_a_stock_fit_has_the_metrics_of_each_layer_by_its_name(fitted):
    history = fitted[-1]
    expected = {
        *("usage", "perplexity", "commitment_loss"),
        *("top_usage", "top_perplexity", "top_commitment_loss"),
        *("kind_usage", "kind_perplexity", "kind_kl_loss"),
        *("bits_usage", "bits_perplexity", "bits_kl_loss"),
    }
    assert {f"val_{name}" for name in expected} <= history.keys()
    assert {name for name in history if not name.startswith("val_")} == {*expected, "loss"}
    assert all(isinstance(value, float) and np.isfinite(value) for value in history.values())


def test_values_of_the_history_are_those_of_the_whole_validation_set(fitted):
    _, layers, features, _, history = fitted
    for prefix in ("", "top_"):
        layer, rows = layers[prefix], features[prefix]
        codes = np.asarray(layer.encode(rows))
        share = np.bincount(codes, minlength=layer.num_embeddings) / len(codes)
        entropy = -np.sum(share[share > 0] * np.log(share[share > 0]))
        assert history[f"val_{prefix}usage"] == pytest.approx(np.mean(share > 0), abs=1e-6)
        assert history[f"val_{prefix}perplexity"] == pytest.approx(np.exp(entropy), rel=1e-5)
        squared = np.mean((rows - np.asarray(layer.decode(codes))) ** 2)
        assert history[f"val_{prefix}commitment_loss"] == pytest.approx(squared, rel=1e-4)


def test_the_loss_is_the_task_and_what_the_layers_add(fitted):
    model, layers, features, x, history = fitted
    probability = 1 / (1 + np.exp(-features["bits_"].astype("float64")))
    entropy = -(probability * np.log(probability) + (1 - probability) * np.log(1 - probability))
    expected = np.mean((np.asarray(model(x)) - x) ** 2) + 0.1 * entropy.sum(axis=1).mean()
    expected += 0.25 * (history["val_commitment_loss"] + history["val_top_commitment_loss"])
    expected += 0.1 * history["val_kind_kl_loss"]
    assert history["val_loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name, prefix", [(None, ""), ("vector_quantizer_7", ""), ("speech", "speech_")])
def test_only_a_name_of_its_own_prefixes_the_metrics(name, prefix):
    layer = VectorQuantizer(8, name=name)
    names = {metric.name for metric in layer.metrics}
    assert names == {f"{prefix}{metric}" for metric in ("usage", "perplexity", "commitment_loss")}


@pytest.mark.parametrize(
    "options, message",
    [
        ({"num_embeddings": 0}, "num_embeddings must be at least 1"),
        ({"num_heads": 0}, "num_heads must be at least 1"),
        ({"ema_decay": 1.0}, "ema_decay must be in"),
        ({"distance": "manhattan"}, "'euclidean' or 'cosine'"),
        ({"kmeans_samples": 7}, "kmeans_samples must be at least one per code"),
    ],
    ids=str,
)
def test_wrong_arguments_of_the_quantizer_are_named(options, message):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        VectorQuantizer(**{"num_embeddings": 8, **options})


def test_a_last_axis_that_the_heads_do_not_divide_is_named():
    with pytest.raises(ValueError, match="num_heads=4.*Received"):
        VectorQuantizer(8, num_heads=4)(normal((2, 6)))


def test_margins_are_the_relative_gap_of_the_best_two(make):
    layer, x = trained(make()), normal((3, 5, DIM), seed=7)
    margin = np.asarray(layer.margin(x))
    assert margin.shape == tuple(layer.encode(x).shape)
    if isinstance(layer, VectorQuantizer):
        mapped = np.asarray(layer.map_in(x)) if layer.codebook_dim else x
        heads, table = mapped.reshape(15, layer.num_heads, -1), np.asarray(layer.table.code_vectors())
        if layer.distance == "cosine":
            heads = heads / np.linalg.norm(heads, axis=-1, keepdims=True)
        squared = np.sort(((heads[:, :, None] - table) ** 2).sum(axis=-1), axis=-1)
        expected = ((squared[..., 1] - squared[..., 0]) / squared[..., 1]).reshape(margin.shape)
    elif isinstance(layer, GumbelOneHot):
        best = np.sort(x.reshape(3, 5, layer.num_groups, -1), axis=-1)[..., :-3:-1]
        expected = ((best[..., 0] - best[..., 1]) / np.abs(best).max(axis=-1)).reshape(margin.shape)
    elif isinstance(layer, BinaryBottleneck):
        expected = np.abs(x) / np.abs(x).max(axis=-1, keepdims=True)
    else:
        return  # the others have tests of their own
    np.testing.assert_allclose(margin, expected, rtol=1e-4, atol=1e-5)
