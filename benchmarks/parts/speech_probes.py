"""Probes of speech by features without learning, and of spoken digits, as benchmarks print them.

Linear probes are those of `keras_ae.evaluation.speech.frame_probes`: standardised features, logistic
regression, C = 1. Frames come every 10 ms.
"""

import numpy as np
import tensorflow as tf

from keras_ae.evaluation.speech.frame_probes import (
    eight_bins,
    frame_statistics,
    frames_of_utterances,
    linear_accuracy,
    phone_accuracy,
    speaker_accuracy,
    standardized,
    with_neighbours,
)
from keras_ae.layers import MFCC, LogMelSpectrogram

WAVEFORMS = (tf.TensorSpec((None, None), tf.float32), tf.TensorSpec((None,), tf.int32))
SIDE = 5  # frames to each side: 11 in all


def spectral_features(sample_rate):
    """`{name: layer}`: windows of 25 ms every 10 ms, 512-point transforms."""
    frames = {"sample_rate": sample_rate, "window_length": sample_rate // 40, "hop": sample_rate // 100}
    return {
        "mfcc13": MFCC(13, deltas=0, **frames),
        "mfcc39": MFCC(13, deltas=2, **frames),
        "logmel80": LogMelSpectrogram(80, **frames),
    }


def frames_of_layer(layer, split):
    """Frames of each utterance of a split."""

    @tf.function(input_signature=WAVEFORMS)
    def encode(x, lengths):
        return layer(x, mask=tf.sequence_mask(lengths, tf.shape(x)[1])), layer.frames_of(lengths)

    return frames_of_utterances(split, lambda batch: encode(batch["x"], batch["lengths"]))


PHONE_VIEWS = {
    "frame": lambda frames: frames,
    "frame.cmvn": standardized,
    "11_frames": lambda frames: with_neighbours(frames, SIDE),
    "11_frames.cmvn": lambda frames: with_neighbours(standardized(frames), SIDE),
}


def espeak_baselines(data) -> dict:
    """`{"mfcc39.phone.11_frames.cmvn": accuracy, ...}` on the test sentences of `load_speech("espeak")`."""
    found = {}
    for name, layer in spectral_features(data.sample_rate).items():
        train, test = ((split, frames_of_layer(layer, split)) for split in (data.train, data.test))
        for view, features in PHONE_VIEWS.items():
            if name != "logmel80" or "11" not in view:  # 880 columns: the reference leaves them out too
                found[f"{name}.phone.{view}"] = phone_accuracy(train, test, features, data.sample_rate // 100)
        found[f"{name}.speaker"] = speaker_accuracy(train, test)
        found[f"{name}.speaker.mean"] = speaker_accuracy(train, test, lambda frames: frames.mean(axis=0))
    return found


def folded_accuracy(features, labels, folds) -> float:
    """How often the label of an example is read right by a probe of the other folds.

    Args:
        features: `(examples, features)`.
        labels, folds: `(examples,)` integers.
    """
    right = 0.0
    for fold in np.unique(folds):
        test = folds == fold
        accuracy = linear_accuracy(features[~test], labels[~test], features[test], labels[test], 1000)
        right += accuracy * test.sum()
    return float(right / len(labels))


class Digits:
    """Utterances of one word each, `(utterances, features)` with word, speaker and official split.

    Args:
        splits: `SpeechSplit`s with `label` and `speaker`, the last one the official test.
        names: of the speakers.
    """

    def __init__(self, splits, names=()):
        self.splits = splits
        self.names = names
        self.word, self.speaker = (
            np.concatenate([getattr(split, name) for split in splits]) for name in ("label", "speaker")
        )
        self.is_test = np.arange(len(self.word)) >= len(self.word) - len(splits[-1])

    def frames(self, encode):
        """Frames of all utterances; `encode` takes a split."""
        return [frames for split in self.splits for frames in encode(split)]

    def official(self, features, target="word"):
        """Accuracy on the official test recordings."""
        labels, train = getattr(self, target), ~self.is_test
        return linear_accuracy(
            features[train], labels[train], features[self.is_test], labels[self.is_test], 1000
        )

    def leave_one_speaker_out(self, features, speakers=None):
        """Accuracy of the word for each speaker, by a probe fitted on all recordings of the others."""
        found = {}
        for speaker in np.unique(self.speaker) if speakers is None else speakers:
            of = self.speaker == speaker
            found[int(speaker)] = linear_accuracy(
                features[~of], self.word[~of], features[of], self.word[of], 1000
            )
        return found


def digit_baselines(digits, sample_rate) -> dict:
    """`{"mfcc39.mean_sd": {"digit", "speaker", "loso"}, ...}` of the views of the reference that lead."""
    views = {"mean_sd": frame_statistics, "bins8": eight_bins}
    found = {}
    for name, layer in spectral_features(sample_rate).items():
        frames = digits.frames(lambda split, layer=layer: frames_of_layer(layer, split))
        for view, pool in views.items():
            if (name, view) == ("logmel80", "bins8"):  # 640 columns, below MFCC in the reference
                continue
            x = np.stack([pool(one) for one in frames])
            found[f"{name}.{view}"] = {
                "digit": digits.official(x),
                "speaker": digits.official(x, "speaker"),
                "loso": float(np.mean(list(digits.leave_one_speaker_out(x).values()))),
            }
    return found
