"""Conversion of spoken digits without learning: the rows that a learnt converter stands beside.

Log-mel frames are moved by statistics, replaced by frames of the target speaker, or not changed at all.
`Takes` holds the frames of all training and test recordings.
"""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from keras_ae.evaluation.speech.conversions import Conversions, judged, other_speakers, waveforms_of
from keras_ae.evaluation.speech.converter_results import ProbedUtterances
from keras_ae.evaluation.speech.frame_probes import eight_bins, standardized
from keras_ae.evaluation.speech.vocoding import frames_of_waveforms
from parts.speech_probes import spectral_features

NEIGHBOURS = 4
SIDE = 2  # frames to each side that a neighbour is searched by
CEPSTRA = slice(1, 14)
TINY = 1e-5


class Takes:
    """Frames, words and speakers of the recordings of some splits."""

    def __init__(self, splits, layer):
        self.frames = frames_of_waveforms(waveforms_of(*splits), layer)
        self.speaker = np.concatenate([split.speaker for split in splits])
        self.word = np.concatenate([split.label for split in splits])

    def of(self, speaker):
        """All frames of a speaker, `(frames, mels)`."""
        return np.concatenate([self.frames[i] for i in np.flatnonzero(self.speaker == speaker)])


def statistics(takes):
    """`{speaker: (mean, deviation)}` of each band."""
    of = {s: takes.of(s) for s in np.unique(takes.speaker)}
    return {s: (frames.mean(axis=0), frames.std(axis=0)) for s, frames in of.items()}


def normalized(frames):
    return (frames - frames.mean(axis=0)) / (frames.std(axis=0) + TINY)


class NearestFrames:
    """Each frame by the mean of the four frames of the target that are nearest to it.

    Nearest by cepstra of five frames, mean 0 and deviation 1 over all that a speaker has said in training.
    """

    def __init__(self, takes, mels):
        angles = np.outer(np.arange(mels) + 0.5, np.arange(mels)) * np.pi / mels
        basis = np.cos(angles) * np.sqrt(2.0 / mels)  # of the orthogonal transform, but for c[0], unused
        self.basis = basis[:, CEPSTRA].astype("float32")
        self.moments, self.frames, self.search = {}, {}, {}
        for speaker in np.unique(takes.speaker):
            self.frames[speaker] = takes.of(speaker)
            cepstra = self.frames[speaker] @ self.basis
            self.moments[speaker] = cepstra.mean(axis=0), cepstra.std(axis=0)
            rows = np.flatnonzero(takes.speaker == speaker)
            keys = np.concatenate([self.keys(takes.frames[i], speaker) for i in rows])
            self.search[speaker] = NearestNeighbors(n_neighbors=NEIGHBOURS, algorithm="brute").fit(keys)

    def keys(self, frames, speaker):
        mean, deviation = self.moments[speaker]
        cepstra = np.pad((frames @ self.basis - mean) / deviation, ((SIDE, SIDE), (0, 0)), mode="edge")
        return np.concatenate([cepstra[i : i + len(frames)] for i in range(2 * SIDE + 1)], axis=1)

    def __call__(self, frames, source, target):
        found = self.search[target].kneighbors(self.keys(frames, source), return_distance=False)
        return self.frames[target][found].mean(axis=1)


def converters(train, test, layer, seed=0):
    """`{name: function of (row of test, target) that returns frames}`."""
    of, rng = statistics(train), np.random.default_rng(seed)
    nearest = NearestFrames(train, layer.num_mels)

    def drawn(target, allowed):
        return train.frames[rng.choice(np.flatnonzero((train.speaker == target) & allowed))]

    def mean_shift(row, t):
        return test.frames[row] - of[test.speaker[row]][0] + of[t][0]

    def mean_and_variance(row, t):
        mean, deviation = of[test.speaker[row]]
        return (test.frames[row] - mean) / deviation * of[t][1] + of[t][0]

    def one_utterance(row, t):
        heard = drawn(t, train.word != test.word[row])
        return normalized(test.frames[row]) * heard.std(axis=0) + heard.mean(axis=0)

    return {
        "copy": lambda row, t: test.frames[row],
        "mean_shift": mean_shift,
        "mean_variance": mean_and_variance,
        "utterance_norm": lambda row, t: normalized(test.frames[row]) * of[t][1] + of[t][0],
        "one_utterance_norm": one_utterance,
        "nearest_frames": lambda row, t: nearest(test.frames[row], test.speaker[row], t),
        "oracle": lambda row, t: drawn(t, train.word == test.word[row]),
        "cheat": lambda row, t: drawn(t, train.word >= 0),
    }


NOTES = {
    "copy": "no conversion",
    "mean_shift": "each band moved from the mean of the source speaker to that of the target",
    "mean_variance": "mean and deviation of each band from those of the source speaker to the target's",
    "utterance_norm": "each band of the utterance normalised, then given the target's mean and deviation",
    "one_utterance_norm": "mean and deviation of one training take of the target instead, of another digit",
    "nearest_frames": "each frame by the mean of the 4 nearest of the 450 training takes of the target",
    "oracle": "a training take of the target that says the same digit; the judge has heard it",
    "cheat": "any training take of the target; the judge has heard it",
}


def control_rows(training_splits, split, layer, judge):
    """`{name: row of the table}` of all converters on all test recordings to all other speakers."""
    train, test = Takes(training_splits, layer), Takes([split], layer)
    rows, target = other_speakers(test.speaker, np.unique(test.speaker))
    found = {}
    for name, convert in converters(train, test, layer).items():
        frames = [convert(row, t).astype("float32") for row, t in zip(rows, target, strict=True)]
        found[name] = judged(Conversions(frames, rows, target), split, layer, judge, (split, test.frames))
        print(name, found[name], flush=True)
    return found


def feature_probes(training_splits, split):
    """Probes of features without learning: cepstra, also standardised in each utterance; mean log-mel."""
    utterances = ProbedUtterances(training_splits, split)
    waveforms = waveforms_of(*training_splits, split)
    spectra = spectral_features(split.store.sample_rate)
    cepstra = frames_of_waveforms(waveforms, spectra["mfcc13"])
    bands = frames_of_waveforms(waveforms, spectra["logmel80"])
    return {
        "mfcc13": utterances.of_content(np.stack([eight_bins(one) for one in cepstra])),
        "mfcc13_cmvn": utterances.of_content(np.stack([eight_bins(standardized(one)) for one in cepstra])),
        "log_mel_mean": utterances.of_voice(np.stack([one.mean(axis=0) for one in bands])),
    }
