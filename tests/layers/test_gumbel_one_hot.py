import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import GumbelOneHot

LOGITS = np.log([0.5, 0.25, 0.15, 0.1]).astype("float32")
SAMPLES = 20_000


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(x):
    exponents = np.exp(x - x.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def repeated(logits=LOGITS):
    return np.tile(logits, (SAMPLES, 1))


def with_noise(layer, noise, monkeypatch):
    monkeypatch.setattr(layer, "_gumbel", lambda shape: tf.constant(noise, "float32"))
    return layer


@pytest.mark.parametrize("temperature", [0.3, 2.0])
def test_classes_are_drawn_with_the_probabilities_of_the_softmax(temperature):
    layer = GumbelOneHot(temperature=temperature, seed=0)
    embedding, codes = layer(repeated(), training=True, return_codes=True)
    counts = np.bincount(codes, minlength=4)
    expected = SAMPLES * softmax(LOGITS)
    # chi square of 3 degrees of freedom passes 16.3 once in a thousand
    assert np.sum((counts - expected) ** 2 / expected) < 16.3
    np.testing.assert_allclose(np.sum(embedding, axis=0), counts, rtol=1e-4)


def test_noise_has_the_moments_of_the_gumbel_distribution():
    noise = np.asarray(GumbelOneHot(seed=0)._gumbel((100_000,)))
    assert np.isfinite(noise).all()
    # five standard errors: 1.28 / sqrt(n) of the mean, and of the variance 1.64 * sqrt(4.4 / n)
    assert np.mean(noise) == pytest.approx(np.euler_gamma, abs=0.02)
    assert np.var(noise) == pytest.approx(np.pi**2 / 6, abs=0.06)


@pytest.mark.parametrize("temperature", [0.5, 1.5])
def test_soft_samples_follow_the_relaxed_one_hot_categorical(temperature):
    """`log(y_i / y_j) = (l_i - l_j + s) / temperature`, where `s`, a difference of Gumbels, is logistic."""
    layer = GumbelOneHot(temperature=temperature, straight_through=False, seed=0)
    ours = np.asarray(layer(repeated(), training=True), "float64")
    np.testing.assert_allclose(ours.sum(axis=1), 1.0, rtol=1e-5)
    logs = np.log(np.maximum(ours, 1e-30))
    for i, j in itertools.combinations(range(4), 2):
        s = np.sort(temperature * (logs[:, i] - logs[:, j]) - (LOGITS[i] - LOGITS[j]))
        inside = np.abs(s) < 10  # beyond, a component may be rounded to 0
        distance = np.abs(1 / (1 + np.exp(-s)) - (np.arange(SAMPLES) + 0.5) / SAMPLES)[inside].max()
        # Kolmogorov and Smirnov: 1.95 / sqrt(n) is passed once in a thousand
        assert distance < 1.95 / np.sqrt(SAMPLES)


@pytest.mark.parametrize("straight_through", [True, False])
def test_training_forward_and_its_gradient_are_those_of_the_softmax(straight_through, monkeypatch):
    x, noise, weight = normal((5, 4)), normal((5, 4), seed=1), normal((5, 4), seed=2)
    layer = GumbelOneHot(temperature=0.7, straight_through=straight_through)
    layer, inputs = with_noise(layer, noise, monkeypatch), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        embedding, codes = layer(inputs, training=True, return_codes=True)
        loss = tf.reduce_sum(weight * embedding)
    soft = softmax((x + noise).astype("float64") / 0.7)
    hard = np.eye(4)[np.argmax(x + noise, axis=1)]
    np.testing.assert_array_equal(codes, np.argmax(x + noise, axis=1))
    np.testing.assert_allclose(embedding, hard if straight_through else soft, atol=1e-6)
    # the Jacobian of the softmax is symmetric: diag(y) - y y^T
    expected = soft * (weight - (weight * soft).sum(axis=1, keepdims=True)) / 0.7
    np.testing.assert_allclose(tape.gradient(loss, inputs), expected, atol=1e-6)


@pytest.mark.parametrize("straight_through", [True, False])
def test_inference_is_the_one_hot_of_the_largest_logit(straight_through):
    layer, x = GumbelOneHot(straight_through=straight_through), normal((3, 5, 4))
    for training in (False, None):
        np.testing.assert_array_equal(layer(x, training=training), np.eye(4)[np.argmax(x, axis=-1)])
    assert layer(x).shape == (3, 5, 4)
    assert layer.encode(x).shape == (3, 5)


def test_divergence_and_code_metrics_are_those_of_the_logits(tfd):
    layer, x = GumbelOneHot(kl_weight=0.3, seed=0), 2 * normal((3, 5, 4))
    uniform = tfd.OneHotCategorical(logits=np.zeros(4, "float32"))
    expected = np.mean(tfd.kl_divergence(tfd.OneHotCategorical(logits=x), uniform))
    share = np.bincount(np.argmax(x, axis=-1).ravel(), minlength=4) / 15
    for training in (True, False):
        for metric in layer.metrics:
            metric.reset_state()
        layer(x, training=training)
        values = {metric.name: float(metric.result()) for metric in layer.metrics}
        assert values["kl_loss"] == pytest.approx(expected, rel=1e-5)
        assert values["usage"] == np.mean(share > 0)
        assert values["perplexity"] == pytest.approx(np.exp(-np.sum(share * np.log(share))), rel=1e-5)
        np.testing.assert_allclose(layer.losses, [0.3 * expected], rtol=1e-5)


def test_without_weight_the_divergence_is_measured_but_not_trained():
    layer = GumbelOneHot(seed=0)
    layer(normal((5, 4)), training=True)
    assert layer.losses == []
    assert float(layer._terms["kl_loss"].result()) > 0


def annealed(**options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((4,))
    layer = GumbelOneHot(seed=0, **options)
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(keras.layers.Dense(3)(inputs))))
    model.compile(keras.optimizers.SGD(0.1), "mse", jit_compile=False)
    return model, layer


