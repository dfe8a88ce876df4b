"""Linear probes of the frames of utterances: the phone of each frame, the speaker of each utterance."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_ae.errors import require
from keras_ae.evaluation.probes.held_out import check_classes, most_frequent

PHONE_FRAMES = (30_000, 15_000)  # numbers of frames drawn for training and test of a phone probe
BATCH = 16


def frames_of_utterances(split: Any, encode: Callable, batch_size: int = BATCH) -> list[np.ndarray]:
    """Return the encoded frames of each utterance of a `SpeechSplit`, in its order.

    Args:
        split: `SpeechSplit` of the utterances.
        encode: function from a batch `{"x":, "lengths":, ...}` to `(frames (batch, frames, dim), counts
            (batch,))`, where `counts` is the number of real frames of each utterance.
        batch_size: number of utterances per batch.

    Returns:
        list of float32 `(frames, dim)`, one per utterance.
    """
    found: list[Any] = [None] * len(split)
    batches = split.batches(batch_size).as_numpy_iterator()
    for indices, batch in zip(split.order(batch_size), batches, strict=True):
        frames, counts = (np.asarray(part) for part in encode(batch))
        for index, one, count in zip(indices, frames, counts, strict=True):
            found[index] = one[:count].astype("float32")
    return found


def standardized(frames: np.ndarray) -> np.ndarray:
    """Scale each channel to mean 0 and standard deviation 1 over the frames of an utterance."""
    return (frames - frames.mean(axis=0)) / (frames.std(axis=0) + 1e-5)


def shifted(frames: np.ndarray, by: int) -> np.ndarray:
    """Return the frame that is `by` frames later for each frame; edge frames are repeated."""
    return frames[np.clip(np.arange(len(frames)) + by, 0, len(frames) - 1)]


def with_neighbours(frames: np.ndarray, each_side: int) -> np.ndarray:
    """Join each frame with its neighbours, `(frames, (2 each_side + 1) dim)`; edge frames are repeated."""
    shifts = np.arange(-each_side, each_side + 1)
    at = np.clip(np.arange(len(frames))[:, None] + shifts, 0, len(frames) - 1)
    return frames[at].reshape(len(frames), -1)


def frame_statistics(frames: np.ndarray) -> np.ndarray:
    """Return the mean and standard deviation over the frames of an utterance, `(2 dim,)`."""
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def eight_bins(frames: np.ndarray) -> np.ndarray:
    """Return the means of eight equal parts of an utterance, `(8 dim,)`."""
    ends = np.linspace(0, len(frames), 9)
    return np.concatenate(
        [
            frames[int(a) : max(int(a) + 1, int(np.ceil(b)))].mean(axis=0)
            for a, b in zip(ends[:-1], ends[1:], strict=True)
        ]
    )


def linear_accuracy(
    x: np.ndarray, y: np.ndarray, x_test: np.ndarray, y_test: np.ndarray, max_iter: int = 200
) -> float:
    """Return the test accuracy of logistic regression (L2, C = 1) on features standardised by training.

    The fit stops after `max_iter` steps, whether or not it has converged.

    Raises:
        InputError: the training part has a single class.
    """
    check_classes(y, "the labels that a probe is fitted on")
    linear = require("sklearn.linear_model", extra="evaluation")
    preprocessing = require("sklearn.preprocessing", extra="evaluation")
    exceptions = require("sklearn.exceptions", extra="evaluation")
    scale = preprocessing.StandardScaler()
    classifier = linear.LogisticRegression(C=1.0, max_iter=max_iter, tol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", exceptions.ConvergenceWarning)
        classifier.fit(scale.fit_transform(np.asarray(x, "float32")), y)
    return float(np.mean(classifier.predict(scale.transform(np.asarray(x_test, "float32"))) == y_test))


def phone_accuracy(
    train: tuple[Any, Sequence[np.ndarray]],
    test: tuple[Any, Sequence[np.ndarray]],
    features: Callable,
    hop: int,
    seed: int = 0,
) -> float:
    """Return the accuracy of the phone at each frame, on utterances that are not in training.

    Args:
        train, test: `(split, frames of each of its utterances)`.
        features: function from the frames of an utterance to the inputs of the probe, `(frames, dim)` ->
            `(frames, features)`.
        hop: number of samples between frames.
        seed: seed of the draw of `PHONE_FRAMES` frames from each part.
    """
    parts = []
    rng = np.random.default_rng(seed)
    for (split, utterances), most in zip((train, test), PHONE_FRAMES, strict=True):
        labels = [split.phone_frames(i, len(frames), hop) for i, frames in enumerate(utterances)]
        chosen = rng.permutation(sum(map(len, utterances)))[:most]
        x = _rows((features(frames) for frames in utterances), chosen, sum(map(len, utterances)))
        parts += [x, np.concatenate(labels)[chosen]]
    return linear_accuracy(*parts)


def speaker_accuracy(
    train: tuple[Any, Sequence[np.ndarray]],
    test: tuple[Any, Sequence[np.ndarray]],
    features: Callable = frame_statistics,
) -> float:
    """Return the accuracy of the speaker of an utterance, predicted from its pooled frames.

    Args:
        train, test: `(split, frames of each of its utterances)`.
        features: pooling function, `(frames, dim)` -> `(features,)`.
    """
    x, x_test = (np.stack([features(frames) for frames in utterances]) for _, utterances in (train, test))
    return linear_accuracy(x, train[0].speaker, x_test, test[0].speaker, max_iter=2000)


def majority(train_labels: Sequence, test_labels: Sequence) -> float:
    """Return the accuracy of always predicting the most frequent training label."""
    return float(np.mean(np.asarray(test_labels) == most_frequent(train_labels)))


def _rows(blocks, chosen, total):
    """Return the rows `chosen` of all blocks, in that order, with one block in memory at a time."""
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
