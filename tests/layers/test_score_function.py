import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import ScoreFunction

BITS = 4
ALL = np.array(list(itertools.product([0, 1], repeat=BITS)), "float32")
COSTS = (6 + 2 * np.random.default_rng(0).normal(size=2**BITS)).astype("float32")  # of each code
LOGITS = np.array([0.5, -0.3, 0.1, -0.8], "float32")
NUMBERS = 2 ** np.arange(BITS - 1, -1, -1)


def exact(logits=LOGITS):
    """Gradient of the expected cost by the sum over all codes, in float64."""
    p = 1 / (1 + np.exp(-logits.astype("float64")))
    q = np.prod(np.where(ALL == 1, p, 1 - p), axis=1)
    return (q * COSTS) @ (ALL - p)  # d log q = bits - p


def draw(samples, batch, seed=0):
    """Codes `(samples, batch, bits)` and their costs."""
    uniform = np.random.default_rng(seed).random((samples, batch, BITS))
    bits = (uniform < 1 / (1 + np.exp(-LOGITS))).astype("float32")
    return bits, COSTS[(bits @ NUMBERS).astype(int)]


def gradients(layer, bits, costs, **given):
    """Estimate of each example, `(batch, bits)`."""
    logits = tf.Variable(np.tile(LOGITS, (bits.shape[1], 1)))
    with tf.GradientTape() as tape:
        log_probs = tf.reduce_sum(bits * logits - tf.nn.softplus(logits), axis=-1)
        surrogate = layer(costs, log_probs, **given)
        loss = tf.reduce_sum(tf.reduce_mean(surrogate, axis=0))
    np.testing.assert_array_equal(surrogate, costs)
    return tape.gradient(loss, logits).numpy()


def settled(baseline):
    """The layer, after it has seen the mean of the costs where it learns from them."""
    layer, given = ScoreFunction(baseline, decay=0.9), {}
    if baseline == "self_critical":
        given["greedy_losses"] = np.full(20_000, COSTS[(LOGITS > 0) @ NUMBERS])
    if baseline == "moving_average":
        for step in range(5):
            bits, costs = draw(2, 50, seed=10 + step)
            layer(costs, np.zeros_like(costs), training=True)
    if baseline == "learned":
        given["features"] = np.ones((20_000, 3), "float32")
        layer.build_baseline((None, 3))
        layer.network.layers[-1].bias.assign([6.0])
    return layer, given


@pytest.mark.parametrize(
    "baseline", [None, "leave_one_out", "self_critical", "moving_average", "learned"], ids=str
)
def test_estimate_is_unbiased_and_a_baseline_lowers_its_variance(baseline):
    batch = 20_000
    layer, given = settled(baseline)
    bits, costs = draw(4, batch)
    drawn = gradients(layer, bits, costs, **given)
    errors = drawn.std(axis=0) / np.sqrt(batch)
    assert (np.abs(drawn.mean(axis=0) - exact()) < 4.5 * errors).all()
    plain = gradients(ScoreFunction(None), bits, costs)
    if baseline is not None:
        assert drawn.var(axis=0).sum() < 0.8 * plain.var(axis=0).sum()


def test_leave_one_out_is_the_mean_of_the_others():
    bits, costs = draw(3, 2)
    drawn = gradients(ScoreFunction(), bits, costs)
    others = np.stack([np.delete(costs, s, axis=0).mean(axis=0) for s in range(3)])
    scores = bits - 1 / (1 + np.exp(-LOGITS))
    np.testing.assert_allclose(
        drawn, ((costs - others)[..., None] * scores).mean(axis=0), rtol=1e-4, atol=1e-5
    )


def test_the_moving_average_is_that_of_the_past_batches():
    layer = ScoreFunction("moving_average", decay=0.5)
    seen = []
    for cost in (4.0, 8.0, 2.0):
        bits = np.ones((1, 2, BITS), "float32")
        scores = 1 - 1 / (1 + np.exp(-LOGITS))
        drawn = gradients(layer, bits, np.full((1, 2), cost, "float32"), training=True)
        weights = 0.5 ** np.arange(len(seen), 0, -1)
        baseline = np.average(seen, weights=weights) if seen else 0.0
        np.testing.assert_allclose(drawn[0], (cost - baseline) * scores, rtol=1e-5)
        seen.append(cost)
    layer.trainable = False
    layer(np.full((1, 2), 100.0), np.zeros((1, 2)), training=True)
    layer.trainable = True
    layer(np.full((1, 2), 100.0), np.zeros((1, 2)), training=False)
    assert float(layer.mean / layer.mass) == pytest.approx(np.average(seen, weights=[1, 2, 4]))


def test_a_learned_baseline_learns_the_loss_of_each_example():
    keras.utils.set_random_seed(0)
    layer, optimizer = ScoreFunction("learned", units=8), keras.optimizers.Adam(0.05)
    features = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    losses = 5 + features[:, 0] - 2 * features[:, 1]

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            layer(losses, tf.zeros(64), features=features)
            error = tf.add_n(layer.losses)
        layer._clear_losses()
        variables = layer.trainable_variables
        optimizer.apply(tape.gradient(error, variables), variables)
        return error

    layer.build_baseline(features.shape)
    optimizer.build(layer.trainable_variables)
    first = float(step())
    for _ in range(150):
        last = float(step())
    assert first > 20
    assert last < 0.5


def test_losses_of_one_sample_and_their_own_gradient():
    """What the loss itself depends on is trained along."""
    weight = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        surrogate = ScoreFunction(None)(weight * tf.ones(3), tf.zeros(3))
        loss = tf.reduce_sum(surrogate)
    assert float(tape.gradient(loss, weight)) == 3


@pytest.mark.parametrize(
    "layer, shape, message",
    [
        (lambda: ScoreFunction("best"), (2, 3), "baseline must be one of"),
        (lambda: ScoreFunction("moving_average", decay=1.0), (2, 3), r"decay must be in \[0, 1\)"),
        (lambda: ScoreFunction(), (3,), "at least 2 samples"),
        (lambda: ScoreFunction(), (1, 3), "at least 2 samples"),
        (lambda: ScoreFunction("self_critical"), (2, 3), "greedy_losses must be passed"),
        (lambda: ScoreFunction("learned"), (2, 3), "features must be passed"),
    ],
)
def test_what_is_missing_is_named(layer, shape, message):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        layer()(np.zeros(shape, "float32"), np.zeros(shape, "float32"))


def test_config_comes_back():
    layer = ScoreFunction("moving_average", decay=0.5, units=3)
    assert ScoreFunction.from_config(layer.get_config()).get_config() == layer.get_config()
