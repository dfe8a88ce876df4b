"""Sentences spoken by espeak-ng in many voices, with exact phone boundaries."""

import hashlib
import json
import random
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np

from keras_ae.data_files import SPLITS
from keras_ae.errors import InputError
from keras_ae.files import cache_folder, write_to_cache
from keras_ae.training.datasets._arrays import DAMAGED
from keras_ae.training.datasets.speech._stores import WaveformStore
from keras_ae.training.datasets.speech.data import PhoneAlignment, SpeechSource

LANGUAGE = "en-us"
NOT_PLAIN_VOICES = ("whisper", "fast", "robo", "demon", "half", "storm", "croak")
RATES, PITCHES = (150, 200), (40, 60)
SENTENCE_SEEDS = {"train": 1, "test": 2, "validation": 3}  # in the order in which they are spoken
VERSION = 1  # version of the arrays in the cache

WORDS = {
    "determiner": "the a this every that some one my your our",
    "adjective": "small large old young quiet bright heavy simple broken yellow frozen distant",
    "noun": "river teacher garden window ship farmer letter village machine horse picture doctor forest "
    "engine child bridge",
    "verb": "found carried watched followed opened changed crossed painted covered measured visited repaired",
    "preposition": "near under behind before without beyond across above",
}
SENTENCE = (
    *("determiner", "adjective", "noun", "verb", "determiner", "noun"),
    *("preposition", "determiner", "adjective", "noun"),
)


def read_espeak(
    *,
    sample_rate: int = 16_000,
    voices: int = 24,
    train_sentences: int = 12,
    validation_sentences: int = 2,
    test_sentences: int = 6,
    seed: int = 0,
) -> SpeechSource:
    """Synthesise English sentences of ten words in `voices` voices.

    The default is 24 minutes of speech, which takes about five seconds to synthesise.
    Each voice speaks its own sentences, no sentence is in two splits, at a rate of 150 to 200
    words per minute and a pitch of 40 to 60 (of 99). Voices are variants of one American
    English: they differ in the speaker only. The same arguments and version of espeak-ng give
    the same samples; they are kept in the cache (`KERAS_AE_CACHE`, by default
    `~/.cache/keras_ae`). The library espeak-ng is licensed under the GPL-3; it runs in a separate process.

    Args:
        sample_rate: sample rate in Hz, to which the 22,050 Hz of espeak-ng are resampled.
        voices: number of speakers, drawn from the plain voices (no whispering, no robots).
        train_sentences: training sentences per voice.
        validation_sentences: validation sentences per voice.
        test_sentences: test sentences per voice.
        seed: seed of the draw of voices, sentences, rates and pitches.

    Raises:
        ImportError: the wheel espeakng-loader is not installed.
        InputError: there are fewer voices, or a number is too small.
    """
    counts = {"train": train_sentences, "validation": validation_sentences, "test": test_sentences}
    if min(voices, train_sentences, sample_rate) < 1 or min(seed, validation_sentences, test_sentences) < 0:
        raise InputError(
            "voices, train_sentences and sample_rate must be at least 1; seed, validation_sentences and "
            "test_sentences must be at least 0. "
            f"Received: {voices} voices, {counts} sentences, seed {seed}, {sample_rate} Hz"
        )
    library = _loader()
    utterances = draw_utterances(available_voices(library.get_data_path()), voices, counts, seed)
    speakers = list(dict.fromkeys(utterance["voice"] for utterance in utterances))
    corpus = _cached_corpus(utterances, sample_rate)
    return SpeechSource(
        name="espeak",
        origin=f"sentences spoken by espeak-ng ({version('espeakng-loader')})",
        store=WaveformStore(corpus["audio"], corpus["offsets"], sample_rate, "speech of espeak-ng"),
        columns={
            "speaker": np.array([speakers.index(utterance["voice"]) for utterance in utterances], "int64")
        },
        names={"speaker": tuple(speaker.partition("+")[2] for speaker in speakers)},
        splits=np.array([utterance["split"] for utterance in utterances]),
        texts=[utterance["text"] for utterance in utterances],
        phones=PhoneAlignment(
            corpus["phone_start"], corpus["phone"], corpus["phone_offsets"], corpus["phone_names"].tolist()
        ),
        details={"voices": voices, **{f"{split}_sentences": counts[split] for split in SPLITS}},
    )


