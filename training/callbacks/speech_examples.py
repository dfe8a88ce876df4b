"""Callback that writes audio and pictures of utterances for the report of a run."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_ae import audio
from keras_ae.evaluation.attempts import attempt
from keras_ae.layers import LogMelSpectrogram
from keras_ae.ops.core import exporting
from keras_ae.training.report.examples import Listening, write_listening
from keras_ae.training.report.speech_plots import speech_timeline

ITERATIONS = 32  # iterations of Griffin-Lim


class SpeechExamples(keras.callbacks.Callback):
    """Callback that writes `listening/` at the end of the training: audio, spectrograms, phones and codes.

    For a model that decodes to the mel bands of its `target` (`models.SpeechAutoEncoder`) these are the
    original, its mel bands inverted by Griffin-Lim, the reconstruction, and the same
    words in another voice. For any other model only the original is written.

    Args:
        data: `SpeechData`, from which test utterances are chosen.
        directory: the run directory.
        examples: number of examples, of different speakers if there are several.
    """

    def __init__(self, data: Any, directory: Any, *, examples: int = 4):
        super().__init__()
        self.data = data
        self.directory = str(directory)
        self.rows = _of_different_speakers(data.test, examples)

    def on_train_end(self, logs: dict | None = None) -> None:
        attempt(f"examples of {type(self).__name__}", self._write)

    def _write(self):
        with exporting():  # the bottleneck counts no codes and adds no losses
            examples = [self._example(row) for row in self.rows]
        write_listening(self.directory, examples)

    def _example(self, row):
        split, rate = self.data.test, self.data.sample_rate
        waveform = split.waveform(row)
        recordings = {"original": audio.wav_bytes(waveform, rate)}
        spectrograms = {"input": to_numpy(LogMelSpectrogram(sample_rate=rate)(waveform[None]))[0]}
        if hasattr(self.model, "target") and hasattr(self.model, "to_waveform"):
            spectrograms = self._decoded(row, waveform, recordings)
        codes = None
        if getattr(self.model, "discrete", False):
            codes = to_numpy(self.model.encode(waveform[None]))[0]
            codes = codes if codes.ndim == 1 else _combined(codes)
        phones = [(start / rate, name) for start, name in split.phones_of(row) or ()]
        seconds = len(waveform) / rate
        picture = speech_timeline(spectrograms, seconds, phones=phones, codes=codes)
        return Listening(self._title(row), recordings, picture)

    def _decoded(self, row, waveform, recordings):
        """Add the decoded audio to `recordings`; return the spectrograms."""
        voices = {"reconstruction": self.data.test.speaker[row], **self._other_voice(row)}
        target = self.model.target
        frames = {"input": to_numpy(target(waveform[None]))}
        recordings["original, by Griffin-Lim"] = self._sound(frames["input"])
        for label, speaker in voices.items():
            inputs = {"x": ops.convert_to_tensor(waveform[None]), "speaker": ops.array([speaker], "int32")}
            frames[label] = to_numpy(self.model.reconstruct(inputs))
            recordings[label] = self._sound(frames[label])
        return {label: values[0] for label, values in frames.items() if label in ("input", "reconstruction")}

    def _other_voice(self, row):
        """Return `{label: number}` of another speaker; empty if there is only one."""
        speakers = self.data.speakers
        if len(speakers) < 2:
            return {}
        other = (int(self.data.test.speaker[row]) + len(speakers) // 2) % len(speakers)
        return {f"in the voice of {speakers[other]}": other}

    def _sound(self, frames):
        """Return the WAV bytes of frames of the target, `(1, frames, mels)`."""
        waveform = self.model.to_waveform(frames, iterations=ITERATIONS)
        return audio.wav_bytes(waveform[0], self.data.sample_rate)

    def _title(self, row):
        split = self.data.test
        parts = [self.data.speakers[split.speaker[row]]] if split.speaker is not None else []
        if split.texts is not None and split.texts[row]:
            parts.append(f"“{split.texts[row]}”")
        elif split.label is not None:
            parts.append(self.data.labels[split.label[row]])
        return ": ".join(parts) or f"utterance {row}"


def _of_different_speakers(split, examples):
    """Return one utterance each of speakers spread over all; without speakers, the first utterances."""
    if split.speaker is None:
        return list(range(min(examples, len(split))))
    first = np.sort(np.unique(split.speaker, return_index=True)[1])
    return [int(row) for row in first[np.linspace(0, len(first) - 1, min(examples, len(first))).astype(int)]]


def _combined(codes):
    """Return one number per frame of several codes: equal numbers mean equal codes."""
    return np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)


def to_numpy(tensor: Any) -> np.ndarray:
    """Convert a tensor to an array, floats to float32."""
    return ops.convert_to_numpy(ops.cast(tensor, "float32") if "float" in str(tensor.dtype) else tensor)
