"""What the benchmark of contrastive predictive coding writes down, and how it leaves speakers out."""

from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture
def benchmark(benchmark_module):
    return benchmark_module("contrastive_predictive_coding")


@pytest.fixture
def digits_of(benchmark_module):
    return benchmark_module("speech_probes").Digits


class Part(SimpleNamespace):
    """Labels and speakers of some utterances."""

    def __len__(self):
        return len(self.label)


def figures(phone):
    return {
        **{"phone": phone, "phone_random_init": 0.3, "speaker": 0.9},
        **{"epoch": 4, "minutes": 2.0, "training_minutes": 1.5},
    }


def test_records_are_means_over_seeds_with_their_goals(benchmark, benchmark_module, tmp_path):
    results = [figures(0.7), figures(0.8), figures(0.9)]
    records = benchmark.records_of("espeak", results, {"mfcc39.speaker": 0.8, "minutes": 1.0})
    names = {"phone", "phone_random_init", "speaker", "baseline.mfcc39.speaker"}
    assert set(records) == {f"cpc.espeak.{name}" for name in names}
    is_met = benchmark_module("records").is_met
    phone = records["cpc.espeak.phone"]
    assert (phone["mean"], phone["n"], phone["minutes"]) == (pytest.approx(0.8), 3, 6.0)
    assert phone["sd"] == pytest.approx(0.1)
    assert is_met(phone) and not is_met(records["cpc.espeak.speaker"])
    assert records["cpc.espeak.phone_random_init"]["goal"] == "<= 0.7000"  # 0.10 below the trained one
    benchmark.write_records(tmp_path / "records.json", records)


def test_figures_that_are_there_are_not_measured_again(benchmark, tmp_path):
    first = benchmark.cached(tmp_path / "a.json", lambda: {"phone": 0.5})
    assert benchmark.cached(tmp_path / "a.json", lambda: pytest.fail("measured again")) == first


def test_a_speaker_that_is_left_out_is_read_by_a_probe_of_the_others(digits_of):
    """Words lie on one axis, but the last speaker has them swapped: read by the others he is always wrong."""
    rng = np.random.default_rng(0)
    word, speaker = np.tile([0, 1], 60), np.repeat([0, 1, 2], 40)
    x = np.where(speaker == 2, 1 - word, word)[:, None] * 4.0 + rng.standard_normal((120, 1)) * 0.1
    parts = [slice(0, 90), slice(90, 120)]
    digits = digits_of([Part(label=word[p], speaker=speaker[p]) for p in parts])
    assert digits.leave_one_speaker_out(x, [2]) == {2: 0.0}


def test_the_official_test_is_the_last_split(digits_of):
    digits = digits_of(
        [Part(label=np.arange(4), speaker=np.zeros(4)), Part(label=np.arange(2), speaker=np.ones(2))]
    )
    assert digits.is_test.tolist() == [False] * 4 + [True] * 2
