"""Test sentences in noise."""

import numpy as np

from keras_ae.training.datasets.speech._stores import WaveformStore
from keras_ae.training.datasets.speech.data import SpeechSplit

NOISES = ("white", "babble")
SIGNAL_TO_NOISE = 10.0  # dB, of the energies of the utterance and of its noise
TALKERS = 8  # training utterances of other speakers, all at the same energy, that make babble


def noisy(data, kind) -> SpeechSplit:
    """The test utterances of `data` with "white" noise or "babble" at 10 dB.

    The noise of an utterance is a function of its number alone: the same for every model.
    """
    split = data.test
    waveforms = [split.waveform(i) for i in range(len(split))]
    mixed = []
    for i, waveform in enumerate(waveforms):
        rng = np.random.default_rng([NOISES.index(kind), i])
        if kind == "white":
            noise = rng.standard_normal(len(waveform))
        else:
            noise = babble(data.train, int(split.speaker[i]), len(waveform), rng)
        mixed.append(mix(waveform, noise, SIGNAL_TO_NOISE))
    store = WaveformStore(np.concatenate(mixed), np.cumsum([0, *map(len, mixed)]), data.sample_rate, kind)
    return SpeechSplit(store, np.arange(len(mixed)), columns={"speaker": split.speaker})


def babble(split, speaker, samples, rng):
    """So many samples of several utterances of other speakers at once, each from a random sample on."""
    others = rng.choice(np.flatnonzero(split.speaker != speaker), TALKERS, replace=False)
    total = np.zeros(samples)
    for row in others:
        voice = split.waveform(row)
        voice = np.resize(np.roll(voice, -rng.integers(len(voice))), samples)  # repeats where it is shorter
        total += voice / rms(voice)
    return total


def mix(waveform, noise, decibels):
    """`waveform` plus `noise` scaled to so many decibels below it, float32."""
    scale = rms(waveform) / rms(noise) * 10.0 ** (-decibels / 20.0)
    return (waveform + scale * noise).astype("float32")


def rms(x):
    return np.sqrt(np.mean(np.square(x, dtype="float64")))
