"""Statistics of the training frames, against numpy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_ae.layers import FrameNormalization, LogMelSpectrogram

LENGTHS = np.array([7, 3, 5, 7, 1, 4])


def frames():
    generator = np.random.default_rng(0)
    x = generator.normal([3.0, -200.0, 1000.0], [2.0, 50.0, 0.1], (6, 7, 3)).astype("float32")
    return x, np.arange(7) < LENGTHS[:, None]


def dirty(x, mask):
    return np.where(mask[..., None], x, np.nan)


def adapted(batches, **options):
    layer = FrameNormalization()
    layer.adapt(batches, **options)
    return layer


def test_statistics_are_those_of_the_real_frames():
    x, mask = frames()
    real = x[mask].astype("float64")
    spoilt = dirty(x, mask)
    forms = (
        [(spoilt, mask)],
        (spoilt, mask),
        [(spoilt[:1], mask[:1]), (spoilt[1:5], mask[1:5].astype("float32")), (spoilt[5:], mask[5:])],
        [{"x": spoilt[:2], "lengths": LENGTHS[:2]}, {"x": spoilt[2:], "lengths": LENGTHS[2:]}],
        tf.data.Dataset.from_tensor_slices({"x": spoilt, "lengths": LENGTHS}).batch(4),
        [x[i : i + 1, :length] for i, length in enumerate(LENGTHS)],
    )
    for batches in forms:
        layer = adapted(batches)
        np.testing.assert_allclose(layer.mean, real.mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(layer.variance, real.var(axis=0), rtol=1e-5)  # float32 weights
    y = layer(dirty(x, mask), mask=mask)
    expected = (real - real.mean(axis=0)) / real.std(axis=0)
    np.testing.assert_allclose(y.numpy()[mask], expected, atol=2e-3)  # 1000 +- 0.1 has 6e-4 steps of float32
    np.testing.assert_array_equal(y.numpy()[~mask], 0)
    np.testing.assert_allclose(layer.denormalize(y).numpy()[mask], x[mask], rtol=1e-6)


def test_one_pass_over_many_batches_is_exact_far_from_zero():
    generator = np.random.default_rng(1)
    batches = [generator.normal(1e4, 1.0, (2, 50, 1)).astype("float32") for _ in range(40)]
    layer = adapted(iter(batches))
    np.testing.assert_allclose(layer.variance, np.var(np.stack(batches).astype("float64")), rtol=1e-5)


def test_adapt_replaces_and_is_not_needed():
    x, mask = frames()
    layer = FrameNormalization()
    np.testing.assert_array_equal(layer(x), x)
    layer.adapt([x + 100.0])
    layer.adapt([x])
    np.testing.assert_allclose(layer.mean, x.mean(axis=(0, 1)), rtol=1e-6)


def test_through_a_front_end():
    front_end = LogMelSpectrogram(8, sample_rate=8000, fft_length=400)
    waveforms = np.random.default_rng(2).normal(size=(3, 900)).astype("float32")
    lengths = np.array([900, 500, 320])
    layer = adapted([{"x": waveforms, "lengths": lengths}], front_end=front_end)
    alone = np.concatenate([front_end(w[None, :n])[0] for w, n in zip(waveforms, lengths, strict=True)])
    np.testing.assert_allclose(layer.mean, alone.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(layer.variance, alone.var(axis=0), rtol=1e-4)
    layer.adapt([waveforms], front_end=front_end)
    np.testing.assert_allclose(layer.mean, np.mean(front_end(waveforms), axis=(0, 1)), rtol=1e-5)


def test_what_cannot_be_adapted_to_is_refused():
    x, mask = frames()
    with pytest.raises(ValueError, match="at least one of them must be real. Received: 0 real frames"):
        adapted([(x, np.zeros_like(mask))])
    with pytest.raises(ValueError, match="the frames must be finite"):
        adapted([dirty(x, mask)])
    with pytest.raises(ValueError, match="the front end 'lost' must keep the mask"):
        adapted([(x, mask)], front_end=LosesMask(name="lost"))
    with pytest.raises(ValueError, match="must have a known number of channels"):
        FrameNormalization()(keras.Input((None, None)))


class LosesMask(keras.layers.Layer):
    supports_masking = True

    def compute_mask(self, inputs, previous_mask):
        return None

    def call(self, x, mask=None):
        return x


def test_a_constant_channel_becomes_zero():
    layer = adapted([np.full((1, 5, 2), 4.0, "float32")])
    np.testing.assert_array_equal(layer(np.full((1, 1, 2), 4.0)), 0)
    np.testing.assert_allclose(layer(np.full((1, 1, 2), 4.001)), 1.0, rtol=1e-3)  # 0.001 / epsilon


def test_padding_reaches_nothing(check_padding):
    layer = adapted([frames()[0]])
    for extra in (1, 3, 7):
        check_padding(layer, frames()[0][0], real=7, extra=extra)


def test_is_not_trained_and_hands_the_mask_on():
    x, mask = frames()
    layer = adapted([x])
    assert layer.trainable_variables == [] and len(layer.non_trainable_variables) == 2
    np.testing.assert_array_equal(layer(x, mask=mask)._keras_mask, mask)


@pytest.mark.slow
def test_exports(check_exports, frames_and_lengths):
    layer = adapted([frames()[0]])
    check_exports(lambda x, n: layer(x, mask=tf.sequence_mask(n, tf.shape(x)[1])), *frames_and_lengths)


def test_half_precision_computes_in_float32():
    x, _ = frames()
    layer = FrameNormalization(dtype="mixed_float16")
    layer.adapt([x])
    y = layer(x)
    assert y.dtype == "float16" and layer.mean.dtype == "float32"
    np.testing.assert_allclose(y, adapted([x])(x), atol=2e-3)  # 11 bits of numbers near 2


def test_round_trip(check_round_trip, tmp_path):
    layer = FrameNormalization(epsilon=0.01)
    layer.adapt([frames()[0]])
    check_round_trip(layer, frames()[0], path=tmp_path / "model.keras")