def available_voices(data_path: str) -> list[str]:
    """Return the plain voice variants in the data folder of espeak-ng."""
    files = (Path(data_path) / "voices" / "!v").iterdir()
    names = sorted(file.name for file in files if not file.name.startswith("."))
    return [name for name in names if not any(word in name.lower() for word in NOT_PLAIN_VOICES)]


def draw_sentences(count: int, seed: int) -> list[str]:
    """Draw sentences of ten words with one grammatical structure.

    Example:

    >>> draw_sentences(1, seed=1000)
    ['one frozen window crossed some garden above this broken engine']
    """
    choice = random.Random(seed).choice
    words = {kind: listed.split() for kind, listed in WORDS.items()}
    return [" ".join(choice(words[kind]) for kind in SENTENCE) for _ in range(count)]


def draw_utterances(available: list[str], voices: int, counts: dict[str, int], seed: int) -> list[dict]:
    """Draw `{"split", "voice", "text", "rate", "pitch"}` of every utterance, in the order of speaking."""
    if voices > len(available):
        raise InputError(
            f"voices must be at most {len(available)}, the plain voices of espeak-ng. "
            f"Received: voices={voices}"
        )
    draw, shuffled = random.Random(seed), list(available)
    draw.shuffle(shuffled)
    return [
        {
            "split": split,
            "voice": f"{LANGUAGE}+{voice}",
            "text": text,
            "rate": draw.randint(*RATES),
            "pitch": draw.randint(*PITCHES),
        }
        for split, number in SENTENCE_SEEDS.items()
        for row, voice in enumerate(shuffled[:voices])
        for text in draw_sentences(counts[split], (10 * seed + number) * 1000 + row)
    ]


def _loader():
    try:
        import espeakng_loader
    except ImportError:
        raise ImportError("Speech of espeak-ng requires its wheel: pip install 'keras-ae[espeak]'") from None
    return espeakng_loader


def _cached_corpus(utterances, sample_rate):
    settings = json.dumps([VERSION, version("espeakng-loader"), sys.platform, sample_rate, utterances])
    path = cache_folder() / f"espeak-{hashlib.sha256(settings.encode()).hexdigest()[:20]}.npz"
    if path.exists():
        try:
            with np.load(path) as file:
                return {key: file[key] for key in file.files}
        except DAMAGED:
            pass  # written again
    corpus = synthesize_in_process(utterances, sample_rate)
    write_to_cache(path, lambda file: np.savez(file, **corpus))
    return corpus


def synthesize_in_process(utterances: list[dict], sample_rate: int) -> dict[str, np.ndarray]:
    """Speak utterances in a fresh process, see `espeak_synthesis`; resample the audio and number the phones.

    Raises:
        RuntimeError: espeak-ng fails; the message contains its output.
    """
    rows = [{key: row[key] for key in ("text", "voice", "rate", "pitch")} for row in utterances]
    with tempfile.TemporaryDirectory() as folder:
        output = str(Path(folder) / "speech.npz")
        program = str(Path(__file__).with_name("espeak_synthesis.py"))
        done = subprocess.run(
            [sys.executable, "-P", program, output], input=json.dumps(rows), text=True, capture_output=True
        )
        if done.returncode:
            raise RuntimeError(f"espeak-ng cannot speak: {done.stderr.strip()[-400:]}")
        with np.load(output) as file:
            speech = {key: file[key] for key in file.files}
    rate = int(speech["sample_rate"])
    names, phones = np.unique(speech["phone_name"], return_inverse=True)
    alignment = PhoneAlignment(speech["phone_start"], phones, speech["phone_offsets"], names.tolist())
    store = WaveformStore(speech["audio"], speech["offsets"], rate, "speech of espeak-ng").resampled(
        sample_rate
    )
    return {
        "audio": store.audio,
        "offsets": store.offsets,
        "phone_start": alignment.resampled(rate, sample_rate).starts,
        "phone": phones.astype("int64"),
        "phone_offsets": alignment.offsets,
        "phone_names": names,
    }
