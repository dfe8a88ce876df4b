"""The distribution of the jitter, its bounds under a mask, its noise under replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import TimeJitter
from keras_ae.ops import core

BATCH, FRAMES = 400, 100


def jumps(layer, batch=BATCH, frames=FRAMES, mask=None):
    """`source - place` of every frame: `(batch, frames)`."""
    places = np.tile(np.arange(frames, dtype="float32"), (batch, 1))
    jittered = layer(places[..., None], mask=mask, training=True)
    return (jittered.numpy()[..., 0] - places).astype(int)


@pytest.mark.parametrize("p", [0.12, 0.3, 0.5])
def test_each_neighbour_has_its_probability(p):
    j = jumps(TimeJitter(p, seed=1))
    assert set(np.unique(j)) <= {-1, 0, 1}
    inner = j[:, 2:-2]
    rate = p - p**2 * (1 - 2 * p) / 2
    deviation = 4 * np.sqrt(p * (1 - p) / inner.size)  # 4 standard errors; neighbours hardly depend
    assert abs((inner == -1).mean() - rate) < deviation
    assert abs((inner == 1).mean() - rate) < deviation


def test_jumps_apart_from_triples_are_independent():
    p = 0.3
    j = jumps(TimeJitter(p, seed=2))[:, 2:-3]
    for gap in (3, 5):  # beyond a triple's reach on either side
        joint = np.mean((j[:, gap:] == 1) & (j[:, :-gap] == 1))
        assert abs(joint - (j == 1).mean() ** 2) < 4 * np.sqrt(0.09 * 0.91 / j.size)


@pytest.mark.parametrize("p", [0.12, 0.45])
def test_never_three_equal_frames_in_a_row(p):
    mask = np.arange(FRAMES) < np.random.default_rng(0).integers(1, FRAMES, (BATCH, 1))
    layer = TimeJitter(p, seed=3)
    for j in (jumps(layer), jumps(layer, mask=mask)):
        sources = j + np.arange(FRAMES)
        triples = (sources[:, 2:] == sources[:, 1:-1]) & (sources[:, 1:-1] == sources[:, :-2])
        assert not triples.any() and (sources[:, 1:] == sources[:, :-1]).any()


def test_nothing_crosses_the_end_of_the_real_frames():
    lengths = np.random.default_rng(0).integers(0, FRAMES + 1, BATCH)
    mask = np.arange(FRAMES) < lengths[:, None]
    j = jumps(TimeJitter(0.5, seed=4), mask=mask)
    sources = j + np.arange(FRAMES)
    assert (sources[mask] < np.repeat(lengths, lengths)).all() and (sources >= 0).all()
    np.testing.assert_array_equal(j[~mask], 0)
    assert (j[np.arange(BATCH)[lengths > 5], lengths[lengths > 5] - 1] == -1).any()


def test_inference_and_probability_zero_change_nothing():
    x = np.random.default_rng(0).normal(size=(2, 9, 3)).astype("float32")
    np.testing.assert_array_equal(TimeJitter(0.5)(x), x)
    np.testing.assert_array_equal(TimeJitter(0.0)(x, training=True), x)


def test_whole_frames_move_and_carry_their_gradient():
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 50, 3)), "float32")
    layer = TimeJitter(0.3, seed=5)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    sources = [
        [int(np.flatnonzero((row == frame).all(-1))[0]) for frame in out]
        for row, out in zip(x.numpy(), y.numpy(), strict=True)
    ]
    counts = np.stack([np.bincount(row, minlength=50) for row in sources])
    gradient = tf.convert_to_tensor(tape.gradient(y, x))
    np.testing.assert_array_equal(gradient, np.repeat(counts[..., None], 3, axis=-1))


def test_noise_is_seeded_new_at_every_call_and_other_on_every_replica(monkeypatch):
    first, again = TimeJitter(seed=6), TimeJitter(seed=6)
    one, two = jumps(first), jumps(first)
    np.testing.assert_array_equal(one, jumps(again))
    assert (one != two).any()
    monkeypatch.setattr(core, "replica_number", lambda: 1)
    other = TimeJitter(seed=6)
    assert not any((jumps(other) == drawn).all() for drawn in (one, two))


def test_compiles():
    layer = TimeJitter(0.3, seed=7)
    x = tf.tile(tf.range(20.0)[None, :, None], (50, 1, 1))
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    j = compiled(x).numpy() - x.numpy()
    assert set(np.unique(j)) == {-1, 0, 1} and (compiled(x).numpy() - x.numpy() != j).any()


@pytest.mark.slow
def test_exports(check_exports, frames_and_lengths):
    layer = TimeJitter()
    check_exports(lambda x, n: layer(x, mask=tf.sequence_mask(n, tf.shape(x)[1])), *frames_and_lengths)


def test_hands_the_mask_on_and_keeps_the_dtype():
    x = tf.ones((2, 5, 3), "float16")
    mask = np.arange(5) < np.array([[2], [5]])
    y = TimeJitter(dtype="mixed_float16")(x, mask=mask, training=True)
    np.testing.assert_array_equal(y._keras_mask, mask)
    assert y.dtype == "float16"


def test_symbolic_in_fit():
    model = keras.Sequential([keras.Input((None, 2)), TimeJitter(0.4, seed=0), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    history = model.fit(np.zeros((4, 6, 2)), np.ones((4, 6, 1)), verbose=0)
    np.testing.assert_allclose(history.history["loss"], 1.0)


def test_round_trip(check_round_trip, tmp_path):
    check_round_trip(TimeJitter(0.3, seed=1), np.ones((1, 5, 2), "float32"), path=tmp_path / "model.keras")


def test_a_probability_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"probability must be in \[0, 0.5\]. Received: probability=0.6"):
        TimeJitter(0.6)
