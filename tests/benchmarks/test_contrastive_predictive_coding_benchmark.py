"""What the benchmark of contrastive predictive coding writes down, and how it leaves speakers out."""

from types import SimpleNamespace

import numpy as np
import pytest


@pytest.fixture
def benchmark(benchmark_module):
    return benchmark_module("contrastive_predictive_coding")


@pytest.fixture
def digits_of(benchmark_module):
    return benchmark_module("parts.speech_probes").Digits


class Part(SimpleNamespace):
    """Labels and speakers of some utterances."""

    def __len__(self):
        return len(self.label)


def one_result(phone):
    return {
        **{"phone": phone, "phone_random_init": 0.3, "speaker": 0.9},
        **{"epoch": 4, "minutes": 2.0, "training_minutes": 1.5, "realtime": 60.0},
    }


def test_records_are_means_over_seeds_with_their_goals(benchmark, benchmark_module, tmp_path):
    results = [one_result(0.7), one_result(0.8), one_result(0.9)]
    records = benchmark.records_of("espeak", results, {"mfcc39.speaker": 0.8, "minutes": 1.0})
    names = {"phone", "phone_random_init", "speaker", "baseline.mfcc39.speaker"}
    assert set(records) == {f"cpc.espeak.{name}" for name in names} | {"cpc.train.realtime"}
    assert records["cpc.train.realtime"]["mean"] == 60.0
    is_met = benchmark_module("parts.records").is_met
    phone = records["cpc.espeak.phone"]
    assert (phone["mean"], phone["n"], phone["minutes"]) == (pytest.approx(0.8), 3, 6.0)
    assert phone["sd"] == pytest.approx(0.1)
    assert is_met(phone) and not is_met(records["cpc.espeak.speaker"])
    assert records["cpc.espeak.phone_random_init"]["goal"] == "<= 0.7000"  # 0.10 below the trained one
    benchmark.write_records(tmp_path / "parts.records.json", records)


def test_the_audio_of_a_training_is_that_of_its_crops(benchmark):
    recipe = SimpleNamespace(crop_seconds=2.0, sample_rate=10, epochs=3)
    split = SimpleNamespace(lengths=np.array([15, 20, 50]))  # 1.5 s, 2 s, and a crop of 2 s
    assert benchmark.minutes_heard(recipe, split) == pytest.approx(3 * 5.5 / 60)


def test_results_that_exist_are_not_measured_again(benchmark, tmp_path):
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


def test_each_fold_is_read_by_a_probe_of_the_others(benchmark_module):
    """Four folds, in the last of which the labels are swapped: the majority of the others reads it wrong."""
    folded_accuracy = benchmark_module("parts.speech_probes").folded_accuracy
    labels, folds = np.tile([0, 1], 40), np.repeat([0, 1, 2, 3], 20)
    x = np.where(folds == 3, 1 - labels, labels)[:, None] * 4.0
    assert folded_accuracy(x, labels, folds) == 0.75


@pytest.fixture
def transfer(benchmark_module):
    return benchmark_module("contrastive_predictive_coding_transfer")


def test_the_last_second_of_each_recording_is_the_test(transfer):
    parts, whose, last = transfer.pieces([np.arange(25), np.arange(100, 110)], 10)
    assert [part.tolist()[::9] for part in parts] == [[15, 24], [5, 14], [100, 109]]
    assert whose.tolist() == [0, 0, 1] and last.tolist() == [True, False, True]


def test_more_recordings_are_cut_into_pieces_and_levelled(benchmark_module, tmp_path):
    training = benchmark_module("parts.contrastive_predictive_coding_training")
    rng = np.random.default_rng(0)
    audio = (rng.standard_normal(5 * 250) * 3000).astype("int16")
    np.savez(tmp_path / "a.npz", audio=audio, offsets=np.arange(6) * 250, sample_rate=100)
    own = training.as_split([0.3 * rng.standard_normal(40), 0.1 * rng.standard_normal(70)], 100)
    joint = training.with_more(own, [tmp_path / "a.npz"], 100, 1.0)
    assert joint.lengths.tolist() == [40, 70] + [100] * 10
    np.testing.assert_allclose([np.std(joint.waveform(i)) for i in range(12)], 0.05, rtol=0.1)


def test_examples_are_numbered_within_their_group(transfer):
    assert transfer.number_within(np.array([3, 5, 3, 3, 5])).tolist() == [0, 0, 1, 2, 1]


def test_people_of_a_file_are_read_and_recorded(transfer, benchmark_module, tmp_path):
    """Two people who hum at two pitches, three recordings of two and a half seconds each."""
    speaker = np.tile([0, 1], 3)
    waves = [np.sin(np.arange(2500) * (0.3 + 0.5 * one)) for one in speaker]
    np.savez(
        tmp_path / "hums.npz",
        audio=(np.concatenate(waves) * 9000).astype("int16"),
        offsets=np.arange(7) * 2500,
        speaker=speaker,
        sample_rate=1000,
    )
    found = transfer.LibriSpeech(tmp_path / "hums.npz", 1000)
    assert len(found.split) == 12 and found.is_test.sum() == 6
    spectra = [np.abs(np.fft.rfft(found.split.waveform(i))) for i in range(12)]
    x = np.array([[one[:90].sum(), one[90:].sum()] for one in spectra])
    results = [{**found.results(x), "minutes": 1.0}]
    assert results[0]["speaker"] == 1.0
    records = transfer.records_of("librispeech", results, {"mfcc13.speaker": 0.5, "minutes": 1.0}, "hums.npz")
    assert set(records) == {f"cpc.librispeech_mini.{key}" for key in ("speaker", "baseline.mfcc13.speaker")}
    benchmark_module("parts.records").write_records(tmp_path / "parts.records.json", records)
