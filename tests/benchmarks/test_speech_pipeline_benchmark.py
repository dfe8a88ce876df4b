"""The measures of the speech pipeline, on a few made-up utterances."""

import numpy as np
import pytest

from keras_ae.training.datasets import SpeechSplit, load_speech
from keras_ae.training.datasets.speech._stores import WaveformStore


@pytest.fixture
def speech_pipeline(benchmark_module):
    return benchmark_module("speech_pipeline")


@pytest.fixture
def split(monkeypatch, speech_pipeline):
    """Four seconds of noise: eight utterances of half a second."""
    monkeypatch.setattr(speech_pipeline, "FILES", 8)
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 64_000).astype("float32")
    return SpeechSplit(WaveformStore(noise, 8000 * np.arange(9), 16_000, "noise"), np.arange(8))


def test_every_source_holds_the_same_audio(speech_pipeline, split, tmp_path):
    sources = speech_pipeline.write_sources(split, tmp_path)
    assert set(sources) == {"npz", "wav", "flac", "wav_44100"}
    for kind, path in sources.items():
        read = load_speech(path, level=None, test_fraction=0, validation_fraction=0).train
        # windows of 0.25 s of each; one sample more after 44.1 kHz and back
        assert speech_pipeline.epoch(read) == pytest.approx(4, abs=8 / 16_000), kind
        assert speech_pipeline.epoch(read, crop=4000) == pytest.approx(2), kind


def test_rate_is_audio_over_core_time(monkeypatch, speech_pipeline):
    times = iter(range(100))
    monkeypatch.setattr(speech_pipeline, "core_seconds", lambda: 60 * next(times))
    # 7200 seconds of audio in a minute of a core
    assert speech_pipeline.hours_per_minute(lambda: 7200) == [2.0] * speech_pipeline.REPEATS


def test_records_are_records(tmp_path, speech_pipeline, benchmark_module):
    row = speech_pipeline.record([0.01, 0.02, 0.03], 1.23, "share", "<= 0.05")
    assert (row["mean"], row["n"]) == (pytest.approx(0.02), 3)
    assert row["sd"] == pytest.approx(0.01)
    records = benchmark_module("parts.records")
    written = records.write_records(tmp_path / "a.json", {"speech.pipeline.a": row})
    assert records.is_met(written["speech.pipeline.a"])
