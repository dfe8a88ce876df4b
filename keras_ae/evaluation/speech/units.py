"""What units of speech, one code for a few frames, tell of the phone and of the speaker."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_ae.evaluation.speech.frame_probes import encode_utterances, linear_accuracy


def units_and_embeddings(model, split) -> tuple[list | None, list[np.ndarray]]:
    """Units and embedding of each utterance of a `SpeechSplit`, by a trained `SpeechAutoEncoder`.

    Returns:
        `(units, embeddings)`: int64 `(codes,)` and float32 `(codes, dim)` of each utterance; units are
        `None` without a discrete bottleneck. Several bits or levels of a code make one number.
    """
    function = tf.function(model.endpoints()["encode"].function, reduce_retracing=True)

    def encode(batch):
        found = function(x=batch["x"], lengths=batch["lengths"])
        parts = [found["embedding"]]
        if model.discrete:
            codes = tf.cast(found["codes"], tf.float32)
            parts.append(codes if len(codes.shape) == 3 else codes[..., None])
        return tf.concat(parts, axis=-1), found["code_lengths"]

    frames = encode_utterances(split, encode)
    if not model.discrete:
        return None, frames
    columns = 1 if len(model.code_shape) == 1 else model.code_shape[-1]
    powers = model.bottleneck.num_values ** np.arange(columns)
    units = [one[:, -columns:].astype("int64") @ powers for one in frames]
    return units, [one[:, :-columns] for one in frames]


def number_of_units(model) -> int:
    """How many different units the bottleneck of a discrete model has."""
    columns = 1 if len(model.code_shape) == 1 else model.code_shape[-1]
    return model.bottleneck.num_values**columns


def phones_of_frames(split, hop: int) -> list[np.ndarray]:
    """The phone that sounds at each frame of each utterance, int64 `(frames,)`."""
    return [split.phone_frames(i, 1 + length // hop, hop) for i, length in enumerate(split.lengths)]


def units_of_frames(units: Sequence[np.ndarray], phones: Sequence[np.ndarray], frames_per_unit: int):
    """`(unit of each frame, its phone)`, all utterances in one."""
    spread = [np.repeat(u, frames_per_unit)[: len(p)] for u, p in zip(units, phones, strict=True)]
    return np.concatenate(spread), np.concatenate(phones)


def majority_phones(units, phones, num_units: int) -> np.ndarray:
    """The phone that most frames of each unit have, int64 `(num_units,)`; -1 where it has no frame.

    Args:
        units, phones: of training frames, `(frames,)`.

    Example:

    >>> majority_phones([0, 0, 0, 2], [5, 5, 3, 1], num_units=3).tolist()
    [5, -1, 1]
    """
    counts = np.zeros((num_units, int(np.max(phones)) + 1), "int64")
    np.add.at(counts, (np.asarray(units), np.asarray(phones)), 1)
    return np.where(counts.any(axis=1), counts.argmax(axis=1), -1)


def purity(phone_of_unit, units, phones) -> float:
    """Share of frames whose phone is the one that stands for their unit.

    Args:
        phone_of_unit: of `majority_phones`, made of training frames.
        units, phones: of test frames, `(frames,)`.
    """
    return float(np.mean(phone_of_unit[np.asarray(units)] == np.asarray(phones)))


def histograms(units: Sequence[np.ndarray], num_units: int) -> np.ndarray:
    """Share of each unit in each utterance, `(utterances, num_units)`."""
    return np.stack([np.bincount(one, minlength=num_units) / len(one) for one in units])


def usage(units: Sequence[np.ndarray], num_units: int) -> float:
    """Share of the units that occur at least once."""
    return len(np.unique(np.concatenate(units))) / num_units


def histogram_speaker_accuracy(units, speaker, test_units, test_speaker, num_units: int) -> float:
    """How often a linear probe reads the speaker of a test utterance from how often it has each unit."""
    x, x_test = histograms(units, num_units), histograms(test_units, num_units)
    return linear_accuracy(x, speaker, x_test, test_speaker, max_iter=2000)
