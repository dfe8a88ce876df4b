"""Griffin-Lim against librosa's."""

import inspect

import librosa
import numpy as np
import pytest

from keras_ae import InputError
from keras_ae.audio import griffin_lim

SETTINGS = [
    {"hop": 160, "window_length": 400, "fft_length": 512},
    {"hop": 80, "window_length": 300, "fft_length": 300},
    {"hop": 100, "window_length": 255, "fft_length": 301},
]
settings = pytest.mark.parametrize("setting", SETTINGS, ids=str)


def voice(samples=8000, seed=0):
    generator = np.random.default_rng(seed)
    time = np.arange(samples) / 16000
    phase = 2 * np.pi * (120 * time + 100 * time**2)
    tones = sum(np.sin(k * phase + k) / k for k in range(1, 20))
    return (0.1 * tones + 0.01 * generator.normal(size=samples)).astype("float32")


def spectrum(waveform, hop, window_length, fft_length):
    """Frames first."""
    return librosa.stft(
        waveform, n_fft=fft_length, hop_length=hop, win_length=window_length, pad_mode="constant"
    ).T


def samples_of(magnitudes, setting):
    """Librosa has one frame less of a multiple of the hop where the transform is odd."""
    return (len(magnitudes) - 1) * setting["hop"] + setting["fft_length"] % 2


def by_librosa(magnitudes, setting, **options):
    return librosa.griffinlim(
        magnitudes.T,
        n_fft=setting["fft_length"],
        hop_length=setting["hop"],
        win_length=setting["window_length"],
        length=samples_of(magnitudes, setting),
        **options,
    )


def convergence(waveform, magnitudes, setting):
    """Relative distance of a waveform's magnitudes from those asked for."""
    received = np.abs(spectrum(waveform, **setting))
    return np.linalg.norm(received - magnitudes) / np.linalg.norm(magnitudes)


@settings
@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_equals_librosa_from_the_same_phases(setting, momentum):
    magnitudes = np.abs(spectrum(voice(), **setting))
    options = {"samples": samples_of(magnitudes, setting), "seed": None, **setting}
    ours = griffin_lim(magnitudes, iterations=3, momentum=momentum, **options)
    theirs = by_librosa(magnitudes, setting, n_iter=3, momentum=momentum, init=None)
    assert ours.shape == theirs.shape and ours.dtype == np.float32
    # bins near 0 have phases of rounding errors: their part of the waveform is as small as they
    np.testing.assert_allclose(ours, theirs, atol=1e-3 * np.abs(theirs).max())


@settings
def test_no_iteration_inverts_the_transform(setting):
    waveform = np.pad(voice(), (400, 400))[: 50 * setting["hop"]]
    magnitudes = np.abs(spectrum(waveform, **setting))
    options = {"samples": samples_of(magnitudes, setting), "seed": None, **setting}
    ours = griffin_lim(magnitudes, iterations=0, **options)
    theirs = by_librosa(magnitudes, setting, n_iter=0, init=None)
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


class Drawn(np.random.Generator):
    """Draws the given numbers: librosa's own come from another generator in each of its versions."""

    def __init__(self, numbers):
        super().__init__(np.random.PCG64(0))
        self.numbers = numbers

    def random(self, size=None, dtype=np.float64, out=None):
        assert size == self.numbers.shape
        return self.numbers.astype(dtype)


def test_converges_as_librosa_does_from_the_same_random_phases():
    setting = SETTINGS[0]
    magnitudes = np.abs(spectrum(voice(16000), **setting))
    drawn = Drawn(np.random.default_rng(0).random(magnitudes.shape, "float32").T)
    name = "rng" if "rng" in inspect.signature(librosa.griffinlim).parameters else "random_state"
    theirs = by_librosa(magnitudes, setting, n_iter=32, **{name: drawn})
    ours, theirs, start = (
        convergence(waveform, magnitudes, setting)
        for waveform in (
            griffin_lim(magnitudes, seed=0, **setting),
            theirs,
            griffin_lim(magnitudes, iterations=0, seed=0, **setting),
        )
    )
    # rounding moves the phases of weak bins, and 32 iterations carry that on
    assert ours == pytest.approx(theirs, rel=0.02)
    assert ours < 0.4 * start


def test_batches_lengths_and_seeds():
    setting = SETTINGS[0]
    magnitudes = np.abs(np.stack([spectrum(voice(seed=seed), **setting) for seed in (0, 1)]))
    both = griffin_lim(magnitudes, iterations=2, samples=8100, **setting)
    assert both.shape == (2, 8100)
    np.testing.assert_array_equal(both, griffin_lim(magnitudes, iterations=2, samples=8100, **setting))
    zero_phase = griffin_lim(magnitudes, iterations=2, seed=None, **setting)
    alone = griffin_lim(magnitudes[1], iterations=2, seed=None, **setting)
    np.testing.assert_allclose(zero_phase[1], alone, atol=1e-6)
    assert zero_phase.shape == (2, 8000)


@pytest.mark.parametrize("frames", [1, 2])
def test_few_frames_and_silence(frames):
    waveform = griffin_lim(np.zeros((frames, 257)), iterations=2)
    np.testing.assert_array_equal(waveform, np.zeros((frames - 1) * 160))
    assert np.isfinite(griffin_lim(np.ones((frames, 257)), iterations=2, samples=1000)).all()


def test_what_is_no_magnitude_is_refused():
    with pytest.raises(
        InputError, match=r"\(..., frames, 257\) for fft_length=512. Received: shape \(3, 200\)"
    ):
        griffin_lim(np.ones((3, 200)), fft_length=512)
    for value in (-1.0, np.nan):
        with pytest.raises(InputError, match="magnitudes of griffin_lim must be finite, at least 0"):
            griffin_lim(np.full((3, 257), value))