@pytest.mark.slow
def test_a_stock_fit_anneals_by_a_schedule_and_a_reload_goes_on(tmp_path):
    schedule = keras.optimizers.schedules.ExponentialDecay(2.0, 4, 0.5)
    model, layer = annealed(temperature=schedule)
    data = {"x": normal((12, 4)), "y": normal((12, 1), seed=1), "batch_size": 4, "verbose": 0}
    assert float(layer.temperature) == 2.0
    model.fit(**data, epochs=2)
    assert int(layer.annealing.step) == 6
    # the sixth step, of number 5, was the last
    assert float(layer.temperature) == pytest.approx(2.0 * 0.5 ** (5 / 4), rel=1e-6)
    model.evaluate(data["x"], data["y"], verbose=0)
    model.predict(data["x"], verbose=0)
    assert int(layer.annealing.step) == 6

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    copy = loaded.layers[2]
    assert float(copy.temperature) == float(layer.temperature)
    loaded.fit(**data)
    assert int(copy.annealing.step) == 9
    assert float(copy.temperature) == pytest.approx(2.0 * 0.5 ** (8 / 4), rel=1e-6)


def test_the_temperature_of_a_step_is_that_of_the_schedule(monkeypatch):
    schedule = keras.optimizers.schedules.PolynomialDecay(2.0, 4, 0.5)
    layer = GumbelOneHot(temperature=schedule, straight_through=False)
    with_noise(layer, np.zeros(4), monkeypatch)
    step = tf.function(lambda x: layer(x, training=True))
    for temperature in (2.0, 1.625, 1.25, 0.875, 0.5, 0.5):
        np.testing.assert_allclose(step(LOGITS[None]), softmax(LOGITS[None] / temperature), rtol=1e-5)


def test_a_callback_assigns_the_temperature_of_a_running_fit():
    model, layer = annealed(temperature=1.0)
    seen = []

    class Halve(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            layer.temperature.assign(0.5**epoch)

        def on_epoch_end(self, epoch, logs=None):
            seen.append(float(layer.temperature))

    model.fit(normal((8, 4)), normal((8, 1)), epochs=3, batch_size=4, verbose=0, callbacks=[Halve()])
    assert seen == [1.0, 0.5, 0.25]


def test_a_traced_step_sees_the_assigned_temperature(monkeypatch):
    layer = with_noise(GumbelOneHot(straight_through=False), np.zeros(4), monkeypatch)
    step = tf.function(lambda x: layer(x, training=True))
    for temperature in (1.0, 0.25):
        layer.temperature.assign(temperature)
        np.testing.assert_allclose(step(LOGITS[None]), softmax(LOGITS[None] / temperature), rtol=1e-5)


def test_a_seed_gives_the_same_samples_and_calls_differ():
    first, second = GumbelOneHot(seed=3), GumbelOneHot(seed=3)
    samples = [np.asarray(layer(repeated(), training=True)) for layer in (first, second, first)]
    np.testing.assert_array_equal(samples[0], samples[1])
    assert (samples[0] != samples[2]).any()


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16"])
def test_half_precision_samples_stay_finite_at_a_low_temperature(dtype):
    layer = GumbelOneHot(temperature=0.01, kl_weight=1.0, dtype=dtype, seed=0)
    x = tf.constant([[6e4, -6e4, 0.0], [0.0, 0.0, 0.0]], "float16")
    with tf.GradientTape() as tape:
        tape.watch(x)
        embedding = layer(x, training=True)
        loss = tf.reduce_sum(tf.cast(embedding, "float32") ** 2) + tf.add_n(layer.losses)
    assert embedding.dtype == "float16"
    np.testing.assert_array_equal(np.sum(embedding, axis=1), [1, 1])
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, x)).all()


