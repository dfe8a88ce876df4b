"""Phone and speaker information in speech units, where a unit is one code for a few frames."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_ae.evaluation.speech.frame_probes import frames_of_utterances, linear_accuracy


def units_and_embeddings(model: Any, split: Any) -> tuple[list[np.ndarray] | None, list[np.ndarray]]:
    """Return units and embedding of each utterance of a `SpeechSplit` from a trained `SpeechAutoEncoder`.

    Returns:
        `(units, embeddings)`: int64 `(codes,)` and float32 `(codes, dim)` of each utterance. Units are
        `None` without a discrete bottleneck. The bits or levels of a code are combined into one number.
    """
    function = tf.function(model.endpoints()["encode"].function, reduce_retracing=True)

    def encode(batch):
        found = function(x=batch["x"], lengths=batch["lengths"])
        parts = [found["embedding"]]
        if model.discrete:
            codes = tf.cast(found["codes"], tf.float32)
            parts.append(codes if len(codes.shape) == 3 else codes[..., None])
        return tf.concat(parts, axis=-1), found["code_lengths"]

    frames = frames_of_utterances(split, encode)
    if not model.discrete:
        return None, frames
    columns = 1 if len(model.code_shape) == 1 else model.code_shape[-1]
    powers = model.bottleneck.num_values ** np.arange(columns)
    units = [one[:, -columns:].astype("int64") @ powers for one in frames]
    return units, [one[:, :-columns] for one in frames]


def number_of_units(model: Any) -> int:
    """Return the number of different units of the bottleneck of a discrete model."""
    columns = 1 if len(model.code_shape) == 1 else model.code_shape[-1]
    return model.bottleneck.num_values**columns


def phones_of_frames(split: Any, hop: int) -> list[np.ndarray]:
    """Return the phone at each frame of each utterance, int64 `(frames,)`."""
    return [split.phone_frames(i, 1 + length // hop, hop) for i, length in enumerate(split.lengths)]


def units_of_frames(
    units: Sequence[np.ndarray], phones: Sequence[np.ndarray], frames_per_unit: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return `(unit of each frame, phone of each frame)`, with all utterances concatenated."""
    spread = [np.repeat(u, frames_per_unit)[: len(p)] for u, p in zip(units, phones, strict=True)]
    return np.concatenate(spread), np.concatenate(phones)


def majority_phones(
    units: np.ndarray | Sequence[int], phones: np.ndarray | Sequence[int], num_units: int
) -> np.ndarray:
    """Return the most frequent phone of each unit, int64 `(num_units,)`; -1 for a unit without frames.

    Args:
        units, phones: unit and phone of each training frame, `(frames,)`.

    Example:

    >>> majority_phones([0, 0, 0, 2], [5, 5, 3, 1], num_units=3).tolist()
    [5, -1, 1]
    """
    counts = np.zeros((num_units, int(np.max(phones)) + 1), "int64")
    np.add.at(counts, (np.asarray(units), np.asarray(phones)), 1)
    return np.where(counts.any(axis=1), counts.argmax(axis=1), -1)


def purity(
    phone_of_unit: np.ndarray, units: np.ndarray | Sequence[int], phones: np.ndarray | Sequence[int]
) -> float:
    """Return the share of frames whose phone is the majority phone of their unit.

    Args:
        phone_of_unit: the result of `majority_phones` on training frames.
        units, phones: unit and phone of each test frame, `(frames,)`.
    """
    return float(np.mean(phone_of_unit[np.asarray(units)] == np.asarray(phones)))


def histograms(units: Sequence[np.ndarray], num_units: int) -> np.ndarray:
    """Return the share of each unit in each utterance, `(utterances, num_units)`."""
    return np.stack([np.bincount(one, minlength=num_units) / len(one) for one in units])


def usage(units: Sequence[np.ndarray], num_units: int) -> float:
    """Return the share of the units that occur at least once."""
    return len(np.unique(np.concatenate(units))) / num_units


def histogram_speaker_accuracy(
    units: Sequence[np.ndarray],
    speaker: np.ndarray,
    test_units: Sequence[np.ndarray],
    test_speaker: np.ndarray,
    num_units: int,
) -> float:
    """Return the accuracy of a linear probe of the speaker from the unit histograms of test utterances."""
    x, x_test = histograms(units, num_units), histograms(test_units, num_units)
    return linear_accuracy(x, speaker, x_test, test_speaker, max_iter=2000)
