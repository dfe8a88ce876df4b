"""Program that synthesises speech with espeak-ng in a separate process.

    python -P espeak_synthesis.py OUTPUT.npz < utterances.json

espeak-ng keeps state from one utterance to the next (the phase of its voice, its noise),
which no call resets: the same utterances give the same samples only if they are spoken in
the same order by a fresh process. Therefore this file imports nothing from keras_ae, and only its
tests import it.

Standard input contains a list of `{"text", "voice", "rate", "pitch"}`: rate in words per minute, and
pitch from 0 to 99. The output contains `audio`, int16 at `sample_rate`, with utterance i in
`audio[offsets[i]:offsets[i + 1]]`, and its phones `phone_name[phone_offsets[i]:...]`, which
begin at the samples `phone_start`.
"""

import ctypes
import json
import sys
from typing import Any

import numpy as np

SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: samples come to the callback before Synth returns
PHONEME_EVENTS = 1
DONT_EXIT = 0x8000  # an error is returned; the default ends the process
END_OF_EVENTS, PHONEME = 0, 7
RATE, PITCH = 1, 3
BY_CHARACTER, UTF8 = 1, 1
SEED = 1
PAUSE = "_"
STRESS_MARKS = "',"  # espeak-ng 1.52 writes them before a stressed vowel, earlier versions do not


class EventId(ctypes.Union):
    """Field `id` of an `espeak_EVENT`: the name of the phone if the event is a phone."""

    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class Event(ctypes.Structure):
    """Structure `espeak_EVENT` of `speak_lib.h`."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", EventId),
    ]


SYNTH_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


class Synthesizer:
    """Synthesiser of espeak-ng, created once in a process.

    Args:
        library: path of `libespeak-ng`.
        data: path of its folder `espeak-ng-data`.
    """

    def __init__(self, library: str, data: str):
        self.espeak = ctypes.CDLL(library)
        self.sample_rate = self.espeak.espeak_Initialize(
            SYNCHRONOUS, 0, data.encode(), PHONEME_EVENTS | DONT_EXIT
        )
        if self.sample_rate <= 0:
            raise RuntimeError(f"espeak-ng does not start with the data in {data}")
        if hasattr(self.espeak, "espeak_ng_SetRandSeed"):  # since 1.52; before, seeded by the clock
            self.espeak.espeak_ng_SetRandSeed(ctypes.c_long(SEED))
        self._callback = SYNTH_CALLBACK(self._receive)  # the library keeps no reference to the callback
        self.espeak.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, voice: str, rate: int, pitch: int) -> tuple[np.ndarray, list[tuple[int, str]]]:
        """Return `(audio int16 (samples,), [(first sample, phone), ...])` of one utterance."""
        self._audio: list[np.ndarray] = []
        self._phones: list[tuple[int, str]] = []
        if self.espeak.espeak_SetVoiceByName(voice.encode()):
            raise RuntimeError(f"espeak-ng has no voice {voice}")
        self.espeak.espeak_SetParameter(RATE, rate, 0)
        self.espeak.espeak_SetParameter(PITCH, pitch, 0)
        words = text.encode()
        failed = self.espeak.espeak_Synth(words, len(words) + 1, 0, BY_CHARACTER, 0, UTF8, None, None)
        if failed or not self._audio:
            raise RuntimeError(f"espeak-ng gives no speech for {text!r} with the voice {voice}")
        return np.concatenate(self._audio), self._phones

    def _receive(self, samples, count, events):
        if samples and count > 0:
            self._audio.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for event in events:
            if event.type == END_OF_EVENTS:
                return 0
            if event.type == PHONEME:
                name = event.id.string.decode("utf-8", "replace")
                self._phones.append((event.sample, name.lstrip(STRESS_MARKS) or name or PAUSE))


def synthesize(utterances: list[dict], synthesizer: Synthesizer) -> dict[str, np.ndarray]:
    """Return the arrays of the output, see the docstring of the module."""
    results = [synthesizer.speak(**utterance) for utterance in utterances]
    phones = [phone for _, found in results for phone in found]
    return {
        "audio": np.concatenate([audio for audio, _ in results]),
        "offsets": np.cumsum([0, *(len(audio) for audio, _ in results)]),
        "phone_start": np.array([start for start, _ in phones], "int64"),
        "phone_name": np.array([name for _, name in phones]),
        "phone_offsets": np.cumsum([0, *(len(found) for _, found in results)]),
        "sample_rate": np.array(synthesizer.sample_rate),
    }


def main(output: str) -> None:
    """Speak the utterances of standard input and write them to `output`."""
    import espeakng_loader

    synthesizer = Synthesizer(espeakng_loader.get_library_path(), espeakng_loader.get_data_path())
    arrays: dict[str, Any] = synthesize(json.load(sys.stdin), synthesizer)
    np.savez(output, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
