"""Conversions of a set of utterances by a trained voice converter, and their judgement."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from keras_ae.errors import InputError
from keras_ae.evaluation.speech.conversion_judge import ConversionJudge
from keras_ae.evaluation.speech.distortion import global_variance_ratio, mel_cepstral_distortion
from keras_ae.evaluation.speech.frame_probes import frames_of_utterances
from keras_ae.evaluation.speech.vocoding import copy_synthesis, frames_of_waveforms, vocode
from keras_ae.layers import LogMelSpectrogram

BATCH = 50  # number of conversions decoded together


@dataclass(frozen=True)
class Conversions:
    """Conversions of utterances to voices, with one entry per conversion.

    Attributes:
        frames: log-mel frames `(frames, mels)`, not normalised.
        rows: index of the converted utterance, int64 `(conversions,)`.
        target: number of the target speaker, int64 `(conversions,)`.
    """

    frames: list[np.ndarray]
    rows: np.ndarray
    target: np.ndarray


def conversion_frames(sample_rate: int) -> LogMelSpectrogram:
    """Return the frame layer for voice conversion: log magnitudes in 80 bands, 32 ms every 8 ms."""
    window = sample_rate * 32 // 1000
    return LogMelSpectrogram(
        80,
        sample_rate=sample_rate,
        window_length=window,
        hop=window // 4,
        fft_length=2 ** (2 * window - 1).bit_length(),
        power=1.0,
        floor=1e-4,
    )


def waveforms_of(*splits: Any) -> list[np.ndarray]:
    """Return the waveforms of all utterances of some `SpeechSplit`s."""
    return [split.waveform(i) for split in splits for i in range(len(split))]


def fit_judge(splits: Sequence, sample_rate: int, path: str | Path | None = None) -> ConversionJudge:
    """Return a judge fitted on all utterances of `splits`, recorded and copy-synthesised.

    Args:
        splits: `SpeechSplit`s with speakers and labels; their utterances must not be converted later.
        sample_rate: sample rate of their waveforms in Hz.
        path: file to load the judge from if it exists, and to save it to otherwise.
    """
    if path is not None and Path(path).exists():
        return ConversionJudge.load(path)
    waveforms = waveforms_of(*splits)
    judge = ConversionJudge(sample_rate).fit(
        waveforms,
        speaker=np.concatenate([split.speaker for split in splits]),
        content=np.concatenate([split.label for split in splits]),
        copies=copy_synthesis(waveforms, conversion_frames(sample_rate)),
    )
    if path is not None:
        judge.save(path)
    return judge


def contents_of(model: Any, split: Any) -> list[np.ndarray]:
    """Return the content of each utterance, `(codes, content_dim)`."""
    function = tf.function(model.endpoints()["content"].function, reduce_retracing=True, autograph=False)

    def encode(batch):
        found = function(x=batch["x"], lengths=batch["lengths"])
        return found["content"], found["code_lengths"]

    return frames_of_utterances(split, encode)


def voices_of(model: Any, split: Any) -> np.ndarray:
    """Return the output of the speaker encoder for each utterance, `(utterances, speaker_dim)`."""
    function = tf.function(model.endpoints()["speaker"].function, reduce_retracing=True, autograph=False)

    def encode(batch):
        found = function(x=batch["x"], lengths=batch["lengths"])["speaker"]
        return found[:, None], tf.ones_like(batch["lengths"])

    return np.concatenate(frames_of_utterances(split, encode))


def mean_voices(voices: np.ndarray, speaker: np.ndarray) -> dict[int, np.ndarray]:
    """Return `{speaker: mean voice of all utterances of the speaker}`."""
    return {int(s): voices[speaker == s].mean(axis=0) for s in np.unique(speaker)}


def other_speakers(speaker: np.ndarray, targets: Sequence[int] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `(rows, target)`: every utterance paired with each of `targets` other than its own speaker."""
    pairs = [(row, t) for row, own in enumerate(speaker) for t in targets if t != own]
    rows, target = np.array(pairs, "int64").reshape(-1, 2).T
    return rows, target


def convert_all(
    model: Any,
    split: Any,
    contents: Sequence[np.ndarray],
    rows: np.ndarray,
    target: np.ndarray,
    voices: np.ndarray | None = None,
) -> Conversions:
    """Decode the content of utterance `rows[i]` in the voice `voices[i]` for all `i`.

    Args:
        model: a `VoiceConverter` with a front end.
        split: `SpeechSplit` of the utterances.
        contents: the result of `contents_of`.
        rows, target: utterance and target speaker of each conversion, int64 `(conversions,)`.
        voices: `(conversions, speaker_dim)`; `None`: `target` itself, for a model with a table of speakers.
    """
    voices = np.asarray(target, "int32") if voices is None else np.asarray(voices, "float32")

    @tf.function(reduce_retracing=True, autograph=False)
    def decode(x, counts, voices):
        return model.log_mel(model.decode(x, counts, voices))[1]

    layer = mel_layer(model)
    order = np.argsort([len(contents[row]) for row in rows], kind="stable")
    frames: list = [None] * len(rows)
    for first in range(0, len(order), BATCH):
        chosen = order[first : first + BATCH]
        counts = np.array([len(contents[rows[i]]) for i in chosen], "int32")
        x = np.zeros((len(chosen), counts.max(), contents[0].shape[1]), "float32")
        for one, i in zip(x, chosen, strict=True):
            one[: len(contents[rows[i]])] = contents[rows[i]]
        converted = ops.convert_to_numpy(decode(x, counts, voices[chosen]))
        for one, i in zip(converted, chosen, strict=True):
            frames[i] = one[: layer.frames_of(int(split.lengths[rows[i]]))]
    return Conversions(frames, np.asarray(rows), np.asarray(target))