def test_a_frozen_layer_keeps_its_temperature():
    layer = GumbelOneHot(temperature=keras.optimizers.schedules.ExponentialDecay(2.0, 1, 0.5), seed=0)
    layer(LOGITS[None], training=True)
    layer(LOGITS[None], training=True)
    layer.trainable = False
    layer(LOGITS[None], training=True)
    assert (int(layer.annealing.step), float(layer.temperature)) == (2, 1.0)


def test_a_temperature_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match="temperature must be a positive number.*Received: temperature=0.0"):
        GumbelOneHot(temperature=0.0)


@pytest.mark.slow
def test_it_learns_a_class_for_each_cluster():
    """As a bottleneck: three clusters, eight classes, a decoder that sees the class alone."""
    keras.utils.set_random_seed(0)
    means = 3 * np.array([[1, 0], [-0.5, 0.9], [-0.5, -0.9]], "float32")
    kinds = np.random.default_rng(0).integers(0, 3, 3200)
    x = means[kinds] + 0.2 * normal((3200, 2), seed=1)
    inputs = keras.Input((2,))
    layer = GumbelOneHot(temperature=0.8, seed=0)
    logits = keras.layers.Dense(8)(keras.layers.Dense(16, "relu")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(logits)))
    model.compile(keras.optimizers.Adam(5e-2), "mse", jit_compile=False)
    model.fit(x, x, batch_size=32, verbose=0)
    result = model.evaluate(x, x, verbose=0, return_dict=True)
    assert result["loss"] < 0.06  # the noise has a variance of 0.04, the clusters one of 4
    assert result["usage"] == 3 / 8


def test_groups_are_independent_variables_side_by_side(tfd):
    layer, x = GumbelOneHot(num_groups=3, kl_weight=0.5, seed=0), 2 * normal((2, 5, 12))
    embedding, codes = layer(x, return_codes=True)
    groups = x.reshape(2, 5, 3, 4)
    np.testing.assert_array_equal(codes, np.argmax(groups, axis=-1))
    np.testing.assert_array_equal(embedding, np.eye(4)[np.argmax(groups, axis=-1)].reshape(x.shape))
    uniform = tfd.Categorical(np.zeros(4, "float32"))
    expected = np.mean(np.sum(tfd.kl_divergence(tfd.Categorical(logits=groups), uniform), axis=-1))
    np.testing.assert_allclose(layer.losses, [0.5 * expected], rtol=1e-5)
    chosen = np.argmax(groups, axis=-1).reshape(10, 3)
    counts = np.stack([np.bincount(column, minlength=4) for column in chosen.T])
    np.testing.assert_array_equal(layer.usage.counts, counts)
    noisy, drawn = layer(x, training=True, return_codes=True)
    assert drawn.shape == (2, 5, 3)
    np.testing.assert_allclose(noisy, layer.decode(drawn), atol=1e-6)


@pytest.mark.parametrize("estimator", ["softmax", "reinmax"])
def test_gradients_of_drawn_classes(estimator, monkeypatch):
    x, noise, weight = normal((5, 4)), normal((5, 4), seed=1), normal((5, 4), seed=2)
    layer = with_noise(GumbelOneHot(estimator=estimator, temperature=0.7), noise, monkeypatch)
    inputs = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        embedding = layer(inputs, training=True)
        loss = tf.reduce_sum(weight * embedding)
    hard = np.eye(4)[np.argmax(x + noise, axis=1)]
    np.testing.assert_allclose(embedding, hard, atol=1e-6)

    def through(y):  # the gradient of weight . softmax at the value y
        return y * (weight - (weight * y).sum(axis=1, keepdims=True))

    soft = softmax(x.astype("float64") / 0.7)
    expected = through(soft) / 0.7
    if estimator == "reinmax":  # equation 8 of the paper
        expected = 2 * through((hard + soft) / 2) - 0.5 * through(softmax(x.astype("float64")))
    np.testing.assert_allclose(tape.gradient(loss, inputs), expected, atol=1e-6)


