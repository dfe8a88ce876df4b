"""Noise at the level that is stated, and records of all that was measured."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_ae.training.recipes import SpeechVqVaeRecipe


@pytest.fixture
def noise(benchmark_module):
    return benchmark_module("parts.speech_vqvae_noise")


class Split:
    """Utterances of four speakers, each a tone of its own."""

    def __init__(self, examples):
        self.speaker = np.arange(examples) % 12

    def __len__(self):
        return len(self.speaker)

    def waveform(self, i):
        return np.sin(np.arange(400 + 10 * i) * (0.2 + 0.1 * self.speaker[i])).astype("float32")


@pytest.mark.parametrize("kind", ["white", "babble"])
def test_noise_is_ten_decibels_below_the_utterance_and_the_same_again(noise, kind):
    data = SimpleNamespace(train=Split(24), test=Split(3), sample_rate=8000)
    first, second = noise.noisy(data, kind), noise.noisy(data, kind)
    for i in range(3):
        clean, mixed = data.test.waveform(i), first.waveform(i)
        ratio = 20 * np.log10(noise.rms(clean) / noise.rms(mixed - clean))
        assert abs(ratio - 10.0) < 1e-3  # float32 differences
        np.testing.assert_array_equal(mixed, second.waveform(i))


def test_babble_leaves_the_speaker_out(noise):
    split, rng = Split(24), np.random.default_rng(0)
    spectrum = np.abs(np.fft.rfft(noise.babble(split, 5, 4000, rng) * np.hanning(4000)))
    frequency = np.arange(len(spectrum)) * 2 * np.pi / 4000
    heard = [spectrum[np.abs(frequency - (0.2 + 0.1 * s)) < 0.01].max() for s in range(12)]
    # utterances jump where they repeat, which spreads a little of each over all frequencies
    assert heard[5] < 0.1 * max(heard)


def test_every_record_is_written_and_the_goals_are_those_of_the_units(benchmark_module, tmp_path):
    records, writer = benchmark_module("parts.speech_vqvae_records"), benchmark_module("parts.records")
    heard = {"purity": 0.6, "phone": 0.7, "unchanged": 1.0}
    one = {"test": heard, "white": heard, "babble": heard, "minutes": 1.0, "epoch": 3, "validation": 0.2}
    one |= {"usage": 1.0, "unit_speaker": 0.4, "speaker": 0.5, "reconstruction": 0.2, "log_mel_speaker": 0.96}
    parts = {name: range(3) for name in ("train", "validation", "test")}
    data = SimpleNamespace(phones=("a",), speakers=("s",), **parts)
    recipe = SpeechVqVaeRecipe(num_embeddings=8)
    results = {"vq": [one, {**one, "unit_speaker": 0.5}], "none": [one], "gumbel": []}
    found = writer.write_records(tmp_path / "r.json", records.records_of(results, recipe, data))
    assert found["speech_vqvae.speaker_ratio"]["mean"] == pytest.approx(0.45 / 0.96)
    met = {
        name: writer.is_met(found[f"speech_vqvae.{name}"]) for name in ("purity", "usage", "speaker_ratio")
    }
    assert met == {"purity": True, "usage": True, "speaker_ratio": True}
    assert found["speech_vqvae.noise.white.none.unchanged"]["n"] == 1
    assert not any("gumbel" in name for name in found)
