"""What a linear classifier reads from the frames of utterances: the phone of each, the speaker of all."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from keras_ae.errors import require
from keras_ae.evaluation.probes.held_out import check_classes, most_frequent

PHONE_FRAMES = (30_000, 15_000)  # drawn for training and test of a probe of phones
BATCH = 16


def encode_utterances(split, encode: Callable, batch_size: int = BATCH) -> list[np.ndarray]:
    """Frames of each utterance of a `SpeechSplit`, in its order.

    Args:
        split: the utterances.
        encode: takes a batch `{"x":, "lengths":, ...}`, returns `(frames (batch, frames, dim), counts
            (batch,))`, the number of real frames of each.
        batch_size: utterances of a batch.

    Returns:
        float32 `(frames, dim)` each.
    """
    found = [None] * len(split)
    batches = split.batches(batch_size).as_numpy_iterator()
    for indices, batch in zip(split.order(batch_size), batches, strict=True):
        frames, counts = (np.asarray(part) for part in encode(batch))
        for index, one, count in zip(indices, frames, counts, strict=True):
            found[index] = one[:count].astype("float32")
    return found


def standardized(frames):
    """Mean 0 and deviation 1 over the frames of an utterance, in each channel."""
    return (frames - frames.mean(axis=0)) / (frames.std(axis=0) + 1e-5)


def shifted(frames, by: int):
    """At each frame the one `by` later, or earlier where negative; edges repeat."""
    return frames[np.clip(np.arange(len(frames)) + by, 0, len(frames) - 1)]


def with_neighbours(frames, each_side: int):
    """Each frame with those around it, `(frames, (2 each_side + 1) dim)`; edges repeat."""
    shifts = np.arange(-each_side, each_side + 1)
    at = np.clip(np.arange(len(frames))[:, None] + shifts, 0, len(frames) - 1)
    return frames[at].reshape(len(frames), -1)


def mean_and_deviation(frames):
    """Mean and standard deviation over the frames of an utterance, `(2 dim,)`."""
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def eight_bins(frames):
    """Means of eight equal parts of an utterance, `(8 dim,)`."""
    ends = np.linspace(0, len(frames), 9)
    return np.concatenate(
        [
            frames[int(a) : max(int(a) + 1, int(np.ceil(b)))].mean(axis=0)
            for a, b in zip(ends[:-1], ends[1:], strict=True)
        ]
    )


def linear_accuracy(x, y, x_test, y_test, max_iter: int = 200) -> float:
    """Accuracy of logistic regression (L2, C = 1) on features standardised by the training part.

    Raises:
        InputError: the training part has one class only.
    """
    check_classes(y, "the labels that a probe is fitted on")
    linear = require("sklearn.linear_model", extra="evaluation")
    preprocessing = require("sklearn.preprocessing", extra="evaluation")
    exceptions = require("sklearn.exceptions", extra="evaluation")
    scale = preprocessing.StandardScaler()
    classifier = linear.LogisticRegression(C=1.0, max_iter=max_iter, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # all rows stop at the same count
        classifier.fit(scale.fit_transform(np.asarray(x, "float32")), y)
    return float(np.mean(classifier.predict(scale.transform(np.asarray(x_test, "float32"))) == y_test))


def phone_accuracy(train, test, features: Callable, hop: int, seed: int = 0) -> float:
    """How often the phone at a frame is read right, on utterances that the probe has not seen.

    Args:
        train, test: `(split, frames of each of its utterances)`.
        features: what the probe sees of the frames of an utterance, `(frames, dim)` -> `(frames, features)`.
        hop: samples between frames.
        seed: of the frames that are drawn, `PHONE_FRAMES` of each part.
    """
    parts = []
    rng = np.random.default_rng(seed)
    for (split, utterances), most in zip((train, test), PHONE_FRAMES, strict=True):
        labels = [split.phone_frames(i, len(frames), hop) for i, frames in enumerate(utterances)]
        chosen = rng.permutation(sum(map(len, utterances)))[:most]
        x = _rows((features(frames) for frames in utterances), chosen, sum(map(len, utterances)))
        parts += [x, np.concatenate(labels)[chosen]]
    return linear_accuracy(*parts)


def speaker_accuracy(train, test, features: Callable = mean_and_deviation) -> float:
    """How often the speaker of an utterance is read right from its pooled frames.

    Args:
        train, test: `(split, frames of each of its utterances)`.
        features: `(frames, dim)` -> `(features,)`.
    """
    parts = []
    for split, utterances in (train, test):
        parts += [np.stack([features(frames) for frames in utterances]), split.speaker]
    return linear_accuracy(*parts, max_iter=2000)


def majority(train_labels: Sequence, test_labels: Sequence) -> float:
    """Accuracy of always saying the most frequent label of training."""
    return float(np.mean(np.asarray(test_labels) == most_frequent(train_labels)))


def _rows(blocks, chosen, total):
    """The rows `chosen` of all blocks, in that order, without holding the blocks."""
    place = np.full(total, -1)
    place[chosen] = np.arange(len(chosen))
    rows, first = None, 0
    for block in blocks:
        if rows is None:
            rows = np.empty((len(chosen), block.shape[1]), "float32")
        at = place[first : first + len(block)]
        rows[at[at >= 0]] = block[at >= 0]
        first += len(block)
    return rows
