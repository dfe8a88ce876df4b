import numpy as np
import pytest

from keras_ae.training.datasets.speech._stores import WaveformStore
from keras_ae.training.datasets.speech.data import PhoneAlignment
from keras_ae.training.datasets.speech.waveforms import (
    check_level,
    float_waveform,
    int16_samples,
    levelled,
    resampled,
)


def tone(frequency, rate, seconds=0.5):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate).astype("float32")


@pytest.mark.parametrize(
    ("rate", "new_rate"), [(44_100, 16_000), (8_000, 16_000), (22_050, 16_000), (48_000, 16_000)]
)
def test_resampled_tone_is_the_tone(rate, new_rate):
    middle = slice(500, -500)  # the ends lack neighbours
    # the pass band of the filter ripples by less than a hundredth at a low tone
    np.testing.assert_allclose(
        resampled(tone(440, rate), rate, new_rate)[middle], tone(440, new_rate)[middle], atol=1e-2
    )


def test_resampling_down_removes_what_would_alias():
    assert np.abs(resampled(tone(15_000, 44_100), 44_100, 16_000)[500:-500]).max() < 1e-2


def test_resampling_does_not_leave_the_range():
    square = np.sign(tone(100, 8000)) + 0.0
    assert np.abs(resampled(square, 8000, 16_000)).max() == 1  # its edges ring


def test_resampling_one_sample_and_the_same_rate():
    assert resampled(np.ones(1, "float32"), 44_100, 16_000).shape == (1,)
    waveform = tone(440, 8000)
    assert resampled(waveform, 8000, 8000) is waveform


def test_levels():
    quiet = 0.01 * tone(440, 16_000)
    assert np.sqrt(np.mean(np.square(levelled(quiet, "rms"), dtype="float64"))) == pytest.approx(
        0.05, rel=1e-5
    )
    assert np.abs(levelled(quiet, "peak")).max() == pytest.approx(1)
    np.testing.assert_array_equal(levelled(quiet, None), quiet)


def test_no_level_leaves_the_range():
    click = np.zeros(16_000, "float32")
    click[7] = 0.5  # at a root mean square of 0.05 its peak would be 6.3
    assert np.abs(levelled(click, "rms")).max() == pytest.approx(1)


@pytest.mark.parametrize("level", ["rms", "peak", None])
def test_silence_stays_silence(level):
    assert not levelled(np.zeros(100, "float32"), level).any()
    assert levelled(np.zeros(0, "float32"), level).shape == (0,)


def test_unknown_level(complaint):
    assert complaint(check_level, "loud") == 'level must be "rms", "peak" or None. Received: level=\'loud\''


def test_mu_law_is_g711s():
    """The continuous form at its ends, its middle, and one value by hand: y = 1/5."""
    codes = np.array([0, 255, 153], "uint8")
    np.testing.assert_allclose(float_waveform(codes), [-1, 1, (256**0.2 - 1) / 255], rtol=1e-5)
    assert np.abs(float_waveform(np.array([127, 128], "uint8"))).max() < 1e-4


def test_int16_round_trip():
    samples = np.array([-32768, -1, 0, 1, 32767], "int16")
    np.testing.assert_array_equal(int16_samples(float_waveform(samples)), samples)
    assert int16_samples(np.array([1.0, -1.5])).tolist() == [32767, -32768]


def test_store_resamples_each_utterance_by_itself():
    first, second = 0.9 * tone(440, 8000, 0.1), 0.9 * tone(880, 8000, 0.2)
    store = WaveformStore(int16_samples(np.concatenate([first, second])), [0, 800, 2400], 8000, "tones")
    doubled = store.resampled(16_000)
    assert doubled.lengths.tolist() == [1600, 3200]
    # 16 bits of the source, 16 bits of the result
    np.testing.assert_allclose(doubled.waveform(1), resampled(second, 8000, 16_000), atol=1e-4)


def test_phone_at_each_frame():
    """By the definition: the last phone that begins at or before the sample t * hop."""
    starts, phones = [0, 160, 161, 640], [2, 0, 1, 0]
    alignment = PhoneAlignment([7, *starts], [1, *phones], [0, 1, 5], ("a", "b", "_"))
    expected = [max((s, p) for s, p in zip(starts, phones, strict=True) if s <= t * 160)[1] for t in range(6)]
    assert alignment.frames(1, 6, 160).tolist() == expected == [2, 0, 1, 1, 0, 0]
    assert alignment.frames(0, 2, 160).tolist() == [1, 1]  # also before it begins
    assert alignment.of(1)[1] == (160, "a")
    assert len(alignment) == 2


def test_resampled_phones_sound_at_the_same_frames():
    random = np.random.default_rng(0)
    starts = np.sort(random.integers(0, 22_050, 200))
    alignment = PhoneAlignment(starts, np.arange(200), [0, 200], [str(n) for n in range(200)])
    times = np.arange(100) * 160 / 16_000
    exact = np.searchsorted(starts / 22_050, times, side="right") - 1
    at_16k = alignment.resampled(22_050, 16_000)
    np.testing.assert_array_equal(at_16k.frames(0, 100, 160), np.maximum(exact, 0))
