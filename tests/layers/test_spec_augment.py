"""What SpecAugment hides: how much, where, how often."""

import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import SpecAugment
from keras_ae.ops import core

BATCH, FRAMES, CHANNELS = 2000, 30, 8


def hidden(layer, mask=None, batch=BATCH):
    x = np.ones((batch, FRAMES, CHANNELS), "float32")
    return layer(x, mask=mask, training=True).numpy() == 0


def spans(flags):
    """Number of runs of true values, and of true values, of every row."""
    starts = np.diff(np.pad(flags, ((0, 0), (1, 0))).astype(int), axis=1) == 1
    return starts.sum(axis=1), flags.sum(axis=1)


def only_time(width, count=1, fraction=1.0, seed=0):
    return SpecAugment(count, width, 0, 0, time_fraction=fraction, seed=seed)


def test_one_time_mask_has_a_uniform_width_and_start():
    gone = hidden(only_time(4))
    times = gone.all(axis=-1)
    np.testing.assert_array_equal(gone.any(axis=-1), times)  # whole frames
    runs, widths = spans(times)
    assert (runs == (widths > 0)).all()
    counts = np.bincount(widths, minlength=5)
    expected = BATCH / 5
    assert len(counts) == 5 and (np.abs(counts - expected) < 4 * np.sqrt(expected)).all()
    starts = times.argmax(axis=1)[widths == 4]
    assert set(starts) == set(range(FRAMES - 4 + 1))
    assert abs(starts.mean() - (FRAMES - 4) / 2) < 4 * 27 / np.sqrt(12 * len(starts))


def test_one_frequency_mask_likewise():
    gone = hidden(SpecAugment(0, 0, 1, 3, seed=1))
    bands = gone.all(axis=1)
    np.testing.assert_array_equal(gone.any(axis=1), bands)
    runs, widths = spans(bands)
    counts = np.bincount(widths, minlength=4)
    assert (runs == (widths > 0)).all()
    assert len(counts) == 4 and (np.abs(counts - BATCH / 4) < 4 * np.sqrt(BATCH / 4)).all()
    assert set(bands.argmax(axis=1)[widths == 3]) == set(range(CHANNELS - 3 + 1))


def test_several_masks_unite():
    gone = hidden(SpecAugment(3, 5, 2, 2, time_fraction=1.0, seed=2))
    times, bands = gone.all(axis=2), gone.all(axis=1)
    np.testing.assert_array_equal(gone, times[:, :, None] | bands[:, None])
    assert spans(times)[0].max() == 3 and spans(bands)[0].max() == 2
    assert spans(times)[1].max() <= 15 and spans(bands)[1].max() <= 4


def test_examples_lose_a_share_of_their_real_frames_and_nothing_of_the_padding():
    lengths = np.random.default_rng(0).integers(0, FRAMES + 1, BATCH)
    mask = np.arange(FRAMES) < lengths[:, None]
    times = hidden(only_time(20, fraction=0.3, seed=3), mask=mask).all(axis=-1)
    assert not times[~mask].any()
    assert (times.sum(axis=1) <= np.floor(0.3 * lengths)).all()
    longest = times[lengths == FRAMES].sum(axis=1)
    assert longest.max() == 9


def test_the_widest_masks_hide_everything_at_the_most():
    gone = hidden(SpecAugment(1, 100, 1, 100, time_fraction=1.0, seed=4))
    assert gone.all(axis=(1, 2)).any()
    assert set(gone.all(axis=1).sum(axis=1)) <= set(range(CHANNELS + 1))


def test_inference_and_no_masks_change_nothing():
    x = np.random.default_rng(0).normal(size=(2, 9, 3)).astype("float32")
    np.testing.assert_array_equal(SpecAugment()(x), x)
    np.testing.assert_array_equal(SpecAugment(0, 0, 0, 0)(x, training=True), x)


def test_noise_is_seeded_new_at_every_call_and_other_on_every_replica(monkeypatch):
    first, again = SpecAugment(seed=6), SpecAugment(seed=6)
    one, two = hidden(first, batch=20), hidden(first, batch=20)
    np.testing.assert_array_equal(one, hidden(again, batch=20))
    assert (one != two).any() and (one[0] != one[1]).any()
    monkeypatch.setattr(core, "replica_number", lambda: 1)
    other = SpecAugment(seed=6)
    assert not any((hidden(other, batch=20) == drawn).all() for drawn in (one, two))


def test_hidden_values_have_no_gradient_even_where_they_are_not_finite():
    x = tf.constant(np.full((4, FRAMES, CHANNELS), np.nan), "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = SpecAugment(seed=7)(x, training=True)
    gradient = tape.gradient(y, x).numpy()
    np.testing.assert_array_equal(gradient == 0, y.numpy() == 0)


def test_compiles():
    x = tf.ones((3, FRAMES, CHANNELS))
    layer = SpecAugment(seed=8)
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    first, second = compiled(x).numpy(), compiled(x).numpy()
    assert set(np.unique(first)) == {0, 1} and (first != second).any()


@pytest.mark.slow
def test_exports(check_exports, frames_and_lengths):
    layer = SpecAugment()
    check_exports(lambda x, n: layer(x, mask=tf.sequence_mask(n, tf.shape(x)[1])), *frames_and_lengths)


def test_hands_the_mask_on_and_keeps_the_dtype():
    mask = np.arange(FRAMES) < np.array([[2], [FRAMES]])
    y = SpecAugment(dtype="mixed_float16")(tf.ones((2, FRAMES, 3)), mask=mask, training=True)
    np.testing.assert_array_equal(y._keras_mask, mask)
    assert y.dtype == "float16"


def test_round_trip(check_round_trip, tmp_path):
    layer = SpecAugment(1, 5, 3, 7, time_fraction=0.5, seed=1)
    check_round_trip(layer, np.ones((1, 5, 2), "float32"), path=tmp_path / "model.keras")


def test_settings_are_checked():
    with pytest.raises(ValueError, match=r"=\(2, -1, 2, 15\), time_fraction=0.2"):
        SpecAugment(time_width=-1)
