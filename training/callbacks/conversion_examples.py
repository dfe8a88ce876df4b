"""Callback that writes audio and pictures of converted voices for the report of a run."""

import numpy as np
from keras import ops

from keras_ae import audio
from keras_ae.training.callbacks.speech_examples import ITERATIONS, SpeechExamples, to_numpy
from keras_ae.training.report.examples import Listening
from keras_ae.training.report.speech_plots import speech_timeline


class ConversionExamples(SpeechExamples):
    """Callback that writes `listening/` at the end of the training of a `models.VoiceConverter`.

    Each example contains a test utterance (the source), an utterance of the speaker of the next example
    (the target), the source's mel bands inverted by Griffin-Lim, the reconstruction, and the source
    converted to the voice of the target.

    Args:
        data: `SpeechData`, from which test utterances are chosen.
        directory: the run directory.
        examples: number of examples, of different speakers if there are several.
    """

    def _example(self, row):
        split, rate = self.data.test, self.data.sample_rate
        other = self.rows[(self.rows.index(row) + 1) % len(self.rows)]
        frames = self._frames(row, other)
        recordings = {
            "source": audio.wav_bytes(split.waveform(row), rate),
            "target": audio.wav_bytes(split.waveform(other), rate),
            "source, by Griffin-Lim": self._sound(frames["source"]),
            "reconstruction": self._sound(frames["reconstruction"]),
            "source in the voice of target": self._sound(frames["converted"]),
        }
        phones = [(start / rate, name) for start, name in split.phones_of(row) or ()]
        seconds = split.lengths[row] / rate
        picture = speech_timeline({name: x[0] for name, x in frames.items()}, seconds, phones=phones)
        return Listening(self._names(row, other), recordings, picture)

    def _frames(self, row, other):
        """Return `{name: (1, frames, mels)}` of the source, its reconstruction and its conversion."""
        model, source, target = self.model, self._inputs(row), self._inputs(other)
        voice = target if model.speaker_encoder is not None else target["speaker"]
        return {
            "source": to_numpy(model.frames(source)[0]),
            "reconstruction": to_numpy(model.reconstruct(source)),
            "converted": to_numpy(model.convert(source, voice)),
        }

    def _inputs(self, row):
        split = self.data.test
        waveform = split.waveform(row)[None]
        inputs = {"x": ops.convert_to_tensor(waveform), "lengths": ops.array([waveform.shape[1]], "int32")}
        if split.speaker is None:
            return inputs
        return {**inputs, "speaker": ops.array([int(split.speaker[row])], "int32")}

    def _sound(self, frames):
        waveform = self.model.to_waveform(frames, iterations=ITERATIONS)
        return audio.wav_bytes(np.asarray(waveform)[0], self.data.sample_rate)

    def _names(self, row, other):
        """Return the title of the source, with the speaker of the target."""
        split = self.data.test
        voice = f"utterance {other}" if split.speaker is None else self.data.speakers[split.speaker[other]]
        return f"{self._title(row)}, in the voice of {voice}"