def convert_pairs(
    model: Any, sources: Any, rows: np.ndarray, examples: Any, chosen: np.ndarray
) -> Conversions:
    """Convert utterance `rows[i]` of `sources` to the voice of utterance `chosen[i]` of `examples`.

    Args:
        model: a `VoiceConverter` with a front end and a speaker encoder.
        sources, examples: `SpeechSplit`s; `examples` with speakers.
        rows, chosen: indices of the utterances, int64 `(conversions,)`.
    """

    @tf.function(reduce_retracing=True, autograph=False)
    def convert(x, lengths, example, example_lengths):
        frames = model.convert({"x": x, "lengths": lengths}, {"x": example, "lengths": example_lengths})
        return model.log_mel(frames)[1]

    layer = mel_layer(model)
    frames: list[Any] = [None] * len(rows)
    order = np.argsort(sources.lengths[rows], kind="stable")
    for first in range(0, len(order), BATCH):
        batch = order[first : first + BATCH]
        x, lengths = _padded([sources.waveform(row) for row in rows[batch]])
        converted = convert(x, lengths, *_padded([examples.waveform(row) for row in chosen[batch]]))
        for one, length, i in zip(ops.convert_to_numpy(converted), lengths, batch, strict=True):
            frames[i] = one[: layer.frames_of(int(length))]
    return Conversions(frames, np.asarray(rows), examples.speaker[chosen])


def _padded(waveforms):
    lengths = np.array([len(waveform) for waveform in waveforms], "int32")
    x = np.zeros((len(waveforms), lengths.max()), "float32")
    for one, waveform in zip(x, waveforms, strict=True):
        one[: len(waveform)] = waveform
    return x, lengths


def mel_layer(model: Any) -> LogMelSpectrogram:
    """Return the `LogMelSpectrogram` of a model's front end."""
    if model.front_end is None:
        raise InputError("The model must have a front end from waveforms to frames. Received: front_end=None")
    return next(layer for layer in model.front_end.layers if isinstance(layer, LogMelSpectrogram))


def judged(
    conversions: Conversions,
    split: Any,
    layer: LogMelSpectrogram,
    judge: ConversionJudge,
    recorded: tuple[Any, list[np.ndarray]] | None = None,
    distances: bool = True,
) -> dict[str, Any]:
    """Judge conversions, and return one row of a table of converters.

    Args:
        conversions: conversions of utterances of `split`.
        split: `SpeechSplit` with speakers and labels.
        layer: the `LogMelSpectrogram` that defines the frames.
        judge: a `ConversionJudge`.
        recorded: `(split, frames of its utterances)` with recordings of the target speakers for
            comparison; `None`: the recordings of `split`.
        distances: whether to measure `mcd` and `gv`; if false, the row has the results of the judge only.

    Returns:
        The row of `ConversionJudge.table_row` with `mcd`, the distortion with respect to the nearest
        recording of the target with the same content, averaged over the conversions for which there is
        one; and `gv`, the variance ratio, averaged over conversions.
    """
    source, content = split.speaker[conversions.rows], split.label[conversions.rows]
    waveforms = vocode(conversions.frames, layer)
    row = judge.table_row(waveforms, source=source, target=conversions.target, content=content)
    if not distances:
        return row
    references, frames = recorded or (split, frames_of_waveforms(waveforms_of(split), layer))
    scale = 1.0 / (layer.log_scale * layer.power)
    distortions = _distortions(conversions, content, references, [scale * one for one in frames], scale)
    found = {"mcd": float(np.mean(distortions))} if distortions else {}
    return {**row, **found, "gv": _variance(conversions, references, frames)}


def _distortions(conversions, content, references, frames, scale):
    """Return the distortions with respect to the nearest recording of the target with the same content."""
    found = []
    for one, target, label in zip(conversions.frames, conversions.target, content, strict=True):
        same = np.flatnonzero((references.speaker == target) & (references.label == label))
        if len(same):
            found.append(min(mel_cepstral_distortion(scale * one, frames[i]) for i in same))
    return found


def _variance(conversions, references, frames):
    """Return the variance ratio, averaged over conversions."""
    total = 0.0
    for target in np.unique(conversions.target):
        of = np.flatnonzero(conversions.target == target)
        recorded = [frames[i] for i in np.flatnonzero(references.speaker == target)]
        total += len(of) * global_variance_ratio([conversions.frames[i] for i in of], recorded)
    return float(total / len(conversions.rows))