def test_reinmax_is_exact_for_quadratic_costs_and_the_softmax_is_not():
    """Second order: the mean gradient of a quadratic cost is that of the sum over all classes."""
    values = np.array([1.0, -2.0, 0.5, 3.0], "float32")
    p = softmax(LOGITS.astype("float64"))
    exact = p * (values**2 - p @ values**2)
    means = {}
    for estimator in ("softmax", "reinmax"):
        layer, inputs = GumbelOneHot(estimator=estimator, seed=0), tf.constant(repeated())
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            loss = tf.reduce_sum(tf.square(tf.reduce_sum(values * layer(inputs, training=True), axis=-1)))
        gradient = tape.gradient(loss, inputs).numpy()
        means[estimator] = gradient.mean(axis=0)
        error = 4.5 * gradient.std(axis=0) / np.sqrt(SAMPLES)
    assert (np.abs(means["reinmax"] - exact) < error).all()
    assert np.abs(means["softmax"] - exact).max() > 2 * error.max()


@pytest.mark.slow
def test_a_learned_prior_finds_the_classes_that_occur():
    x = np.tile(np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]).reshape(1, 6), (8, 1)).astype("float32")
    layer = GumbelOneHot(num_groups=2, prior="learned", kl_weight=1.0, seed=0)
    model = keras.Sequential([keras.Input((6,)), layer])
    optimizer = keras.optimizers.Adam(0.1)
    for _ in range(150):
        with tf.GradientTape() as tape:
            model(x, training=True)
            loss = tf.add_n(layer.losses)
        optimizer.apply(tape.gradient(loss, layer.trainable_variables), layer.trainable_variables)
    assert [variable.name for variable in layer.trainable_variables] == ["prior_logits"]
    np.testing.assert_allclose(softmax(layer.prior_logits.numpy()), np.exp(x[0]).reshape(2, 3), atol=1e-2)
    assert float(loss) < 1e-3
    codes = layer.draw_prior((4000,)).numpy()
    shares = np.stack([np.bincount(column, minlength=3) for column in codes.T]) / 4000
    np.testing.assert_allclose(shares, np.exp(x[0]).reshape(2, 3), atol=0.045)  # 4.5 errors and 1e-2


def test_probabilities_of_codes_sum_to_one():
    layer, x = GumbelOneHot(num_groups=2, seed=0), normal((3, 6))
    layer.build(x.shape)
    codes = np.array([[a, b] for a in range(3) for b in range(3)])
    every = np.stack([layer.log_prob(x, np.tile(code, (3, 1))) for code in codes])
    np.testing.assert_allclose(np.exp(every).sum(axis=0), 1, rtol=1e-5)
    assert float(layer.prior_log_prob(codes)[0]) == pytest.approx(-2 * np.log(3), rel=1e-5)
    drawn = layer.draw(np.tile(x[:1], (SAMPLES, 1))).numpy()
    shares = np.bincount(drawn[:, 0] * 3 + drawn[:, 1], minlength=9) / SAMPLES
    np.testing.assert_allclose(shares, np.exp(every[:, 0]), atol=4.5 * 0.5 / np.sqrt(SAMPLES))


def test_free_bits_cost_nothing():
    x = np.array([[10.0, -10.0], [0.0, 0.0]], "float32")  # 1 bit and none
    for free, expected in ((0.4, 0.6 / 2), (1.0, 0.0)):
        layer = GumbelOneHot(kl_weight=1.0, free_bits=free)
        layer(x)
        np.testing.assert_allclose(layer.losses, [expected * np.log(2)], atol=1e-6)
        assert float(layer._terms["kl_loss"].result()) == pytest.approx(0.5 * np.log(2), rel=1e-5)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"estimator": "rebar"}, "estimator must be one of"),
        ({"estimator": "softmax", "straight_through": False}, "no soft samples"),
        ({"prior": "flat"}, "'uniform' or 'learned'"),
        ({"free_bits": -1}, "free_bits must be"),
        ({"num_groups": 0}, "num_groups must be at least 1"),
    ],
    ids=str,
)
def test_impossible_settings_are_named(options, message):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        GumbelOneHot(**options)


def test_groups_that_do_not_divide_the_logits_are_named():
    with pytest.raises(
        ValueError, match="the number of logits must be a multiple of num_groups.*Received: 5 logits"
    ):
        GumbelOneHot(num_groups=2).build((None, 5))
