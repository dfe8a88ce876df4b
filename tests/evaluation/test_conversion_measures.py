"""Distances, variances and error rates of conversions against other derivations."""

import librosa
import numpy as np
import pytest
from scipy.fft import dct
from scipy.stats import norm

from keras_ae import InputError
from keras_ae.evaluation import equal_error_rate, global_variance_ratio, mel_cepstral_distortion

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("frames", [(30, 41), (17, 17), (1, 8), (5, 1), (1, 1)])
def test_distortion_is_that_of_librosa_and_scipy(frames):
    a, b = (RNG.normal(size=(n, 40)).cumsum(axis=0) for n in frames)
    cepstra = [dct(x, axis=1, norm="ortho")[:, 1:13].T for x in (a, b)]
    total, path = librosa.sequence.dtw(*cepstra, metric="euclidean")
    expected = 10 / np.log(10) * np.sqrt(2) * total[-1, -1] / len(path) / np.sqrt(40 / 2)
    np.testing.assert_allclose(mel_cepstral_distortion(a, b), expected, rtol=1e-9)


def test_distortion_knows_no_tempo_and_no_loudness():
    a = RNG.normal(size=(12, 20))
    slow = np.repeat(a, 3, axis=0)
    # the mean of the cosines over bands is 0 to rounding
    assert mel_cepstral_distortion(a + 5.0, slow) < 1e-12


def test_distortion_of_one_cosine_is_its_closed_form():
    bands, k = 40, 3
    wave = np.cos(np.pi * k * (np.arange(bands) + 0.5) / bands)
    # c[k] of the wave is 1, every other coefficient is 0
    assert mel_cepstral_distortion(np.zeros((4, bands)), np.tile(0.2 * wave, (7, 1))) == pytest.approx(
        0.2 * 10 * np.sqrt(2) / np.log(10)
    )


def test_distortion_errors():
    with pytest.raises(InputError, match="equal bands"):
        mel_cepstral_distortion(np.zeros((3, 20)), np.zeros((3, 21)))
    with pytest.raises(InputError, match="equal bands"):
        mel_cepstral_distortion(np.zeros((0, 20)), np.zeros((3, 20)))
    with pytest.raises(InputError, match="equal bands"):
        mel_cepstral_distortion(np.full((3, 20), np.nan), np.zeros((3, 20)))
    with pytest.raises(InputError, match="num_coefficients must be from 1 to 11"):
        mel_cepstral_distortion(np.zeros((3, 12)), np.zeros((3, 12)))


def test_variance_ratio_is_the_mean_of_ratios_band_by_band():
    recorded = [RNG.normal(size=(n, 5)) * [1, 2, 3, 4, 5] for n in (20, 40)]
    converted = [RNG.normal(size=(n, 5)) for n in (10, 30, 15)]
    ratios = []
    for band in range(5):
        reference = (recorded[0][:, band].var() + recorded[1][:, band].var()) / 2
        ratios += [one[:, band].var() / reference for one in converted]
    assert global_variance_ratio(converted, recorded) == pytest.approx(np.mean(ratios))


def test_variance_ratio_of_constant_speech_is_0_and_ignores_a_shift():
    recorded = [RNG.normal(size=(20, 5))]
    assert global_variance_ratio([np.ones((9, 5))], recorded) == 0.0
    assert global_variance_ratio([recorded[0] + 3.0], recorded) == pytest.approx(1.0)


def test_variance_ratio_errors():
    frames = [np.ones((3, 5))]
    with pytest.raises(InputError, match="Received: 0 conversions"):
        global_variance_ratio([], frames)
    with pytest.raises(InputError, match="equal bands"):
        global_variance_ratio([np.ones((3, 4))], frames)
    with pytest.raises(InputError, match="Received: 5 constant bands"):
        global_variance_ratio(frames, frames)


def brute_force(z, speakers):
    """The crossing found by trying every threshold, on lines between neighbouring ones."""
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    pairs = [(np.round(z[i] @ z[j], 12), speakers[i] == speakers[j]) for i in range(len(z)) for j in range(i)]
    same = np.array([s for s, equal in pairs if equal])
    other = np.array([s for s, equal in pairs if not equal])
    points = [
        (np.mean(same < t), np.mean(other >= t)) for t in sorted({s for s, _ in pairs} | {np.inf, -np.inf})
    ]
    for (miss, alarm), (next_miss, next_alarm) in zip(points[:-1], points[1:], strict=True):
        before, after = alarm - miss, next_alarm - next_miss
        if before >= 0 >= after and before > after:
            return miss + before / (before - after) * (next_miss - miss)


@pytest.mark.parametrize("seed", range(6))
def test_equal_error_rate_is_that_of_all_thresholds(seed):
    rng = np.random.default_rng(seed)
    speakers = rng.integers(0, 4, 25)
    z = rng.normal(size=(4, 3))[speakers] + rng.normal(size=(25, 3))
    if seed > 3:  # many equal scores
        z = np.round(z)
        z[~z.any(axis=1)] = 1.0
    assert equal_error_rate(z, speakers) == pytest.approx(brute_force(z, speakers), abs=1e-12)


def test_equal_error_rate_of_perfect_useless_and_inverted_embeddings():
    speakers = np.arange(60) % 3
    assert equal_error_rate(np.eye(3)[speakers], speakers) == 0.0
    assert equal_error_rate(np.ones((60, 2)), speakers) == pytest.approx(0.5)
    noise = np.random.default_rng(1).normal(size=(600, 8))
    assert equal_error_rate(noise, np.arange(600) % 3) == pytest.approx(0.5, abs=0.01)  # 180,000 pairs
    apart = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert equal_error_rate(apart, np.array([0, 0, 1, 1])) == 1.0


def test_equal_error_rate_of_two_normal_distributions():
    """Scores of equal variance whose means are `d` apart: the rate is `Phi(-d / 2)`."""
    from keras_ae.evaluation.speech.speaker_verification import _crossing

    rng, number, d = np.random.default_rng(2), 200_000, 2.0
    scores = np.concatenate([rng.normal(d, 1, number), rng.normal(0, 1, number)])
    # the standard error of a share of 200,000 is 0.0008
    assert _crossing(scores, np.arange(2 * number) < number) == pytest.approx(norm.cdf(-d / 2), abs=0.003)


def test_equal_error_rate_takes_names_and_the_length_of_embeddings_does_not_count():
    rng = np.random.default_rng(3)
    z, names = rng.normal(size=(12, 4)), np.array(["a", "b", "c"] * 4)
    assert equal_error_rate(z, names) == equal_error_rate(z * rng.uniform(1, 9, (12, 1)), names)


def test_equal_error_rate_errors():
    with pytest.raises(InputError, match="one entry per example"):
        equal_error_rate(np.ones((3, 2)), [0, 1])
    for speakers in ([0, 0, 0], [0, 1, 2]):
        with pytest.raises(InputError, match="two different speakers, and one of them twice"):
            equal_error_rate(np.ones((3, 2)), speakers)
    with pytest.raises(InputError, match="finite"):
        equal_error_rate(np.full((3, 2), np.inf), [0, 0, 1])
